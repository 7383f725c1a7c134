//! The data directory: who may use it, and where things stand in it.
//!
//! ```text
//! ntd-data/            0700
//!   ntd.lock           held by the one process that runs on this directory
//!   ntd.db             the database (SQLite, with its -wal and -shm files)
//!   node               which node of an authority of several this is, 0600
//!   key-secret         what the private signing keys in the database are encrypted under, 0600
//!   journal/           what this node has seen of a database that it shares with others
//!   moved              there once everything was exported to go on elsewhere
//!   feed.granted       there while verifiers may be under leases of this authority
//!   keys/              0700; earlier versions had the signing keys here, which stand in imported/ then
//!     high-water       how far this authority has answered for its log
//! ```
//!
//! The high-water file does not stand beside the database on purpose: whoever puts an
//! old database back must not put the old mark back with it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process runs on it.
    #[error("{dir} is in use by another ntd{pid}: stop that one, or use another --data-dir")]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// ` (process N)`, where it is known.
        pid: String,
    },
    /// It does not exist.
    #[error("{0} does not exist: `ntd serve` creates it at its first start")]
    Missing(PathBuf),
    /// Others may read what is in it.
    #[error("{path} can be read by others (mode {mode:04o}): run `chmod {wanted:o} {path}`", path = .path.display())]
    Mode {
        /// What others may read.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// The system said no.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A data directory that this process, and no other, runs on while this value lives.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory where it is missing, and locks it.
    pub fn create(root: &Path) -> Result<Self, DataDirError> {
        for dir in [root, &root.join("keys")] {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(|source| at(dir, source))?;
            private(dir, 0o700)?;
        }
        Self::lock(root)
    }

    /// Locks a directory that exists.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        if !root.is_dir() {
            return Err(DataDirError::Missing(root.to_owned()));
        }
        Self::lock(root)
    }

    fn lock(root: &Path) -> Result<Self, DataDirError> {
        let path = root.join("ntd.lock");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(|source| at(&path, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let known =
                    file.read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
                let pid = if known { format!(" (process {})", pid.trim()) } else { String::new() };
                return Err(DataDirError::InUse { dir: root.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(at(&path, source)),
        }
        // Who holds it is told to whoever is refused; nothing else depends on it, and a full disk
        // must not keep an authority that only verifies from starting.
        let _told = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { root: root.to_owned(), _lock: file })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What this node has seen of the log, where the database is elsewhere.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Which node this is, where an authority has several.
    pub fn node(&self) -> PathBuf {
        self.root.join("node")
    }

    /// Where the keys are.
    pub fn keys(&self) -> PathBuf {
        keys(&self.root)
    }

    /// The database, where the configuration names no other.
    pub fn database(&self) -> PathBuf {
        self.root.join("ntd.db")
    }

    /// There once the authority was moved elsewhere.
    pub fn left(&self) -> PathBuf {
        self.root.join("moved")
    }

    /// Notes that the authority goes on elsewhere, from this position of its log on.
    pub fn leave(&self, head: &nt_revocation::Position) -> Result<(), DataDirError> {
        let text = format!("exported at log position {} of epoch {}\n", head.seq, head.epoch);
        write_new(&self.root, "moved", text.as_bytes())
    }

    /// The note that verifiers may be under leases.
    pub fn granted(&self) -> PathBuf {
        self.root.join("feed.granted")
    }

    /// The high-water file.
    pub fn high_water(&self) -> PathBuf {
        self.keys().join("high-water")
    }
}

/// Where the keys of a data directory are.
pub fn keys(root: &Path) -> PathBuf {
    root.join("keys")
}

/// Refuses a path that others may read. A key that others could read may have been read: that is for
/// a person to judge, so it is not mended in silence.
pub fn private(path: &Path, wanted: u32) -> Result<(), DataDirError> {
    let metadata = fs::metadata(path).map_err(|source| at(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(DataDirError::Mode { path: path.to_owned(), mode, wanted });
    }
    Ok(())
}

/// Writes a file whole or not at all, readable by its owner only.
pub fn write_new(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), DataDirError> {
    let (path, temporary) = (dir.join(name), dir.join(format!(".{name}.new")));
    let write = || {
        let mut options = File::options();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|source| at(&path, source))
}

/// Names the path in an error of the system's.
pub fn at(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::File { path: path.to_owned(), source }
}
