//! One file of a journal.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::record::{self, Journaled};
use crate::error::StoreError;
use crate::high_water::{create_private, sync_directory};

const MAGIC: &[u8; 8] = b"ntdjrnl1";
const ENDING: &str = "journal";

/// What a segment holds, and how much of the file that is.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) records: Vec<Journaled>,
    length: u64,
}

/// Whether a file may end in a write that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The newest file, written to when the machine stopped.
    MayBeTorn,
    /// An older one, which was complete before the next was begun.
    IsWhole,
}

/// The numbers of the segments that there are, in order.
pub(super) fn numbers(directory: &Path) -> std::io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{ENDING}"))
}

/// Reads a segment. What a torn write left at its end was never answered for, and is passed over.
pub(super) fn read(path: &Path, ending: Ending) -> Result<Content, StoreError> {
    let damaged = || StoreError::Journal(path.to_owned());
    let bytes = std::fs::read(path)
        .map_err(|source| StoreError::File { what: "reading the journal", source })?;
    if bytes.len() < MAGIC.len() && ending == Ending::MayBeTorn {
        return Ok(Content::default());
    }
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let mut content = Content { records: Vec::new(), length: MAGIC.len() as u64 };
    while let Some(read) = record::read(rest) {
        content.records.push(read.said);
        content.length += read.length as u64;
        rest = &rest[read.length..];
    }
    let is_torn = ending == Ending::MayBeTorn && !record::is_followed_by_a_safe_one(rest);
    if rest.is_empty() || is_torn { Ok(content) } else { Err(damaged()) }
}

/// Begins a segment.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    let mut file = create_private(path)?;
    file.write_all(MAGIC)?;
    file.sync_all()?;
    sync_directory(path)?;
    Ok(file)
}

/// Opens a segment to be written on where its content ends.
pub(super) fn reopen(path: &Path, content: &Content) -> std::io::Result<File> {
    if content.length == 0 {
        return create(path);
    }
    let mut file = File::options().read(true).write(true).open(path)?;
    file.set_len(content.length)?;
    file.seek(SeekFrom::End(0))?;
    file.sync_all()?;
    Ok(file)
}
