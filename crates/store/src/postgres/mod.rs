//! The store on PostgreSQL: several nodes, one database.
//!
//! ```text
//! steps ──────▶ writer ──commit──▶ tail ──▶ follower
//!                 │                 ▲ └──▶ scribe: journal, fsync ──▶ answers
//! questions ──▶ readers             │
//! renewals ───▶ leases            poller, hints of other nodes
//! ```
//!
//! Each box is a thread with a connection of its own, to the primary and to nothing else. What is not
//! here: the steps themselves, which are in `sql`.

mod append;
mod batch;
mod begin;
mod fault;
mod gate;
mod health;
mod history;
mod known;
mod lease;
pub(crate) mod link;
mod migrate;
mod moving;
mod notify;
mod open;
mod options;
mod poll;
mod reader;
mod recover;
mod revoke;
mod scribe;
mod session;
mod tail;
mod tls;
mod unknown;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nt_revocation::{Entry, Position};
use tokio::sync::{Notify, mpsc, oneshot, watch};

pub use self::gate::Concern;
pub use self::health::Condition;
use self::health::Health;
use self::known::Known;
use self::lease::{Asked, Leases};
use self::link::Link;
use self::notify::{Notifier, Nudge};
use self::open::Opened;
pub use self::options::{Gate, Pooling, PostgresOptions, WakeUps};
use self::poll::Poller;
use self::reader::Reader;
use self::scribe::Scribe;
use self::tail::Tail;
use self::writer::Writer;
use crate::error::StoreError;
use crate::node::{Renewal, Renewed};
use crate::sql::engine::{Door, Engine, Queues};
use crate::store::{Follower, Sharing};
use crate::threads::{Threads, spawn};

/// A store on PostgreSQL.
pub struct PostgresStore {
    door: Door,
    leases: Mutex<Option<mpsc::Sender<Asked>>>,
    tail: Arc<Tail>,
    health: Arc<Health>,
    ended: Arc<AtomicBool>,
    began: Position,
    threads: Mutex<Threads>,
    scribe: Mutex<Threads>,
}

impl PostgresStore {
    /// Opens the database, and creates its tables at the first start. The follower is told of each
    /// entry after [`PostgresStore::began_at`], whoever appends it, once and in order; the older ones
    /// are read with [`entries_after`](crate::Store::entries_after).
    ///
    /// A database is refused that may lose what it acknowledges, or that is behind or other than what
    /// this node's journal says.
    pub fn open(options: PostgresOptions, follower: Follower) -> Result<Self, StoreError> {
        // On a thread of its own: the caller's may belong to a runtime, which must not be blocked by
        // another one.
        on_a_thread(move || Self::start(&Arc::new(options), follower))
    }

    /// What is to be said about a database before it is used.
    pub fn concerns(options: PostgresOptions) -> Result<Vec<Concern>, StoreError> {
        on_a_thread(move || {
            let mut link = Link::new(Arc::new(options))?;
            link.connect()?;
            gate::concerns(&link)
        })
    }

    /// Up to where the log was there when the store was opened.
    pub fn began_at(&self) -> Position {
        self.began
    }

    /// Up to where the follower was told.
    pub fn followed_to(&self) -> Position {
        self.tail.applied()
    }

    /// How the store is, now and later.
    pub fn condition(&self) -> watch::Receiver<Condition> {
        self.health.watch()
    }

    /// Takes note of what another node says it has committed. What does not follow on what is known
    /// is passed over, and the database looked at soon.
    pub fn hint(&self, epoch: u64, entries: Vec<Entry>) {
        if self.health.check().is_ok() && self.tail.applied().epoch == epoch {
            self.tail.offer(entries);
        } else {
            self.tail.wake();
        }
    }

    /// Has the database looked at soon.
    pub fn wake(&self) {
        self.tail.wake();
    }

