//! The high-water file: how far this authority has answered, kept outside the database.
//!
//! A database that was put back from an older copy knows nothing of the revocations since, and would
//! raise the dead. This file is the witness against it.
//!
//! ```text
//! 0        slot A   magic "ntdhigh1" │ turn u64 │ epoch u64 │ seq u64 │ entry id 16 │ SHA-256 of these, 16
//! 4,096    slot B   the same
//! ```
//!
//! Numbers are big-endian. The slots are written in turn and in place, each followed by an fdatasync:
//! a write that a crash tears leaves the other slot, which says all that was answered for. The slot
//! with the greater turn counts. While open, the file is locked: two stores never share one witness.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use nt_revocation::Position;
use nt_token::EntryId;

use crate::error::StoreError;

const MAGIC: &[u8; 8] = b"ntdhigh1";
/// Slots lie in blocks of their own, so that a torn write cannot reach both.
const STRIDE: u64 = 4_096;
const BODY: usize = 48;
const SLOT: usize = 64;

/// An open and locked high-water file.
#[derive(Debug)]
pub(crate) struct HighWater {
    file: File,
    turn: u64,
    position: Position,
}

impl HighWater {
    /// Opens the file, if there is one.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(at("opening the high-water file", source)),
        };
        lock(&file)?;
        let slots = [read_slot(&file, 0)?, read_slot(&file, 1)?];
        let newest = slots.into_iter().flatten().max_by_key(|(turn, _)| *turn);
        let (turn, position) = newest.ok_or_else(|| StoreError::HighWater(path.to_owned()))?;
        Ok(Some(Self { file, turn, position }))
    }

    /// Makes the file. It appears whole or not at all, readable by its owner alone.
    pub(crate) fn create(path: &Path, position: Position) -> Result<Self, StoreError> {
        const WHAT: &str = "creating the high-water file";
        let draft = draft_of(path);
        let file = create_private(&draft).map_err(|source| at(WHAT, source))?;
        lock(&file)?;
        let mut made = Self { file, turn: 0, position };
        made.advance(position)
            .and_then(|()| made.advance(position))
            .and_then(|()| made.file.sync_all())
            .and_then(|()| std::fs::rename(&draft, path))
            .and_then(|()| sync_directory(path))
            .map_err(|source| at(WHAT, source))?;
        Ok(made)
    }

    /// The same file, but each write to it fails.
    #[cfg(test)]
    pub(crate) fn read_only(self, path: &Path) -> Self {
        Self { file: File::open(path).expect("the file is there"), ..self }
    }

    /// How far was answered for.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Records how far will be answered for, and returns when that is durable.
    pub(crate) fn advance(&mut self, to: Position) -> std::io::Result<()> {
        let turn = self.turn + 1;
        (&self.file).seek(SeekFrom::Start(turn % 2 * STRIDE))?;
        (&self.file).write_all(&slot(turn, to))?;
        self.file.sync_data()?;
        self.turn = turn;
        self.position = to;
        Ok(())
    }
}

fn slot(turn: u64, position: Position) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&turn.to_be_bytes());
    bytes[16..24].copy_from_slice(&position.epoch.to_be_bytes());
    bytes[24..32].copy_from_slice(&position.seq.to_be_bytes());
    bytes[32..BODY].copy_from_slice(&position.entry.0);
    let checksum = checksum(&bytes[..BODY]);
    bytes[BODY..].copy_from_slice(&checksum);
    bytes
}

/// What a slot says; nothing where it is damaged or was cut off.
fn read_slot(mut file: &File, which: u64) -> Result<Option<(u64, Position)>, StoreError> {
    const WHAT: &str = "reading the high-water file";
    let mut bytes = Vec::with_capacity(SLOT);
    file.seek(SeekFrom::Start(which * STRIDE)).map_err(|source| at(WHAT, source))?;
    file.take(SLOT as u64).read_to_end(&mut bytes).map_err(|source| at(WHAT, source))?;
    Ok(parse_slot(&bytes))
}

fn parse_slot(bytes: &[u8]) -> Option<(u64, Position)> {
    let (body, sum) = bytes.split_at_checked(BODY)?;
    if !body.starts_with(MAGIC) || checksum(body) != sum {
        return None;
    }
    let number = |from: usize| Some(u64::from_be_bytes(body[from..from + 8].try_into().ok()?));
    let entry = EntryId(body[32..].try_into().ok()?);
    Some((number(8)?, Position { epoch: number(16)?, seq: number(24)?, entry }))
}

fn checksum(body: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    sum.copy_from_slice(&digest::digest(&digest::SHA256, body).as_ref()[..16]);
    sum
}

fn lock(file: &File) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(source)) => Err(at("locking the high-water file", source)),
    }
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Creates a file, or empties the one that is there, for its owner alone.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a new name in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    #[cfg(unix)]
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(())
}

fn at(what: &'static str, source: std::io::Error) -> StoreError {
    StoreError::File { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(seq: u64) -> Position {
        Position { epoch: 1, seq, entry: EntryId([7; 16]) }
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("high-water");
        (directory, path)
    }

    fn damage(path: &Path, offset: usize) {
        let mut bytes = std::fs::read(path).expect("the file");
        bytes[offset] ^= 1;
        std::fs::write(path, bytes).expect("the file");
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let (_directory, path) = file();
        assert!(HighWater::open(&path).expect("no file").is_none());
        let mut made = HighWater::create(&path, Position::START).expect("created");
        for seq in 1..10 {
            made.advance(position(seq)).expect("written");
        }
        drop(made);
        let read = HighWater::open(&path).expect("readable").expect("there");
        assert_eq!(read.position(), position(9));
    }

    #[test]
    fn one_damaged_slot_is_survived_and_two_are_not() {
        for newest in [0, 1] {
            let (_directory, path) = file();
            let mut made = HighWater::create(&path, Position::START).expect("created");
            for seq in 1..=(8 + newest) {
                made.advance(position(seq)).expect("written");
            }
            let last = made.position().seq;
            let slot = usize::try_from(made.turn % 2 * STRIDE).expect("small");
            drop(made);
            damage(&path, slot + 30);
            let read = HighWater::open(&path).expect("readable").expect("there");
            assert_eq!(read.position().seq, last - 1, "the other slot");
            drop(read);
            damage(&path, 4_096 - slot + 30);
            assert!(matches!(HighWater::open(&path), Err(StoreError::HighWater(_))));
        }
    }

    #[test]
    fn a_file_that_is_cut_off_is_damaged() {
        let (_directory, path) = file();
        drop(HighWater::create(&path, position(3)).expect("created"));
        let bytes = std::fs::read(&path).expect("the file");
        for end in [0, 1, 63] {
            std::fs::write(&path, &bytes[..end]).expect("cut");
            assert!(matches!(HighWater::open(&path), Err(StoreError::HighWater(_))), "at {end}");
        }
    }

    #[test]
    fn a_second_opener_is_told_that_it_is_in_use() {
        let (_directory, path) = file();
        let _held = HighWater::create(&path, position(3)).expect("created");
        assert!(matches!(HighWater::open(&path), Err(StoreError::InUse)));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_directory, path) = file();
        drop(HighWater::create(&path, position(3)).expect("created"));
        let mode = std::fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
