//! The store on SQLite: one process, one writing thread, a few reading ones.
//!
//! Here is opening and closing; what each step does stands in `sql`, and what makes it durable in
//! [`writer`].

mod checkpoint;
mod connection;
mod health;
#[cfg(test)]
mod leap;
mod moving;
#[cfg(test)]
mod plan;
mod reader;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nt_revocation::Position;
use rusqlite::Connection;
use tokio::sync::mpsc;

use self::checkpoint::Checkpoints;
use self::health::Health;
use self::reader::Reader;
use self::writer::{Closing, Writer};
use crate::error::StoreError;
use crate::high_water::{self, HighWater};
use crate::sql::engine::{Door, Engine, Queues};
use crate::sql::log::InWords as _;
use crate::sql::{Db, log};
use crate::store::{Follower, Sharing};
use crate::threads::{join, spawn};

/// Where a SQLite store keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The database. Beside it SQLite keeps two files of its own, `-wal` and `-shm`.
    pub database: PathBuf,
    /// The high-water file: the witness that tells when an older copy of the database was put back.
    /// It must not be part of a backup that is restored with the database.
    pub high_water: PathBuf,
}

/// A store on SQLite.
pub struct SqliteStore {
    door: Door,
    threads: Mutex<Threads>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<Closing>>,
    others: Vec<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the database, and creates it at the first start. The follower is told of each entry that
    /// is committed from now on; the older ones are read with
    /// [`entries_after`](crate::Store::entries_after).
    ///
    /// A database that is behind, or other, than what this authority has answered for is refused.
    pub fn open(options: SqliteOptions, follower: Follower) -> Result<Self, StoreError> {
        let SqliteOptions { database, high_water } = options;
        let witness = HighWater::open(&high_water)?;
        let is_new = !exists(&database)?;
        if let Some(witness) = witness.as_ref().filter(|found| is_new && found.position().seq > 0) {
            return Err(lost("no position: there is no database", witness.position()));
        }
        if is_new {
            high_water::create_private(&database)
                .and_then(|file| file.sync_all())
                .and_then(|()| high_water::sync_directory(&database))
                .map_err(|source| StoreError::File { what: "creating the database", source })?;
        }
        let mut db = connection::open(&database)?;
        connection::probe(&db)?;
        connection::migrate(&mut db)?;
        let high_water = match witness {
            Some(witness) => confirm(&db, witness)?,
            None => first_witness(&db, &high_water)?,
        };
        Self::start(&database, db, high_water, follower)
    }

    fn start(
        path: &Path,
        db: Connection,
        high_water: HighWater,
        follower: Follower,
    ) -> Result<Self, StoreError> {
        let health = Arc::<Health>::default();
        let (steps, queue) = mpsc::channel(writer::QUEUE);
        let (questions, reader_queue) = mpsc::channel(reader::QUEUE);
        let reader_queue = Arc::new(Mutex::new(reader_queue));
        let (checkpoints, nudge) = Checkpoints::new(connection::open(path)?, Arc::clone(&health));
        let epoch = high_water.position().epoch;
        let writer = Writer {
            db,
            epoch,
            queue,
            follower,
            high_water,
            health: Arc::clone(&health),
            checkpoints: nudge,
        };
        let readers = (0..reader::READERS)
            .map(|_| Reader::open(path, Arc::clone(&reader_queue), Arc::clone(&health)))
            .collect::<Result<Vec<_>, _>>()?;
        let store = Self {
            door: Door::new(Queues { steps, questions }),
            threads: Mutex::default(),
            health,
        };
        // The writer first: where a later thread cannot be had, the store that is dropped ends the
        // writer, and the writer's end ends the checkpoints.
        store.threads().writer = Some(spawn("store-writer", move || writer.run())?);
        let checkpoints = spawn("store-checkpoint", move || checkpoints.run())?;
        store.threads().others.push(checkpoints);
        for reader in readers {
            let reader = spawn("store-reader", move || reader.run())?;
            store.threads().others.push(reader);
        }
        Ok(store)
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets no one in any more; the threads end once they have done what they accepted.
    fn stop_accepting(&self) -> Threads {
        self.door.close();
        std::mem::take(&mut *self.threads())
    }
}

impl Engine for SqliteStore {
    /// One process has the database: the file is locked.
    const SHARING: Sharing = Sharing::Alone;

    fn queues(&self) -> Result<Queues, StoreError> {
        self.health.check()?;
        self.door.enter()
    }

