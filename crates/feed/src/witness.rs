//! Whether a log goes through what was once known of it.
//!
//! Sequence numbers are no identity: an older copy of a database that was put back uses them again, for
//! other entries. Equal identifiers of the entry at one number mean equal logs up to there.

use std::cmp::Ordering;

use nt_revocation::Position;

/// A log that does not go through a witness has lost history: what was revoked may be good again by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Loss {
    #[error("the log ends before entry {seq}, which this verifier knows", seq = .0.seq)]
    Behind(Position),
    #[error("entry {seq} of the log is another than the one that this verifier knows", seq = .0.seq)]
    Other(Position),
    #[error("the log is of epoch {epoch}, and this verifier knows epoch {known}", epoch = .1, known = .0.epoch)]
    EarlierEpoch(Position, u64),
}

/// What a log of this epoch has lost that is here at the witness's sequence number, or has no such entry.
///
/// A later epoch has lost nothing: it begins when an operator recovered the log, and says what the
/// recovery made of it. Whoever knows more keeps it: see [`nt_revocation::RevocationSet::absorb`].
pub(crate) fn loss(witness: Position, epoch: u64, here: Option<Position>) -> Option<Loss> {
    match epoch.cmp(&witness.epoch) {
        Ordering::Greater => None,
        Ordering::Less => Some(Loss::EarlierEpoch(witness, epoch)),
        Ordering::Equal => match here {
            None => Some(Loss::Behind(witness)),
            Some(here) => (here != witness).then_some(Loss::Other(witness)),
        },
    }
}

#[cfg(test)]
mod tests {
    use nt_token::EntryId;

    use super::*;

    #[test]
    fn a_log_goes_through_a_witness_if_it_has_that_very_entry_or_was_recovered_since() {
        let at = |epoch, id| Position { epoch, seq: 9, entry: EntryId([id; 16]) };
        let witness = at(2, 7);
        assert_eq!(loss(witness, 2, Some(witness)), None);
        for here in [Some(witness), Some(at(1, 8)), None] {
            assert_eq!(loss(witness, 3, here), None);
            assert_eq!(loss(witness, 1, here), Some(Loss::EarlierEpoch(witness, 1)));
        }
        assert_eq!(loss(witness, 2, None), Some(Loss::Behind(witness)));
        assert_eq!(loss(witness, 2, Some(at(2, 8))), Some(Loss::Other(witness)));
        assert_eq!(loss(witness, 2, Some(at(1, 7))), Some(Loss::Other(witness)));
    }
}
