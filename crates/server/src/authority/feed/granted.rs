//! The note, outside this process, that it may have granted leases to verifiers.
//!
//! Leases outlive the process that granted them. The next one must know whether any may be out: it
//! then reports nothing as in force before they have ended for certain. Where no verifier ever
//! connects there is no note, and a restart costs nothing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

/// The note.
#[derive(Debug)]
pub struct Granted {
    path: PathBuf,
    /// Whether this process has made sure that the note lasts.
    noted: OnceCell<()>,
}

impl Granted {
    /// The note in this place; it need not exist.
    pub fn at(path: PathBuf) -> Self {
        Self { path, noted: OnceCell::new() }
    }

    /// Whether the process before this one may have granted leases. To be asked before any note is
    /// made. What cannot be looked at counts as there.
    pub fn by_the_process_before(&self) -> bool {
        self.path.try_exists().unwrap_or(true)
    }

    /// Makes the note, if this process has not made it yet, and returns when it outlives a crash of
    /// the machine. One that was found counts for nothing: nobody knows whether it does.
    pub async fn note(self: Arc<Self>) -> io::Result<()> {
        let write = async || {
            let path = self.path.clone();
            tokio::task::spawn_blocking(move || write_durably(&path)).await?
        };
        self.noted.get_or_try_init(write).await.copied()
    }

    /// Removes the note: nobody is under a lease. A note that stays costs the next process a wait.
    pub async fn forget(&self) {
        let path = self.path.clone();
        let removed = tokio::task::spawn_blocking(move || fs::remove_file(path)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the note that leases are out could not be removed");
        }
    }
}

fn write_durably(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(0o600).open(path)?.sync_all()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_note_is_seen_by_the_next_process_until_it_is_forgotten() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("feed.granted");
        let first = Arc::new(Granted::at(path.clone()));
        assert!(!first.by_the_process_before());
        Arc::clone(&first).note().await.expect("can be written");
        Arc::clone(&first).note().await.expect("is written");
        let mode = fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Granted::at(path.clone());
        assert!(second.by_the_process_before());
        second.forget().await;
        second.forget().await;
        assert!(!Granted::at(path).by_the_process_before());
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_made_is_tried_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let below = dir.path().join("later");
        let granted = Arc::new(Granted::at(below.join("feed.granted")));
        assert!(Arc::clone(&granted).note().await.is_err());
        fs::create_dir(&below).expect("a directory");
        assert!(granted.note().await.is_ok());
    }
}
