//! How far this verifier has been, kept on its disk: the witness against an authority that lost history.
//!
//! ```text
//! magic "ntfeedp1" │ epoch u64 │ seq u64 │ entry id 16 │ SHA-256 of these, 16
//! ```
//!
//! Numbers are big-endian. Each version is written beside the file, synced and renamed, so that the file
//! is there whole or not at all; at most once a second, and at the end. A crash loses the last second: an
//! older position is a weaker witness, and never a wrong one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use nt_revocation::Position;
use nt_token::EntryId;
use tokio::sync::watch;
use tokio::time::timeout;

const MAGIC: &[u8; 8] = b"ntfeedp1";
const BODY: usize = 40;
const LENGTH: usize = 56;
/// Between two writes.
const WRITES_EACH: Duration = Duration::from_secs(1);

/// A position file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoPosition {
    /// It cannot be read or written.
    #[error("the position file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process keeps its position there.
    #[error(
        "the position file {} is another process's: each verifier needs one of its own", .0.display()
    )]
    InUse(PathBuf),
    /// It is damaged, or is something else.
    #[error(
        "the position file {} is damaged, or is something else. Without it this verifier cannot tell \
         whether its authority has lost revocations since. Remove it if you know that it has not", .0.display()
    )]
    Damaged(PathBuf),
}

/// Keeps other processes from the file for as long as it lives. It is on a file beside it, because the
/// file itself is replaced at each write.
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

fn lock(path: &Path) -> Result<Lock, NoPosition> {
    let at = |source| NoPosition::File { path: path.to_owned(), source };
    let file = create(&beside(path, ".lock")).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(NoPosition::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(at(source)),
    }
}

/// What a position file, or a copy of one, says: how far its verifier has been. Nothing is locked, and
/// nothing is written.
pub fn read_position(path: &Path) -> Result<Position, NoPosition> {
    let at = |source| NoPosition::File { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(at)?;
    parse(&bytes).ok_or_else(|| NoPosition::Damaged(path.to_owned()))
}

/// What the file says; `None` if there is none yet. Finds out, too, whether it can be written.
pub(super) fn open(path: &Path) -> Result<(Option<Position>, Lock), NoPosition> {
    let at = |source| NoPosition::File { path: path.to_owned(), source };
    let lock = lock(path)?;
    let known = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(at(error)),
        Ok(file) => {
            let mut bytes = Vec::with_capacity(LENGTH);
            file.take(LENGTH as u64 + 1).read_to_end(&mut bytes).map_err(at)?;
            Some(parse(&bytes).ok_or_else(|| NoPosition::Damaged(path.to_owned()))?)
        }
    };
    if let Some(position) = known {
        write(path, position).map_err(at)?;
    } else {
        drop(create(&draft_of(path)).map_err(at)?);
        std::fs::remove_file(draft_of(path)).map_err(at)?;
    }
    Ok((known, lock))
}

/// Writes what comes, and returns when nothing will come any more and the last is written.
pub(super) async fn keep(path: PathBuf, mut positions: watch::Receiver<Option<Position>>) {
    let (mut goes_on, mut written, mut told) = (true, None, false);
    while goes_on {
        goes_on = positions.changed().await.is_ok();
        if goes_on {
            // Those of a second are written as one, and the last of all at once.
            let ended = async { while positions.changed().await.is_ok() {} };
            goes_on = timeout(WRITES_EACH, ended).await.is_err();
        }
        let reached = *positions.borrow_and_update();
        let Some(position) = reached.filter(|_| reached != written) else { continue };
        let to = path.clone();
        match tokio::task::spawn_blocking(move || write(&to, position)).await {
            Ok(Ok(())) => (written, told) = (reached, false),
            Ok(Err(error)) if !told => {
                tracing::warn!(%error, path = %path.display(), "the position cannot be kept");
                told = true;
            }
            // Told already; or the runtime ends.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

fn write(path: &Path, position: Position) -> std::io::Result<()> {
    let draft = draft_of(path);
    let mut file = create(&draft)?;
    file.write_all(&bytes(position))?;
    // Else a rename may be on the disk before what was renamed.
    file.sync_data()?;
    std::fs::rename(&draft, path)
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".new")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

fn bytes(position: Position) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&position.epoch.to_be_bytes());
    bytes[16..24].copy_from_slice(&position.seq.to_be_bytes());
    bytes[24..BODY].copy_from_slice(&position.entry.0);
    let sum = digest(&SHA256, &bytes[..BODY]);
    bytes[BODY..].copy_from_slice(&sum.as_ref()[..LENGTH - BODY]);
    bytes
}

fn parse(read: &[u8]) -> Option<Position> {
    let body = read.get(..BODY)?;
    let number = |from: usize| Some(u64::from_be_bytes(body[from..from + 8].try_into().ok()?));
    let entry = EntryId(body[24..].try_into().ok()?);
    let position = Position { epoch: number(8)?, seq: number(16)?, entry };
    // The only form is the one that is written here.
    (bytes(position) == read).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(seq: u64) -> Position {
        Position { epoch: 1, seq, entry: EntryId([7; 16]) }
    }

    #[tokio::test]
    async fn the_last_position_is_on_the_disk_when_its_keeper_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("position");
        let (nothing, lock) = open(&path).expect("nothing yet");
        assert_eq!(nothing, None);
        assert!(!path.exists(), "nothing is said before there is something to say");
        let positions = watch::Sender::new(None);
        let keeper = tokio::spawn(keep(path.clone(), positions.subscribe()));
        for seq in 1..=100 {
            positions.send_replace(Some(position(seq)));
            tokio::task::yield_now().await;
        }
        drop(positions);
        timeout(WRITES_EACH / 2, keeper).await.expect("at once").expect("no panic");
        assert!(matches!(open(&path), Err(NoPosition::InUse(_))), "by one process at a time");
        drop(lock);
        let (last, _lock) = open(&path).expect("readable");
        assert_eq!(last, Some(position(100)));
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 2, "and the lock");
    }

    #[test]
    fn a_file_that_is_damaged_in_any_byte_or_cut_off_is_no_position() {
        let whole = bytes(position(9));
        assert_eq!(parse(&whole), Some(position(9)));
        for at in 0..LENGTH {
            let mut damaged = whole;
            damaged[at] ^= 1;
            assert_eq!(parse(&damaged), None, "at {at}");
            assert_eq!(parse(&whole[..at]), None, "up to {at}");
        }
        assert_eq!(parse(&[&whole[..], b"x"].concat()), None);
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("position");
        std::fs::write(&path, &whole[1..]).expect("a file");
        assert!(matches!(open(&path), Err(NoPosition::Damaged(_))));
        let nowhere = dir.path().join("missing").join("position");
        assert!(matches!(open(&nowhere), Err(NoPosition::File { .. })));
    }
}
