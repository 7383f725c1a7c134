//! Between the log's types and the messages, and the sizes that messages keep to.

use nt_revocation::{Entry, Fact, Position};
use nt_token::EntryId;
use tonic::codegen::Bytes;

use crate::proto::{self, from_authority, from_verifier};

/// The version of the protocol that is spoken here.
pub(crate) const VERSION: u32 = 1;
/// The call's metadata under this name says which library follows.
pub const LIBRARY: &str = "ntd-feed-library";
/// A message carries at most this many bytes of snapshot or entries: far below what HTTP/2 clients
/// accept, and small enough that a grant behind it does not wait long.
const PIECE_MAX: usize = 1 << 20;
/// What an entry adds to its body on the wire, generously.
const ENTRY_OVERHEAD: usize = 64;

/// Something that is not of this protocol's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {0}")]
pub struct Malformed(pub(crate) &'static str);

impl From<Position> for proto::Position {
    fn from(position: Position) -> Self {
        let entry_id = Bytes::copy_from_slice(&position.entry.0);
        Self { epoch: position.epoch, seq: position.seq, entry_id }
    }
}

impl TryFrom<proto::Position> for Position {
    type Error = Malformed;

    fn try_from(position: proto::Position) -> Result<Self, Malformed> {
        let entry = entry_id(&position.entry_id)?;
        Ok(Self { epoch: position.epoch, seq: position.seq, entry })
    }
}

impl From<&Entry> for proto::Entry {
    fn from(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            entry_id: Bytes::copy_from_slice(&entry.id.0),
            kind: u32::from(entry.fact.kind()),
            body: entry.fact.body().into(),
        }
    }
}

impl TryFrom<&proto::Entry> for Entry {
    type Error = Malformed;

    fn try_from(entry: &proto::Entry) -> Result<Self, Malformed> {
        let kind = u16::try_from(entry.kind).map_err(|_| Malformed("an unknown kind of entry"))?;
        let fact = Fact::read(kind, &entry.body)
            .map_err(|_| Malformed("an entry of a kind or form that is not known here"))?;
        Ok(Self { seq: entry.seq, id: entry_id(&entry.entry_id)?, fact })
    }
}

/// The epoch of an entry that stands behind one of this epoch.
pub(crate) fn epoch_with(before: u64, entry: &Entry) -> u64 {
    match entry.fact {
        Fact::EpochBegan { epoch, .. } => epoch,
        _ => before,
    }
}

/// Entries behind one of this epoch as messages, each within the limit and of one epoch.
pub(crate) fn entry_messages<'a>(
    before: u64,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Vec<proto::FromAuthority> {
    let mut messages = Vec::new();
    let (mut epoch, mut batch, mut size) = (before, Vec::new(), 0);
    for entry in entries {
        let (of, entry) = (epoch_with(epoch, entry), proto::Entry::from(entry));
        let more = entry.body.len() + ENTRY_OVERHEAD;
        if (of != epoch || size + more > PIECE_MAX) && !batch.is_empty() {
            messages.push(proto::Entries { epoch, entries: std::mem::take(&mut batch) }.into());
            size = 0;
        }
        epoch = of;
        size += more;
        batch.push(entry);
    }
    if !batch.is_empty() {
        messages.push(proto::Entries { epoch, entries: batch }.into());
    }
    messages
}

/// A snapshot as messages; also an empty one has a last piece.
pub(crate) fn snapshot_messages(snapshot: &Bytes) -> Vec<proto::FromAuthority> {
    let pieces = snapshot.len().div_ceil(PIECE_MAX).max(1);
    (0..pieces)
        .map(|piece| {
            let from = piece * PIECE_MAX;
            let to = snapshot.len().min(from + PIECE_MAX);
            let last = piece + 1 == pieces;
            proto::Snapshot { bytes: snapshot.slice(from..to), last }.into()
        })
        .collect()
}

fn entry_id(bytes: &Bytes) -> Result<EntryId, Malformed> {
    let id = <[u8; 16]>::try_from(bytes.as_ref());
    id.map(EntryId).map_err(|_| Malformed("an entry's identifier has 16 bytes"))
}

