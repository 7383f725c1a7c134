//! Cleaning up after a test process, however it ends.
//!
//! A shell waits on a pipe whose other end only we hold: when it closes (a test that ends, panics, is
//! killed or interrupted; statics are never dropped), it kills whoever runs in the folder and removes
//! it. It has a process group of its own, so that the interrupt of a terminal does not reach it.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};

/// Twice, because what is killed may have just started another.
const SCRIPT: &str = r#"read -r _
for _ in 1 2; do
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd")" in "$1"/*) kill -KILL "${process#/proc/}" ;; esac
  done
done
rm -rf "$1""#;

/// Waits for our end, or for its own drop.
#[derive(Debug)]
pub(crate) struct Reaper(Child);

impl Reaper {
    /// Watches over a folder.
    pub(crate) fn of(dir: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "reaper"]).arg(dir).current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().context("cannot run sh")?))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // What it could not remove is a folder among temporary ones.
        let _ended = self.0.wait();
    }
}
