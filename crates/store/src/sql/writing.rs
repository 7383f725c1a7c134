//! What the steps of one transaction write with.
//!
//! Entries of the log and audit records are numbered and kept here while the steps run, and written
//! when all have run: a batch of a hundred steps raises the log's head once.

use nt_revocation::{Entry, Position};

use super::audit::Record;
use super::db::Db;
use super::{audit, log};
use crate::error::StoreError;

/// A transaction of the one writer.
pub(crate) struct Writing<'a> {
    /// The database, inside the transaction.
    pub(super) db: Db<'a>,
    /// Where the log ends, with what these steps have appended.
    pub(super) head: Position,
    /// What these steps have appended to the log so far.
    pub(super) appended: Vec<Entry>,
    /// What they have left for the audit log.
    pub(super) records: Vec<Record>,
    /// Where the log ended when the transaction began.
    began: Position,
}

/// How far a transaction was before a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    appended: usize,
    records: usize,
}

impl<'a> Writing<'a> {
    /// A transaction that has just begun, and found the log ending here.
    pub(crate) fn new(db: Db<'a>, head: Position) -> Self {
        Self { db, head, appended: Vec::new(), records: Vec::new(), began: head }
    }

    /// Where the transaction is.
    pub(crate) fn mark(&self) -> Mark {
        Mark { appended: self.appended.len(), records: self.records.len() }
    }

    /// Takes back what was kept here since: what the database was told is rolled back elsewhere.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.appended.truncate(mark.appended);
        self.records.truncate(mark.records);
        let last = self.appended.last();
        self.head = last.map_or(self.began, |last| Position {
            epoch: self.began.epoch,
            seq: last.seq,
            entry: last.id,
        });
    }

    /// What was kept here, to be written otherwise.
    pub(crate) fn into_parts(self) -> (Vec<Entry>, Vec<Record>) {
        (self.appended, self.records)
    }

    /// Where the log ended when the transaction began, and ends now.
    pub(crate) fn span(&self) -> (Position, Position) {
        (self.began, self.head)
    }

    /// Writes what was kept here; then the transaction can be committed.
    pub(crate) fn finish(self) -> Result<Vec<Entry>, StoreError> {
        log::write(self.db, &self.appended)?;
        audit::write(self.db, &self.records)?;
        Ok(self.appended)
    }
}
