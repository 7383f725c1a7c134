//! A temporary folder that goes, with whoever runs in it, however the test process ends.
//!
//! A shell waits on a pipe whose other end only we hold: when it closes (a drop, a test that panics, is
//! killed or interrupted; statics are never dropped), it kills whoever runs in the folder and removes
//! it. It has a process group of its own, so that the interrupt of a terminal does not reach it.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

use crate::programs;

/// Twice, because what is killed may have just started another.
const SCRIPT: &str = r#"read -r _
for _ in 1 2; do
  find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$1" -o -lname "$1/*" \) -printf '%h\n' |
    while read -r process; do kill -KILL "${process#/proc/}"; done
done
rm -rf "$1""#;

/// A folder that belongs to whom PostgreSQL runs as. Dropping it waits until all is gone.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    reaper: Child,
}

impl Folder {
    pub(crate) fn make() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("nt-postgres-").tempdir()?;
        programs::give(dir.path())?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "reaper"]).arg(dir.path());
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let reaper = command.spawn().context("cannot run sh")?;
        Ok(Self { path: dir.keep(), reaper })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        // What it could not remove is a folder among temporary ones.
        let _ended = self.reaper.wait();
    }
}