impl From<proto::Snapshot> for proto::FromAuthority {
    fn from(snapshot: proto::Snapshot) -> Self {
        from_authority::Message::Snapshot(snapshot).into()
    }
}

impl From<proto::Entries> for proto::FromAuthority {
    fn from(entries: proto::Entries) -> Self {
        from_authority::Message::Entries(entries).into()
    }
}

impl From<from_authority::Message> for proto::FromAuthority {
    fn from(message: from_authority::Message) -> Self {
        Self { message: Some(message) }
    }
}

impl From<from_verifier::Message> for proto::FromVerifier {
    fn from(message: from_verifier::Message) -> Self {
        Self { message: Some(message) }
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::first_of_epoch;
    use nt_token::KeyId;

    use super::*;

    fn entry(seq: u64, kid_length: usize) -> Entry {
        let kid: KeyId = "k".repeat(kid_length).parse().expect("a key's identifier");
        Entry { seq, id: EntryId([7; 16]), fact: Fact::KeyRevoked { kid } }
    }

    #[test]
    fn an_entry_and_a_position_come_back_as_they_were() {
        let entry = entry(9, 12);
        assert_eq!(Entry::try_from(&proto::Entry::from(&entry)), Ok(entry));
        let position = Position { epoch: 2, seq: 9, entry: EntryId([7; 16]) };
        assert_eq!(Position::try_from(proto::Position::from(position)), Ok(position));
    }

    #[test]
    fn an_entry_of_an_unknown_kind_is_an_error() {
        for kind in [0, 999, u32::MAX] {
            let unknown = proto::Entry { kind, ..proto::Entry::from(&entry(1, 3)) };
            assert!(Entry::try_from(&unknown).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_short_entry_id_is_an_error() {
        let short = proto::Position { epoch: 1, seq: 1, entry_id: vec![0; 15].into() };
        assert!(Position::try_from(short).is_err());
    }

    #[test]
    fn no_message_is_larger_than_a_piece_and_nothing_is_lost() {
        let many: Vec<Entry> = (1..=30_000).map(|seq| entry(seq, 30)).collect();
        let messages = entry_messages(1, &many);
        assert!(messages.len() > 1);
        let mut seqs = Vec::new();
        for message in &messages {
            assert!(prost::Message::encoded_len(message) <= PIECE_MAX + 1_024);
            let Some(from_authority::Message::Entries(run)) = &message.message else {
                panic!("only entries")
            };
            seqs.extend(run.entries.iter().map(|entry| entry.seq));
        }
        assert_eq!(seqs, (1..=30_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_message_has_entries_of_one_epoch() {
        let began = Fact::EpochBegan { epoch: 3, after: 2, entry: EntryId([7; 16]) };
        let seq = first_of_epoch(2);
        let began = Entry { seq, fact: began, ..entry(1, 3) };
        let all = [entry(1, 3), entry(2, 3), began, entry(seq + 1, 3)];
        let runs: Vec<_> = entry_messages(2, &all)
            .into_iter()
            .map(|message| match message.message {
                Some(from_authority::Message::Entries(run)) => {
                    (run.epoch, run.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>())
                }
                _ => panic!("only entries"),
            })
            .collect();
        assert_eq!(runs, [(2, vec![1, 2]), (3, vec![seq, seq + 1])]);
    }

    #[test]
    fn a_snapshot_ends_with_its_last_piece() {
        for (length, pieces) in [(0, 1), (1, 1), (PIECE_MAX, 1), (PIECE_MAX + 1, 2)] {
            let messages = snapshot_messages(&vec![1; length].into());
            let last: Vec<bool> = messages
                .iter()
                .map(|message| match &message.message {
                    Some(from_authority::Message::Snapshot(snapshot)) => snapshot.last,
                    _ => panic!("only snapshots"),
                })
                .collect();
            assert_eq!(last.len(), pieces, "{length}");
            assert_eq!(last.iter().filter(|last| **last).count(), 1);
            assert_eq!(last.last(), Some(&true));
        }
    }
}
