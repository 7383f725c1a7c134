//! The journal: what this node has seen of the log, kept outside the database.
//!
//! A database that lost commits in a fail-over, or was put back from an older copy, would raise the
//! dead. A node's journal is the witness against it, and what is missing can be taken from it: an entry
//! is on this disk before anybody is told that it is in force.
//!
//! ```text
//! 00000000000000000001.journal   65,536 records, then the next file
//! 00000000000000000002.journal   the newest one may end in a torn write, which was never answered for
//! lock                           held by the one process that writes here
//! ```

mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use nt_revocation::{Entry, Fact, Position};
use nt_token::Timestamp;

pub use self::record::Journaled;
use self::segment::Ending;
use crate::error::StoreError;
use crate::high_water::create_private;

/// How many records a file takes.
const RECORDS: usize = 65_536;

/// How many full files are kept at least: a million entries.
const KEPT: usize = 16;

/// How old a file is before it goes: a week.
const KEPT_SECONDS: i64 = 7 * 86_400;

/// An open and locked journal.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    file: File,
    number: u64,
    records: usize,
    /// How many records a file takes.
    full: usize,
    last: Option<Position>,
    /// Whether all that was written is on the disk.
    is_safe: bool,
    _lock: File,
}

impl Journal {
    /// Opens the journal in this directory, and makes it where there is none.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::File { what: "opening the journal", source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let lock = lock(directory)?;
        let numbers = segment::numbers(directory).map_err(failed)?;
        let number = numbers.last().copied().unwrap_or(1);
        let path = segment::path(directory, number);
        let (file, records, mut last) = if numbers.is_empty() {
            (segment::create(&path).map_err(failed)?, 0, None)
        } else {
            let content = segment::read(&path, Ending::MayBeTorn)?;
            let last = content.records.last().map(|record| record.position);
            (segment::reopen(&path, &content).map_err(failed)?, content.records.len(), last)
        };
        // A file that was just begun when the machine stopped says nothing; the one before is whole.
        if let (None, [.., before, _]) = (last, numbers.as_slice()) {
            let before = segment::read(&segment::path(directory, *before), Ending::IsWhole)?;
            last = before.records.last().map(|record| record.position);
        }
        let directory = directory.to_owned();
        Ok(Self {
            directory,
            file,
            number,
            records,
            full: RECORDS,
            last,
            is_safe: true,
            _lock: lock,
        })
    }

    /// The last position that it has: how far this node has answered, at most.
    pub fn last(&self) -> Option<Position> {
        self.last
    }

    /// Goes on from this position: at its beginning, or after a time of which it says nothing.
    pub fn begin_at(&mut self, position: Position) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        record::put(&mut bytes, position, None, self.is_safe);
        self.write(&bytes, 1, position)?;
        self.sync()
    }

    /// Writes entries that follow on what it has. They are safe once [`Journal::sync`] has returned.
    pub fn append(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        let Some(mut at) = self.last else {
            return Err(std::io::Error::other("the journal has no beginning"));
        };
        let mut bytes = Vec::new();
        let mut before_is_safe = self.is_safe;
        for entry in entries {
            let epoch = match entry.fact {
                Fact::EpochBegan { epoch, .. } => epoch,
                _ => at.epoch,
            };
            at = Position { epoch, seq: entry.seq, entry: entry.id };
            let said = (entry.fact.kind(), entry.fact.body());
            record::put(&mut bytes, at, Some((said.0, &said.1)), before_is_safe);
            before_is_safe = false;
        }
        self.write(&bytes, entries.len(), at)
    }

    fn write(&mut self, bytes: &[u8], records: usize, last: Position) -> std::io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all(bytes)?;
        self.is_safe = false;
        self.records += records;
        self.last = Some(last);
        Ok(())
    }

    /// Returns when all that was written is on the disk.
    pub fn sync(&mut self) -> std::io::Result<()> {
        if !self.is_safe {
            self.file.sync_data()?;
            self.is_safe = true;
        }
        Ok(())
    }

    /// Begins the next file where this one is full, and forgets files that are old enough.
    pub fn rotate(&mut self, now: Timestamp) -> std::io::Result<()> {
        if self.records < self.full {
            return Ok(());
        }
        self.sync()?;
        self.file = segment::create(&segment::path(&self.directory, self.number + 1))?;
        self.number += 1;
        self.records = 0;
        let numbers = segment::numbers(&self.directory)?;
        for number in &numbers[..numbers.len().saturating_sub(KEPT + 1)] {
            let path = segment::path(&self.directory, *number);
            let changed = std::fs::metadata(&path)?.modified()?;
            let changed = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let changed = i64::try_from(changed.as_secs()).unwrap_or(i64::MAX);
            if changed.saturating_add(KEPT_SECONDS) < now.unix() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The same journal, but each write to it fails.
    #[cfg(test)]
    pub(crate) fn read_only(self) -> Self {
        let path = segment::path(&self.directory, self.number);
        Self { file: File::open(path).expect("the file is there"), ..self }
    }
}

/// Reads a journal that nobody needs to have open, in order: what each of its records says.
pub fn read_journal(
    directory: &Path,
    mut each: impl FnMut(Journaled) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let numbers = segment::numbers(directory)
        .map_err(|source| StoreError::File { what: "reading the journal", source })?;
    for number in &numbers {
        let newest = numbers.last() == Some(number);
        let ending = if newest { Ending::MayBeTorn } else { Ending::IsWhole };
        let content = segment::read(&segment::path(directory, *number), ending)?;
        content.records.into_iter().try_for_each(&mut each)?;
    }
    Ok(())
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    const WHAT: &str = "locking the journal";
    let file = create_private(&directory.join("lock"))
        .map_err(|source| StoreError::File { what: WHAT, source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(source)) => Err(StoreError::File { what: WHAT, source }),
    }
}
