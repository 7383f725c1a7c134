//! Programs and libraries of others, which tests install once from the registries, exactly as a lock file
//! says that is checked in. What is installed is in the target folder, and stays there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::binaries::target_dir;

/// A folder with copies of these sources and what their `package-lock.json` says: scripts find their
/// packages beside them. Node itself is the machine's.
pub fn npm(sources: &Path) -> Result<PathBuf> {
    let directory = target_dir()?.join("tmp").join(format!("npm-{}", name_of(sources)));
    let lock = fs::read(sources.join("package-lock.json"));
    let lock = lock.with_context(|| format!("{} has a lock file", sources.display()))?;
    copy(sources, &directory)?;
    once(&directory, &lock, |directory| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(directory);
        demand(&mut npm)
    })?;
    Ok(directory)
}

/// The folder of the programs in a virtual environment with what `requirements.txt` in these sources
/// says.
pub fn pip(sources: &Path) -> Result<PathBuf> {
    let requirements = fs::read_to_string(sources.join("requirements.txt"));
    let requirements = requirements.with_context(|| sources.display().to_string())?;
    venv(&name_of(sources), &requirements)
}

/// The same of an environment of this name with these requirements (the text of a `requirements.txt`:
/// each version pinned, where possible with its hashes).
pub fn venv(name: &str, requirements: &str) -> Result<PathBuf> {
    let directory = target_dir()?.join("tmp").join(format!("venv-{name}"));
    once(&directory, requirements.as_bytes(), |directory| {
        let asked = directory.join("requirements.txt");
        fs::write(&asked, requirements)?;
        // A pip of its own would need `ensurepip`, which Debian keeps in a package of its own.
        let mut make = Command::new("python3");
        demand(make.args(["-m", "venv", "--clear", "--without-pip"]).arg(directory.join("venv")))?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "--python"]).arg(directory.join("venv/bin/python"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-input"]);
        demand(pip.args(["--only-binary=:all:", "-r"]).arg(&asked))
    })?;
    Ok(directory.join("venv/bin"))
}

/// Installs what is wanted where that was not done before. Whoever else wants the same waits meanwhile.
fn once(directory: &Path, wanted: &[u8], install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    fs::create_dir_all(directory)?;
    let _turn = turn(directory)?;
    let done = directory.join("installed");
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if done.exists() {
        fs::remove_file(&done)?;
    }
    install(directory)?;
    Ok(fs::write(done, wanted)?)
}

/// Copies the files of a folder to another.
fn copy(sources: &Path, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let _turn = turn(directory)?;
    for each in fs::read_dir(sources)? {
        let each = each?;
        if each.file_type()?.is_file() {
            let (text, copy) = (fs::read(each.path())?, directory.join(each.file_name()));
            // Another test may be reading it: it is not written anew without need.
            if fs::read(&copy).ok().as_ref() != Some(&text) {
                fs::write(copy, text)?;
            }
        }
    }
    Ok(())
}

/// Whose turn it is, until the file is closed.
fn turn(directory: &Path) -> Result<File> {
    let lock = File::create(directory.join("lock"))?;
    lock.lock().context("another installation comes to an end")?;
    Ok(lock)
}

/// The last two folders of the sources: the last one alone may be called like its language.
fn name_of(sources: &Path) -> String {
    let mut names: Vec<_> = sources.components().rev().take(2).collect();
    names.reverse();
    let names: Vec<_> = names.iter().map(|name| name.as_os_str().to_string_lossy()).collect();
    names.join("-")
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
