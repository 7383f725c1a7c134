//! Files that must neither be lost nor be seen: a private folder, locks, and writing a file as a
//! whole. What is in the files is not known here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nt_token::clock::Stopwatch;
use tempfile::NamedTempFile;

use crate::error::Error;
use crate::ui;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// No file of ours comes near; whatever is larger was not written by us.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;
/// A lock is held while a file is written, or while a refresh talks to the authority, which has
/// its own time-outs; who waits longer waits for a process that was stopped.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(10);

/// The folder of this program's files, readable by its owner alone.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The step at which a debug build was told to abort.
    #[cfg(debug_assertions)]
    crash_at: Option<String>,
}

/// Held until it is dropped, or until the process ends in any way.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            #[cfg(debug_assertions)]
            crash_at: None,
        }
    }

    /// The same folder in a process that aborts at a step.
    #[cfg(debug_assertions)]
    pub(crate) fn crashing_at(self, step: Option<String>) -> Self {
        Self { crash_at: step, ..self }
    }

    #[cfg(debug_assertions)]
    pub(crate) fn reached(&self, step: &str) {
        if self.crash_at.as_deref() == Some(step) {
            std::process::abort();
        }
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "a debug build can be told to abort here")]
    pub(crate) fn reached(&self, _step: &str) {}

    pub(crate) fn display(&self) -> impl std::fmt::Display {
        self.path.display()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file; nothing where there is none. A mode wider than the owner's is mended.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>, Error> {
        let path = self.path(name);
        if !exists_as_file(&path)? {
            return Ok(None);
        }
        mend(&self.path, FOLDER_MODE)?;
        mend(&path, FILE_MODE)?;
        let mut text = String::new();
        let file = File::open(&path).map_err(|e| failed("read", &path, &e))?;
        let read = file.take(LARGEST_FILE + 1).read_to_string(&mut text);
        read.map_err(|e| failed("read", &path, &e))?;
        if text.len() as u64 > LARGEST_FILE {
            return Err(Error::failed(format!("{} is too large.", path.display())));
        }
        Ok(Some(text))
    }

    /// Replaces a file as a whole: whoever reads it sees the old text or the new, also after a
    /// crash. When this returns the new text is on the disk. The caller holds the file's lock.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path(name);
        exists_as_file(&path)?;
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(&self.path)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|e| failed("write", &path, &e))
    }

    /// Removes a file. The caller holds its lock.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match fs::remove_file(&path).and_then(|()| File::open(&self.path)?.sync_all()) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed("remove", &path, &e)),
            _ => Ok(()),
        }
    }

    /// Waits for the lock of this name. The lock is on a file of its own: the file that it guards
    /// is replaced with every write, and with it a lock on it would be.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, Error> {
        self.create()?;
        let path = self.path(&format!("{name}.lock"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(|e| failed("lock", &path, &e))?;
        let waiting = Stopwatch::start();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if waiting.elapsed() < LONGEST_WAIT => {
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!("Another ntcli has held {} too long.", path.display());
                    return Err(Error::failed(message));
                }
                Err(TryLockError::Error(e)) => return Err(failed("lock", &path, &e)),
            }
        }
    }

    fn create(&self) -> Result<(), Error> {
        let created = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&self.path);
        created.map_err(|e| failed("create", &self.path, &e))?;
        mend(&self.path, FOLDER_MODE)
    }
}

/// Whether there is a file. Anything else of that name is refused: replacing a symbolic link would
/// silently detach what it points to, and reading a pipe could take for ever.
fn exists_as_file(path: &Path) -> Result<bool, Error> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) => {
            let kind = if found.is_symlink() { "a symbolic link" } else { "not a file" };
            Err(Error::failed(format!("{} is {kind}; it was left alone.", path.display())))
        }
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(failed("read", path, &e)),
    }
}

fn mend(path: &Path, mode: u32) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(|e| failed("read", path, &e))?;
    let found = found.permissions().mode() & 0o777;
    if found & !mode == 0 {
        return Ok(());
    }
    let mended = fs::set_permissions(path, Permissions::from_mode(mode));
    mended.map_err(|e| failed("change the mode of", path, &e))?;
    ui::warning(&format!("{} had mode {found:04o}; it is {mode:04o} now.", path.display()));
    Ok(())
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("Could not {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().expect("a temporary directory");
        let folder = Folder::new(root.path().join("ntcli"));
        (root, folder)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_read_and_private() {
        let (_root, folder) = folder();
        assert_eq!(folder.read("a"), Ok(None));
        let lock = folder.lock("a").expect("is free");
        folder.write("a", "one").expect("is writable");
        drop(lock);
        assert_eq!(folder.read("a"), Ok(Some("one".to_owned())));
        assert_eq!((mode(&folder.path), mode(&folder.path("a"))), (0o700, 0o600));
    }

    #[test]
    fn a_wider_mode_is_mended() {
        let (_root, folder) = folder();
        let _lock = folder.lock("a").expect("is free");
        folder.write("a", "one").expect("is writable");
        fs::set_permissions(folder.path("a"), Permissions::from_mode(0o644)).expect("is ours");
        fs::set_permissions(&folder.path, Permissions::from_mode(0o755)).expect("is ours");
        assert!(folder.read("a").is_ok());
        assert_eq!((mode(&folder.path), mode(&folder.path("a"))), (0o700, 0o600));
    }

    #[test]
    fn a_symbolic_link_is_neither_read_nor_replaced() {
        let (root, folder) = folder();
        let _lock = folder.lock("a").expect("is free");
        let target = root.path().join("target");
        fs::write(&target, "kept").expect("is writable");
        symlink(&target, folder.path("a")).expect("is writable");
        assert!(folder.read("a").is_err());
        assert!(folder.write("a", "new").is_err());
        assert_eq!(fs::read_to_string(target).expect("is there"), "kept");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let (_root, folder) = folder();
        let _lock = folder.lock("a").expect("is free");
        folder.write("a", "one").expect("is writable");
        // The name is a directory by now: the rename at the end cannot succeed.
        fs::create_dir(folder.path("b")).expect("is writable");
        assert!(folder.write("b", "two").is_err());
        let mut names: Vec<_> = fs::read_dir(&folder.path)
            .expect("is there")
            .map(|entry| entry.expect("is readable").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a", "a.lock", "b"]);
        assert_eq!(folder.read("a"), Ok(Some("one".to_owned())));
    }
}
