//! Programs and libraries of others that `pip` brings: a virtual environment with exactly what its
//! requirements say, made once for all tests and runs. What npm brings is in
//! `identity/tests/peers/script.rs`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::binaries::target_dir;

/// The folder of the programs in a virtual environment of this name that has these requirements (the
/// text of a `requirements.txt`: each version pinned, where possible with its hashes).
pub fn venv(name: &str, requirements: &str) -> Result<PathBuf> {
    let all = target_dir()?.join("tmp/venv");
    fs::create_dir_all(&all)?;
    let (dir, asked) = (all.join(name), all.join(format!("{name}.txt")));
    let bin = dir.join("bin");
    let lock = File::create(all.join(format!("{name}.lock")))?;
    // Another process may be at it. It is let go when the file is closed.
    lock.lock().context("another installation comes to an end")?;
    let done = dir.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == requirements) {
        return Ok(bin);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::write(&asked, requirements)?;
    // A pip of its own would need `ensurepip`, which Debian keeps in a package of its own.
    let mut make = Command::new("python3");
    demand(make.args(["-m", "venv", "--without-pip"]).arg(&dir))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--python"]).arg(bin.join("python"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"]);
    demand(pip.arg(&asked))?;
    fs::write(done, requirements)?;
    Ok(bin)
}

/// Runs a command to its end, however long a slow network makes it; it must succeed.
fn demand(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIREMENTS: &str = "iniconfig==2.1.0\n";

    #[test]
    fn what_is_installed_is_found_again_and_other_requirements_are_installed_anew() -> Result<()> {
        let bin = venv("self-test", REQUIREMENTS)?;
        let python = bin.join("python");
        demand(Command::new(&python).args(["-c", "import iniconfig"]))?;
        let mark = bin.join("mark");
        fs::write(&mark, "")?;
        assert_eq!(venv("self-test", REQUIREMENTS)?, bin);
        assert!(mark.exists(), "nothing is installed twice");
        venv("self-test", &format!("# another text\n{REQUIREMENTS}"))?;
        assert!(!mark.exists(), "other requirements, another environment");
        Ok(())
    }

    #[test]
    fn what_does_not_install_is_an_error_each_time() {
        for _ in 0..2 {
            let error = venv("self-test-bad", "no such requirement !!\n").expect_err("no name");
            assert!(format!("{error:#}").contains("pip"), "{error:#}");
        }
    }
}
