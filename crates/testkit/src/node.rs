//! Programs of others that run on Node: packages, installed once by `npm` from a lock file that is
//! checked in. Node itself is the machine's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::binaries::target_dir;

/// Where the scripts in `sources` are, beside the packages that `package-lock.json` there names,
/// installed exactly so. Under a name of their own in the target folder, once; tests that ask at the
/// same time wait for each other.
pub fn npm(name: &str, sources: &Path) -> Result<PathBuf> {
    let directory = target_dir()?.join("tmp").join(format!("npm-{name}"));
    fs::create_dir_all(&directory)?;
    let lock = File::create(directory.join("lock"))?;
    lock.lock().context("another test's installation comes to an end")?;
    let wanted = fs::read(sources.join("package-lock.json"))
        .with_context(|| format!("{} has a lock file", sources.display()))?;
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
    if fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(directory);
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&directory);
    let output = npm.output().context("npm is needed for this test")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm ci: {}\n{stderr}", output.status);
    fs::write(done, wanted)?;
    Ok(directory)
}