    fn start(options: &Arc<PostgresOptions>, follower: Follower) -> Result<Self, StoreError> {
        let Opened { link, last, journal, head } = open::open(options)?;
        let health = Arc::new(Health::new());
        let woken = Arc::<Notify>::default();
        let ended = Arc::<AtomicBool>::default();
        let (lines, written) = sync_channel(scribe::QUEUE);
        let tail = Arc::new(Tail::new(head, follower, lines.clone(), Arc::clone(&woken)));
        let known = Arc::new(Known::new(last, Arc::clone(&tail)));
        let (steps, queue) = mpsc::channel(writer::QUEUE);
        let (questions, asked) = mpsc::channel(reader::QUEUE);
        let (leases, renewals) = mpsc::channel(lease::QUEUE);
        let link_to = || Link::new(Arc::clone(options));
        let (notifier, nudge) = match options.wake_ups {
            WakeUps::Notify => {
                let (notifier, nudge) = Notifier::new(link_to()?);
                (Some(notifier), nudge)
            }
            WakeUps::Off => (None, Nudge::off()),
        };
        let store = Self {
            door: Door::new(Queues { steps, questions }),
            leases: Mutex::new(Some(leases)),
            tail: Arc::clone(&tail),
            health: Arc::clone(&health),
            ended: Arc::clone(&ended),
            began: head,
            threads: Mutex::default(),
            scribe: Mutex::default(),
        };
        let writer = Writer {
            link,
            known: Arc::clone(&known),
            queue,
            tail: Arc::clone(&tail),
            journal: lines,
            health: Arc::clone(&health),
            nudge,
        };
        // The writer is made first: where a later thread cannot be had, the store that is dropped ends
        // when nobody holds the journal's queue any more.
        let scribe = Scribe { journal, lines: written, health: Arc::clone(&health) };
        store.keep_scribe(spawn("store-journal", move || scribe.run())?);
        store.keep(spawn("store-writer", move || writer.run())?);
        if let Some(notifier) = notifier {
            store.keep(spawn("store-notify", move || notifier.run())?);
        }
        let poller = Poller {
            link: link_to()?.listening(Arc::clone(&woken)),
            known: Arc::clone(&known),
            tail,
            health: Arc::clone(&health),
            woken,
            ended,
            options: Arc::clone(options),
        };
        store.keep(spawn("store-poller", move || poller.run())?);
        let leases = Leases {
            link: link_to()?,
            known: Arc::clone(&known),
            health: Arc::clone(&health),
            queue: renewals,
        };
        store.keep(spawn("store-leases", move || leases.run())?);
        let asked = Arc::new(tokio::sync::Mutex::new(asked));
        for _ in 0..reader::READERS {
            let reader = Reader {
                link: link_to()?,
                known: Arc::clone(&known),
                queue: Arc::clone(&asked),
                health: Arc::clone(&health),
            };
            store.keep(spawn("store-reader", move || reader.run())?);
        }
        Ok(store)
    }

    fn keep(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    fn keep_scribe(&self, thread: JoinHandle<()>) {
        self.scribe.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Lets no one in any more; the threads end once they have done what they accepted, the journal's
    /// after all others.
    fn stop_accepting(&self) -> impl FnOnce() + Send + use<> {
        self.door.close();
        drop(self.leases.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.ended.store(true, Ordering::SeqCst);
        self.tail.wake();
        let take = |threads: &Mutex<Threads>| {
            std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let (threads, scribe) = (take(&self.threads), take(&self.scribe));
        let tail = Arc::clone(&self.tail);
        move || {
            threads.join();
            tail.close();
            scribe.join();
        }
    }
}

/// A store that was not closed finishes what it accepted all the same.
impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.stop_accepting()();
    }
}

impl Engine for PostgresStore {
    /// Each node has a store of its own on the one database.
    const SHARING: Sharing = Sharing::WithOthers;

    fn queues(&self) -> Result<Queues, StoreError> {
        self.health.check()?;
        self.door.enter()
    }

    fn recovered(&self) -> Option<Position> {
        self.health.recovered()
    }

    async fn renew(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        self.health.check()?;
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (caller, answer) = oneshot::channel();
        let leases = leases.ok_or(StoreError::Stopped)?;
        leases.send((renewal, caller)).await.map_err(|_| StoreError::Stopped)?;
        answer.await.map_err(|_| StoreError::Stopped)?
    }

    async fn finish(&self) {
        let join = self.stop_accepting();
        if let Err(error) = tokio::task::spawn_blocking(join).await {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

fn on_a_thread<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn("store-open", run)?.join().unwrap_or(Err(StoreError::Stopped))
}
