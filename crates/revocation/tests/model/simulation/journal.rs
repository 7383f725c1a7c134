//! A node's journal: what it applied, on its own disk. A write is not on the disk before it is synced.

use std::collections::BTreeSet;

use nt_revocation::Position;
use nt_token::EntryId;

use super::known::Row;

#[derive(Default)]
pub(super) struct Journal {
    pub(super) rows: Vec<Row>,
    has: BTreeSet<EntryId>,
    synced: usize,
    /// What was here before is lost with its disk.
    pub(super) incomplete: bool,
}

impl Journal {
    pub(super) fn push(&mut self, row: Row) {
        if self.has.insert(row.at.entry) {
            self.rows.push(row);
        }
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.rows.len();
    }

    /// The machine stops: what was not synced is gone.
    pub(super) fn crash(&mut self) {
        for row in self.rows.drain(self.synced..) {
            self.has.remove(&row.at.entry);
        }
    }

    /// The disk is replaced.
    pub(super) fn wipe(&mut self) {
        *self = Self { incomplete: true, ..Self::default() };
    }

    /// The highest position that a crash leaves.
    pub(super) fn witness(&self) -> Position {
        let synced = self.rows[..self.synced].iter().map(|row| row.at);
        synced.max_by_key(|at| (at.epoch, at.seq)).unwrap_or(Position::START)
    }

    /// Whether this entry is here, whatever happens.
    pub(super) fn keeps(&self, seq: u64) -> bool {
        self.rows[..self.synced].iter().rev().any(|row| row.at.seq == seq)
    }
}