    async fn finish(&self) {
        let threads = self.stop_accepting();
        let joined = tokio::task::spawn_blocking(move || threads.join()).await;
        if let Err(error) = joined {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

/// A store that was not closed finishes what it accepted all the same: its files are free for
/// whoever opens them next.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop_accepting().join();
    }
}

impl Threads {
    fn join(self) {
        let here = std::thread::current().id();
        if self.writer.as_ref().is_some_and(|writer| writer.thread().id() == here) {
            // The follower was the last to hold the store. The writer cannot wait for itself: it
            // ends when it has nothing left to do, and the others after it.
            return;
        }
        let closing = self.writer.and_then(join);
        for thread in self.others {
            join(thread);
        }
        if let Some(closing) = closing {
            closing.finish();
        }
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists()
        .map_err(|source| StoreError::File { what: "looking for the database", source })
}

/// Compares the database with the witness. One that is ahead is right: a crash came between the
/// commit and the witness, and no one was answered.
fn confirm(db: &Connection, mut witness: HighWater) -> Result<HighWater, StoreError> {
    let (head, seen) = (log::head(Db::Sqlite(db))?, witness.position());
    let same_entry = || {
        Ok::<_, StoreError>(
            seen.seq == 0 || log::entry_at(Db::Sqlite(db), seen.seq)? == Some(seen.entry),
        )
    };
    if head.epoch != seen.epoch || head.seq < seen.seq || !same_entry()? {
        return Err(lost(&head.in_words(), seen));
    }
    if head != seen {
        witness
            .advance(head)
            .map_err(|source| StoreError::File { what: "writing the high-water file", source })?;
    }
    Ok(witness)
}

/// Only an authority that has not answered for anything yet can be without a witness.
fn first_witness(db: &Connection, path: &Path) -> Result<HighWater, StoreError> {
    let head = log::head(Db::Sqlite(db))?;
    if head.seq > 0 {
        let witness = format!("unknown (the high-water file {} is missing)", path.display());
        return Err(StoreError::HistoryLost { database: head.in_words(), witness });
    }
    HighWater::create(path, head)
}

fn lost(database: &str, witness: Position) -> StoreError {
    StoreError::HistoryLost { database: database.to_owned(), witness: witness.in_words() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use nt_revocation::Fact;
    use nt_token::EntryId;

    use super::*;
    use crate::store::Store as _;

    fn fact(number: u8) -> Vec<(EntryId, Fact)> {
        vec![(EntryId([number; 16]), Fact::KeyRevoked { kid: "kid".parse().expect("a kid") })]
    }

    #[tokio::test]
    async fn a_store_whose_witness_cannot_be_written_never_says_yes_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("db");
        let witness = directory.path().join("high-water");
        drop(high_water::create_private(&database).expect("created"));
        let mut db = connection::open(&database).expect("opens");
        connection::migrate(&mut db).expect("migrates");
        let broken = first_witness(&db, &witness).expect("created").read_only(&witness);
        let told = Arc::<AtomicU64>::default();
        let seen = Arc::clone(&told);
        let follower: Follower = Box::new(move |entries| {
            seen.store(entries.last().expect("entries").seq, Ordering::SeqCst);
        });
        let store = SqliteStore::start(&database, db, broken, follower).expect("starts");

        assert!(store.found("https://a.example").await.is_ok(), "appends nothing");
        assert!(matches!(store.append(fact(1)).await, Err(StoreError::Stopped)));
        assert_eq!(told.load(Ordering::SeqCst), 1, "the commit had succeeded");
        assert!(matches!(store.append(fact(2)).await, Err(StoreError::Stopped)));
        assert!(matches!(store.found("https://a.example").await, Err(StoreError::Stopped)));
        assert!(matches!(store.head().await, Err(StoreError::Stopped)));
        assert_eq!(told.load(Ordering::SeqCst), 1);
        drop(store);

        let options = SqliteOptions { database, high_water: witness };
        let store = SqliteStore::open(options, Box::new(|_| ())).expect("a new start reads anew");
        assert_eq!(store.head().await.expect("answers").seq, 1);
    }

    #[tokio::test]
    async fn a_step_that_panics_stops_the_store_and_commits_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = SqliteOptions {
            database: directory.path().join("db"),
            high_water: directory.path().join("high-water"),
        };
        let store = SqliteStore::open(options.clone(), Box::new(|_| ())).expect("opens");
        let answer = store
            .write(|writing| -> Result<(), StoreError> {
                writing.append_all(&fact(1))?;
                panic!("a defect in a step");
            })
            .await;
        assert!(matches!(answer, Err(StoreError::Stopped)));
        assert!(matches!(store.append(fact(2)).await, Err(StoreError::Stopped)));
        drop(store);
        let store = SqliteStore::open(options, Box::new(|_| ())).expect("opens");
        assert_eq!(store.head().await.expect("answers").seq, 0);
    }
}
