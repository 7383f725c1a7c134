//! Moving an authority to and from PostgreSQL.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use super::known::{commit, lock_meta, undo};
use super::link::Link;
use super::options::PostgresOptions;
use super::{gate, migrate};
use crate::error::StoreError;
use crate::journal::Journal;
use crate::moving::{ExportKind, ImportError, Moved, export, import};
use crate::sql::{Db, node};

/// How long a page of a large table, or a row of one, may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// One moment, however long it takes to tell of it.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// The file may be slow to come.
const AT_LEISURE: &str = "SET LOCAL idle_in_transaction_session_timeout = 0";

const DOUBT: &str = "UPDATE meta SET doubt = ?1 WHERE one = 1";

/// Why nobody may rely on what was read from a copy.
const COPY: &str = "it was imported from a copy, which may lack what came after it";

impl PostgresOptions {
    /// A connection to a database of this version's schema, which the gate lets through.
    pub(super) fn link(&self, patience: Duration) -> Result<Link, StoreError> {
        let mut link = Link::new(Arc::new(self.clone()))?.patient(patience);
        link.connect()?;
        gate::pass(&link, self.gate)?;
        migrate::migrate(&link)?;
        Ok(link)
    }

    /// Writes everything to a file, as it is at one moment. Nodes may run meanwhile, but not where the
    /// authority is to go on elsewhere. Not to be called where a runtime runs.
    pub fn export(&self, kind: ExportKind, to: &mut dyn Write) -> Result<Moved, StoreError> {
        let link = self.link(PATIENCE)?;
        link.batch(SNAPSHOT)?;
        let db = Db::Postgres(&link);
        if kind == ExportKind::Move && !node::list(db)?.is_empty() {
            return Err(StoreError::InUse);
        }
        export(db, kind, to)
    }

    /// Reads everything from a file, into a database that is empty, in one transaction. Not to be
    /// called where a runtime runs.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<Moved, ImportError> {
        // A journal is a node's: where none was here yet, none is made.
        if self.journal.is_dir() && Journal::open(&self.journal)?.last().is_some() {
            return Err(ImportError::NotEmpty);
        }
        let link = self.link(PATIENCE)?;
        lock_meta(&link)?;
        let moved = link
            .batch(AT_LEISURE)
            .map_err(ImportError::from)
            .and_then(|()| import(Db::Postgres(&link), from))
            .and_then(|moved| {
                // Of a copy nobody knows what came after it.
                if moved.kind == ExportKind::Copy {
                    link.change(DOUBT, &[&COPY])?;
                }
                Ok(moved)
            })
            .inspect_err(|_| undo(&link))?;
        commit(&link)?;
        Ok(moved)
    }
}
