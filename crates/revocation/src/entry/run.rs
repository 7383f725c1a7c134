//! A run of entries, as it travels to whoever follows the log and as it stands in journals.
//!
//! ```text
//! run     entry after entry, each the next in the log: its seq one more than that of the entry before,
//!         but for one that begins an epoch
//! entry   seq u64 │ entry id 16 bytes │ kind u16 │ length u32, at most 64 KiB │ body
//! ```
//!
//! A run has no header and no checksum: the connection or the file that carries it has both. It is
//! read whole or not at all, for whoever applies a part of it cannot say what it has missed.

use nt_token::EntryId;

use super::{Entry, Fact, UnknownEntry};
use crate::bytes::{Reader, put_length};

/// Bytes that are not a run of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRun {
    /// They end within an entry.
    #[error("a run of log entries is cut short")]
    Short,
    /// A body is longer than any that is written.
    #[error("a log entry's body of {0} bytes is too long")]
    Long(u32),
    /// The run leaves an entry out, or has one twice.
    #[error("log entry {got} stands behind {before} in a run")]
    Gap {
        /// The entry before.
        before: u64,
        /// The one that stands behind it.
        got: u64,
    },
    /// An entry cannot be read.
    #[error(transparent)]
    Unknown(#[from] UnknownEntry),
}

impl Entry {
    /// No body is longer: the largest that there is, a public key, has less than two kilobytes.
    pub const BODY_MAX: u32 = 65_536;

    /// The entry's bytes in a run; a run is several of these, one behind the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = self.fact.body();
        let mut out = Vec::with_capacity(30 + body.len());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.id.0);
        out.extend(self.fact.kind().to_be_bytes());
        put_length(&mut out, body.len());
        out.extend(body);
        out
    }

    /// Reads a whole run back. No bytes are an empty run.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, BadRun> {
        let mut from = Reader::new(bytes);
        let mut run: Vec<Self> = Vec::new();
        while !from.is_at_end() {
            let entry = read(&mut from)?;
            if let Some(before) = run.last()
                && !entry.follows(before.seq, Some(before.id))
            {
                return Err(BadRun::Gap { before: before.seq, got: entry.seq });
            }
            run.push(entry);
        }
        Ok(run)
    }
}

fn read(from: &mut Reader<'_>) -> Result<Entry, BadRun> {
    let seq = from.u64().ok_or(BadRun::Short)?;
    let id = EntryId(from.array().ok_or(BadRun::Short)?);
    let kind = from.u16().ok_or(BadRun::Short)?;
    let length = from.u32().ok_or(BadRun::Short)?;
    if length > Entry::BODY_MAX {
        return Err(BadRun::Long(length));
    }
    let body = from.take(length as usize).ok_or(BadRun::Short)?;
    Ok(Entry { seq, id, fact: Fact::read(kind, body)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::tests::facts;
    use crate::log::first_of_epoch;

    fn run() -> Vec<Entry> {
        let id = |seq: u64| EntryId([u8::try_from(seq % 256).expect("below 256"); 16]);
        let entry = |(seq, fact)| match fact {
            Fact::EpochBegan { epoch, .. } => {
                let after = seq - 1;
                let fact = Fact::EpochBegan { epoch, after, entry: id(after) };
                Entry { seq: first_of_epoch(after), id: id(seq), fact }
            }
            fact => Entry { seq, id: id(seq), fact },
        };
        (7..).zip(facts()).map(entry).collect()
    }

    fn written(run: &[Entry]) -> Vec<u8> {
        run.iter().flat_map(Entry::to_bytes).collect()
    }

    #[test]
    fn a_run_reads_back_as_written() {
        assert_eq!(Entry::read_all(&written(&run())), Ok(run()));
        assert_eq!(Entry::read_all(&[]), Ok(vec![]));
    }

    #[test]
    fn a_run_cut_short_is_refused_or_ends_with_a_whole_entry() {
        let (run, bytes) = (run(), written(&run()));
        for end in 0..bytes.len() {
            if let Ok(read) = Entry::read_all(&bytes[..end]) {
                assert_eq!(read, run[..read.len()]);
                assert_eq!(written(&read).len(), end);
            }
        }
    }

    #[test]
    fn a_run_that_leaves_an_entry_out_or_has_one_twice_is_refused() {
        for got in [6, 7, 9] {
            let second = Entry { seq: got, ..run()[1].clone() };
            let refused = Entry::read_all(&written(&[run()[0].clone(), second]));
            assert_eq!(refused, Err(BadRun::Gap { before: 7, got }));
        }
        let last = Entry { seq: u64::MAX, ..run()[0].clone() };
        let again = Entry { seq: 0, ..run()[1].clone() };
        let refused = Entry::read_all(&written(&[last, again]));
        assert_eq!(refused, Err(BadRun::Gap { before: u64::MAX, got: 0 }));
    }

    #[test]
    fn a_body_that_claims_to_be_longer_than_any_is_refused_before_it_is_waited_for() {
        let mut bytes = run()[0].to_bytes();
        bytes[26..30].copy_from_slice(&(Entry::BODY_MAX + 1).to_be_bytes());
        assert_eq!(Entry::read_all(&bytes), Err(BadRun::Long(Entry::BODY_MAX + 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_of_runs_panic(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(read) = Entry::read_all(&noise) {
                prop_assert_eq!(written(&read), noise);
            }
        }

        #[test]
        fn a_changed_run_is_refused_or_is_what_its_bytes_say(at in any::<usize>(), flip in 1_u8..) {
            let mut bytes = written(&run());
            let at = at % bytes.len();
            bytes[at] ^= flip;
            if let Ok(read) = Entry::read_all(&bytes) {
                prop_assert_eq!(written(&read), bytes);
            }
        }
    }
}
