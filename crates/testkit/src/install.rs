//! Programs of others, which tests install once from the registries exactly as a lock file that is
//! checked in says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// A folder with copies of these sources and what their `package-lock.json` says. Scripts find their
/// packages beside them.
pub fn npm(within: &Path, sources: &Path) -> Result<PathBuf> {
    once(within, sources, "package-lock.json", |directory| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(directory);
        run(&mut npm)
    })
}

/// The same with what their `requirements.txt` says, in a virtual environment. Its programs are in
/// `bin`.
pub fn pip(within: &Path, sources: &Path) -> Result<PathBuf> {
    once(within, sources, "requirements.txt", |directory| {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory.join("venv")))?;
        let mut pip = Command::new(directory.join("venv/bin/pip"));
        pip.args(["install", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--disable-pip-version-check", "-r"]).arg(directory.join("requirements.txt"));
        run(&mut pip)
    })?;
    Ok(home(within, sources, "requirements.txt").join("venv"))
}

/// Copies the sources, and installs what the lock says where that was not done before. Whoever else
/// wants the same waits meanwhile.
fn once(
    within: &Path,
    sources: &Path,
    lock: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let directory = home(within, sources, lock);
    fs::create_dir_all(&directory)?;
    let turn = File::create(directory.join("lock"))?;
    turn.lock()?;
    let wanted = fs::read(sources.join(lock)).with_context(|| format!("{lock} is checked in"))?;
    for each in fs::read_dir(sources)? {
        let each = each?;
        if !each.file_type()?.is_file() {
            continue;
        }
        let (text, copy) = (fs::read(each.path())?, directory.join(each.file_name()));
        // Another test may be reading it: it is not written anew without need.
        if fs::read(&copy).ok().as_ref() != Some(&text) {
            fs::write(copy, text)?;
        }
    }
    let done = directory.join("installed");
    if !fs::read(&done).is_ok_and(|installed| installed == wanted) {
        install(&directory)?;
        fs::write(done, wanted)?;
    }
    Ok(directory)
}

/// Where it is: named by the last folders of the sources and the lock.
fn home(within: &Path, sources: &Path, lock: &str) -> PathBuf {
    let mut names: Vec<_> = sources.components().rev().take(2).collect();
    names.reverse();
    let names: Vec<_> = names.iter().map(|name| name.as_os_str().to_string_lossy()).collect();
    within.join(format!("nt-{}-{lock}", names.join("-")))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
