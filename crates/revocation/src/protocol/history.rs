//! Whether a database still has the history that is known here.
//!
//! A standby that is promoted, a copy that is put back, a primary that was replaced and goes on: each
//! answers as if nothing had been, and by each of them a revoked token may be good again.
//!
//! ```text
//! witness (journal, peers) ─┐
//! what server answers ──────┼─▶ judge ─▶ Follow · Promoted · LaterEpoch · Quarantine
//! what its log says ────────┘
//! ```
//!
//! It is asked at every connect, and whenever an append or a renewal matches no row. In between, each
//! append and each renewal compares epoch and lineage in its own statement. A quarantine is no state:
//! it lasts while this is the answer. Nobody leaves it alone but an operator's recovery, which begins a
//! later epoch, or the right database that comes back.

use crate::Position;

/// Which server, and which line of its history, writes the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lineage {
    /// PostgreSQL's system identifier: another for each cluster that was made by itself.
    pub system: u64,
    /// PostgreSQL's timeline: raised by each promotion and by a recovery to a point in time.
    pub timeline: u32,
}

/// What a promotion may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failover {
    /// Nothing: each commit that was answered is on the standby that is promoted.
    Lossless,
    /// The last commits: also what was answered by somebody else, of which nothing is known here.
    MayLose,
}

/// What one look at the database found, in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// The server that answers.
    pub lineage: Lineage,
    /// The one that the log was last written by, as the log's own row says.
    pub recorded: Lineage,
    /// The log's epoch.
    pub epoch: u64,
    /// Where the log is at the witness's sequence number; `None` if it ends before it.
    pub at_witness: Option<Position>,
}

/// What a log has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Loss {
    /// It ends too early.
    #[error("the log ends before entry {seq}, which is known here", seq = .0.seq)]
    Behind(Position),
    /// It has another entry there.
    #[error("entry {seq} of the log is another than the one that is known here", seq = .0.seq)]
    Other(Position),
    /// It was recovered since, and this is what was before.
    #[error("the log is of epoch {epoch}, and epoch {known} is known here", epoch = .1, known = .0.epoch)]
    EarlierEpoch(Position, u64),
    /// Another server took over, and it is not known what it lacks.
    #[error(
        "the log was written on timeline {old} of system {from}, and is on timeline {new} of {to}",
        old = .recorded.timeline, from = .recorded.system, new = .lineage.timeline, to = .lineage.system
    )]
    TakenOver {
        /// Who wrote it.
        recorded: Lineage,
        /// Who answers.
        lineage: Lineage,
    },
}

/// What to do with a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Verdict {
    /// Its history goes through the witness.
    Follow,
    /// The same, on a standby that was promoted and has lost nothing: record its lineage where the
    /// one before is still recorded, then follow.
    Promoted(Lineage),
    /// An operator recovered it since: start anew from it, without forgetting what is known here.
    LaterEpoch(u64),
    /// It has lost history: no grants, no verdicts, no answers.
    Quarantine(Loss),
}

/// What a log of this epoch has lost that is here at the witness's sequence number, or ends before it.
/// A later epoch has lost nothing: an operator decided what became of what was before.
pub fn loss(witness: Position, epoch: u64, here: Option<Position>) -> Option<Loss> {
    match here {
        // Whoever knows nothing can miss nothing.
        _ if epoch > witness.epoch || witness == Position::START => None,
        _ if epoch < witness.epoch => Some(Loss::EarlierEpoch(witness, epoch)),
        None => Some(Loss::Behind(witness)),
        Some(here) => (here != witness).then_some(Loss::Other(witness)),
    }
}

/// What a node knows of the log's history, whatever the database says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct History {
    /// Whose log is applied here. A peer may have told of a later one.
    epoch: u64,
    witness: Position,
    failover: Failover,
}

impl History {
    /// With the last entry of the journal.
    pub fn new(witness: Position, failover: Failover) -> Self {
        Self { epoch: witness.epoch, witness, failover }
    }

    /// The log that is applied here from now on is of this epoch: what [`Verdict::LaterEpoch`] asks for.
    #[must_use]
    pub fn begun(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }

    /// The entry that the database must have: what to look for.
    pub fn witness(&self) -> Position {
        self.witness
    }

    /// Takes in what was applied here, or what a peer has applied. Not what a verifier says: each of
    /// them is judged by itself, or any one could stop the authority.
    ///
    /// # Errors
    /// Two different entries under one number: one of the two followed another history.
    pub fn heard(&mut self, of: Position) -> Result<(), Loss> {
        let order = |at: &Position| (at.epoch, at.seq);
        if order(&of) == order(&self.witness) && of.entry != self.witness.entry {
            return Err(Loss::Other(self.witness));
        }
        if order(&of) > order(&self.witness) {
            self.witness = of;
        }
        Ok(())
    }

    /// What to do with a database that looks like this.
    pub fn judge(&self, look: &Look) -> Verdict {
        let Look { lineage, recorded, epoch, at_witness } = *look;
        if lineage != recorded && self.failover == Failover::MayLose
            || lineage.system != recorded.system
        {
            return Verdict::Quarantine(Loss::TakenOver { recorded, lineage });
        }
        if let Some(loss) = loss(self.witness, epoch, at_witness) {
            return Verdict::Quarantine(loss);
        }
        if epoch > self.epoch {
            return Verdict::LaterEpoch(epoch);
        }
        if lineage == recorded { Verdict::Follow } else { Verdict::Promoted(lineage) }
    }
}

