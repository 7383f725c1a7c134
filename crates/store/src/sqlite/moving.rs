//! Moving an authority to and from SQLite, and recovering one whose database lost a part of its log.
//! Nobody else may have the database open meanwhile.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use nt_revocation::Position;
use nt_token::EntryId;
use rusqlite::{Connection, TransactionBehavior};

use super::{SqliteOptions, confirm, connection, exists, first_witness};
use crate::error::StoreError;
use crate::high_water::{self, HighWater};
use crate::moving::{ExportKind, ImportError, Moved, export, import};
use crate::recovery::{Recovered, Recovery};
use crate::sql::recovery::recover;
use crate::sql::{Db, log};

impl SqliteOptions {
    /// Writes everything to a file.
    pub fn export(&self, kind: ExportKind, to: &mut dyn Write) -> Result<Moved, StoreError> {
        // Held until the end: the authority does not run meanwhile.
        let witness = HighWater::open(&self.high_water)?;
        let mut db = self.existing()?;
        connection::migrate(&mut db)?;
        let _held = match witness {
            Some(witness) => confirm(&db, witness)?,
            None => first_witness(&db, &self.high_water)?,
        };
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        export(Db::Sqlite(&transaction), kind, to)
    }

    /// Where the log ends, and how far this authority has answered for it, if that is known. Changes
    /// nothing.
    pub fn look(&self) -> Result<(Position, Option<Position>), StoreError> {
        let witness = HighWater::open(&self.high_water)?;
        let db = self.existing()?;
        Ok((log::head(Db::Sqlite(&db))?, witness.as_ref().map(HighWater::position)))
    }

    /// Begins a new epoch behind what the database has kept.
    pub fn recover(&self, recovery: &Recovery) -> Result<Recovered, StoreError> {
        let witness = HighWater::open(&self.high_water)?;
        let mut db = self.existing()?;
        connection::migrate(&mut db)?;
        let mut recovery = recovery.clone();
        recovery.seen.extend(witness.as_ref().map(HighWater::position));
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let recovered = recover(Db::Sqlite(&transaction), &recovery)?;
        transaction.commit()?;
        match witness {
            Some(mut witness) => witness.advance(recovered.to).map_err(|source| {
                StoreError::File { what: "writing the high-water file", source }
            })?,
            None => drop(HighWater::create(&self.high_water, recovered.to)?),
        }
        Ok(recovered)
    }

    fn existing(&self) -> Result<Connection, StoreError> {
        if !exists(&self.database)? {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(StoreError::File { what: "opening the database", source });
        }
        let db = connection::open(&self.database)?;
        connection::probe(&db)?;
        Ok(db)
    }

    /// Reads everything from a file, into a database that is not there yet.
    pub fn import(&self, from: &mut dyn BufRead) -> Result<Moved, ImportError> {
        if exists(&self.database)? || HighWater::open(&self.high_water)?.is_some() {
            return Err(ImportError::NotEmpty);
        }
        // Under another name until it is whole: an import that was cut short is no database.
        let mut draft = self.database.clone().into_os_string();
        draft.push(".importing");
        let draft = PathBuf::from(draft);
        remove(&draft)?;
        let moved = read_into(&draft, from).inspect_err(|_| {
            if let Err(error) = remove(&draft) {
                tracing::warn!(%error, "what was imported so far cannot be removed");
            }
        })?;
        HighWater::create(&self.high_water, witness_of(&moved))?;
        std::fs::rename(&draft, &self.database)?;
        high_water::sync_directory(&self.database)?;
        Ok(moved)
    }
}

/// Of a copy nobody knows what came after it: it is not started from before it was recovered, because its
/// witness has seen more than there is.
fn witness_of(moved: &Moved) -> Position {
    match moved.kind {
        ExportKind::Move => moved.head,
        ExportKind::Copy => {
            Position { seq: moved.head.seq + 1, entry: EntryId([0xff; 16]), ..moved.head }
        }
    }
}

fn read_into(draft: &Path, from: &mut dyn BufRead) -> Result<Moved, ImportError> {
    const MERGE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
    high_water::create_private(draft)?;
    let mut db = connection::open(draft)?;
    connection::migrate(&mut db)?;
    let behaviour = TransactionBehavior::Immediate;
    let transaction = db.transaction_with_behavior(behaviour).map_err(StoreError::from)?;
    let moved = import(Db::Sqlite(&transaction), from)?;
    transaction.commit().map_err(StoreError::from)?;
    // So that the file alone is the database.
    db.query_row(MERGE, [], |_| Ok(())).map_err(StoreError::from)?;
    Ok(moved)
}

/// Removes a draft and what SQLite keeps beside it: a log that was left would be read into the next.
fn remove(draft: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = draft.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
