//! What is on a server's disk: the log, and the rows beside it.

use nt_revocation::Position;
use nt_revocation::protocol::{Change, Incarnation, Lineage, Membership, Mono, Rules};

use super::known::{Fact, Row, behind};

/// What is on a server's disk, and visible.
#[derive(Clone)]
pub(super) struct Contents {
    pub(super) log: Vec<Row>,
    pub(super) epoch: u64,
    pub(super) recorded: Lineage,
    /// The incarnation of each node whose renewals it accepts.
    pub(super) active: Vec<Option<Incarnation>>,
}

/// A write, as a standby gets it.
#[derive(Clone, Copy)]
pub(super) enum Write {
    Row(Row),
    Record(Lineage),
    Active(usize, Option<Incarnation>),
    /// A row that is only rewritten, as a renewal does.
    Nothing,
}

impl Contents {
    pub(super) fn head(&self) -> Position {
        self.log.last().map_or(Position::START, |row| row.at)
    }

    pub(super) fn write(&mut self, write: Write) {
        match write {
            Write::Row(row) => self.log.insert(behind(&self.log, row.at.seq), row),
            Write::Record(lineage) => self.recorded = lineage,
            Write::Active(node, incarnation) => self.active[node] = incarnation,
            Write::Nothing => {}
        }
    }

    /// The members, by the log.
    pub(super) fn members<R: Rules>(&self) -> Membership<R> {
        let mut members = Membership::new();
        for row in &self.log {
            let change = row.fact.change();
            members.apply(row.at.seq, Mono(0), change);
        }
        members
    }
}

impl Fact {
    pub(super) fn change(self) -> Option<Change> {
        match self {
            Self::Membership(change) => Some(change),
            Self::Revoked(_) | Self::RevokedBefore(_) | Self::EpochBegan { .. } => None,
        }
    }
}