#[cfg(test)]
mod tests {
    use nt_token::EntryId;

    use super::*;

    fn at(epoch: u64, seq: u64, id: u8) -> Position {
        Position { epoch, seq, entry: EntryId([id; 16]) }
    }

    const FIRST: Lineage = Lineage { system: 7, timeline: 1 };
    const SECOND: Lineage = Lineage { system: 7, timeline: 2 };

    fn look(epoch: u64, at_witness: Option<Position>) -> Look {
        Look { lineage: FIRST, recorded: FIRST, epoch, at_witness }
    }

    fn judge(failover: Failover, look: Look) -> Verdict {
        History::new(at(2, 9, 7), failover).judge(&look)
    }

    #[test]
    fn a_log_goes_through_a_witness_if_it_has_that_very_entry_or_was_recovered_since() {
        let witness = at(2, 9, 7);
        assert_eq!(loss(witness, 2, Some(witness)), None);
        assert_eq!(loss(witness, 2, None), Some(Loss::Behind(witness)));
        assert_eq!(loss(witness, 2, Some(at(2, 9, 8))), Some(Loss::Other(witness)));
        assert_eq!(loss(witness, 1, Some(witness)), Some(Loss::EarlierEpoch(witness, 1)));
        // What it kept of the epoch before may be another history than the witness's.
        assert_eq!(loss(witness, 3, Some(at(2, 9, 8))), None);
        assert_eq!(loss(witness, 3, None), None);
    }

    #[test]
    fn a_database_that_has_the_witness_is_followed_and_one_without_it_is_not() {
        let witness = at(2, 9, 7);
        let judge = |look| judge(Failover::Lossless, look);
        assert_eq!(judge(look(2, Some(witness))), Verdict::Follow);
        assert_eq!(judge(look(2, None)), Verdict::Quarantine(Loss::Behind(witness)));
        let other = at(2, 9, 8);
        assert_eq!(judge(look(2, Some(other))), Verdict::Quarantine(Loss::Other(witness)));
        // A number is no identity, and the epoch of an entry is no proof of the log's own.
        let earlier = Loss::EarlierEpoch(witness, 1);
        assert_eq!(judge(look(1, Some(witness))), Verdict::Quarantine(earlier));
    }

    #[test]
    fn a_later_epoch_is_taken_whatever_is_at_the_witness() {
        for here in [None, Some(at(2, 9, 7)), Some(at(1, 9, 3))] {
            assert_eq!(judge(Failover::MayLose, look(3, here)), Verdict::LaterEpoch(3));
        }
    }

    #[test]
    fn a_promoted_standby_is_followed_only_where_promotions_lose_nothing() {
        let promoted = Look { lineage: SECOND, ..look(2, Some(at(2, 9, 7))) };
        assert_eq!(judge(Failover::Lossless, promoted), Verdict::Promoted(SECOND));
        let taken = Verdict::Quarantine(Loss::TakenOver { recorded: FIRST, lineage: SECOND });
        assert_eq!(judge(Failover::MayLose, promoted), taken);
        let behind = Verdict::Quarantine(Loss::Behind(at(2, 9, 7)));
        assert_eq!(judge(Failover::Lossless, Look { at_witness: None, ..promoted }), behind);
        // Also one of a later epoch: it was recovered, and replaced after that.
        assert_eq!(judge(Failover::MayLose, Look { epoch: 3, ..promoted }), taken);
    }

    #[test]
    fn another_system_is_never_a_promotion() {
        let lineage = Lineage { system: 8, timeline: 1 };
        let moved = Look { lineage, ..look(2, Some(at(2, 9, 7))) };
        let taken = Verdict::Quarantine(Loss::TakenOver { recorded: FIRST, lineage });
        assert_eq!(judge(Failover::Lossless, moved), taken);
    }

    #[test]
    fn a_peer_that_is_in_a_later_epoch_does_not_hide_that_this_node_is_not() {
        let mut history = History::new(at(2, 9, 7), Failover::Lossless);
        let told = at(3, 99, 1);
        assert_eq!(history.heard(told), Ok(()));
        assert_eq!(history.judge(&look(3, Some(told))), Verdict::LaterEpoch(3));
        assert_eq!(history.judge(&look(3, None)), Verdict::Quarantine(Loss::Behind(told)));
        assert_eq!(history.begun(3).judge(&look(3, Some(told))), Verdict::Follow);
    }

    #[test]
    fn the_highest_witness_counts_and_two_entries_under_one_number_are_a_loss() {
        let mut history = History::new(at(2, 9, 7), Failover::Lossless);
        assert_eq!(history.heard(at(2, 8, 1)), Ok(()));
        assert_eq!(history.heard(at(1, 99, 1)), Ok(()));
        assert_eq!(history.witness(), at(2, 9, 7));
        assert_eq!(history.heard(at(2, 9, 8)), Err(Loss::Other(at(2, 9, 7))));
        assert_eq!(history.heard(at(2, 10, 8)), Ok(()));
        assert_eq!(history.witness(), at(2, 10, 8));
    }
}
