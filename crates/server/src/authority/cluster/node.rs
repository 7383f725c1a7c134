//! This process as one of several nodes: what it does all the time, and how it ends.

mod care;
mod hears;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use nt_feed::server::Feed;
use nt_revocation::Entry;
use nt_revocation::protocol::time::kappa;
use nt_revocation::protocol::{Lengths, Member};
use nt_store::{End, KnownNode, Store, StoreError};
use nt_token::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::hears::Hears;
use super::everywhere::Everywhere;
use super::identity::Identity;
use super::join::{JoinError, Joining, answer_within};
use super::lease::{Health, Lease, Lost};
use super::peers::{Dialling, PeerKey, Peers};
use crate::authority::doubt::Doubt;
use crate::authority::entropy::entry_id;
use crate::authority::feed::FeedSource;
use crate::authority::follow::Parts;

/// What becomes of entries that another node tells of: the store may know them already.
pub type Hint = Box<dyn Fn(u64, Vec<Entry>) + Send + Sync>;

/// Says when the database cannot be relied on any more, and why.
pub type Doubted = Pin<Box<dyn Future<Output = String> + Send>>;

/// With what a process takes part as a node.
pub struct Takes {
    /// Which node it is, and which of its lives begins.
    pub identity: Identity,
    /// Where other nodes reach it.
    pub address: String,
    /// What the nodes know each other by.
    pub key: PeerKey,
    /// Certificates (PEM) by which the other nodes' are checked, in place of the system's.
    pub ca: Option<String>,
    /// Where entries go that another node tells of, with the epoch that they are of.
    pub hint: Hint,
    /// Says when the database cannot be relied on any more.
    pub doubted: Doubted,
}

/// Why this process has to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Another process runs as this node.
    Copied,
    /// Only a process that starts anew can go on: the database was recovered.
    Anew,
}

/// The node.
pub struct Node {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    feed: Feed<FeedSource>,
    everywhere: Arc<Everywhere>,
    doubt: Arc<Doubt>,
    identity: Mutex<Identity>,
    address: String,
    epoch: u64,
    peers: Arc<Peers>,
    health: Arc<Health>,
    nodes: watch::Sender<Vec<KnownNode>>,
    leaving: watch::Sender<bool>,
    ending: watch::Sender<Option<Ending>>,
}

/// What a node does, for as long as this lives.
pub struct Running {
    /// The node.
    pub node: Arc<Node>,
    tasks: Mutex<JoinSet<()>>,
}

impl Node {
    /// Joins, and begins to do what a node does. Everything that the store has committed is told to
    /// `parts` from before on.
    pub(in crate::authority) async fn start(
        takes: Takes,
        parts: &Arc<Parts>,
        everywhere: &Arc<Everywhere>,
        feed: &Feed<FeedSource>,
        store: &Arc<dyn Store>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Running, JoinError> {
        let Takes { identity, address, key, ca, hint, doubted } = takes;
        let epoch = parts.set.position().epoch;
        let heard = Box::new(Hears {
            parts: Arc::downgrade(parts),
            everywhere: Arc::clone(everywhere),
            epoch,
            hint,
        });
        let peers = Peers::new(identity.member, epoch, key, feed.complete(), heard);
        let node = Arc::new(Self {
            store: Arc::clone(store),
            clock: Arc::clone(clock),
            feed: feed.clone(),
            everywhere: Arc::clone(everywhere),
            doubt: Arc::clone(&parts.doubt),
            identity: Mutex::new(identity),
            address,
            epoch,
            peers: Arc::clone(&peers),
            health: Arc::default(),
            nodes: watch::Sender::new(Vec::new()),
            leaving: watch::Sender::new(false),
            ending: watch::Sender::new(None),
        });
        node.joining(identity).join().await?;
        parts.peers.get_or_init(|| Arc::clone(&peers));
        let dialling = Dialling::new(peers, node.nodes.subscribe(), ca);
        let mut tasks = JoinSet::new();
        let of = || Arc::clone(&node);
        let (timing, reporting, living, watching, doubting) = (of(), of(), of(), of(), of());
        tasks.spawn(async move { timing.everywhere.keep_time().await });
        tasks.spawn(async move { reporting.report().await });
        tasks.spawn(async move { living.live().await });
        tasks.spawn(async move { watching.watch().await });
        tasks.spawn(async move { doubting.mind_doubt().await });
        tasks.spawn(dialling.run());
        let (doubt, why) = (Arc::clone(&parts.doubt), doubted);
        tasks.spawn(async move { doubt.begin(format!("the database is in doubt: {}", why.await)) });
        Ok(Running { node, tasks: Mutex::new(tasks) })
    }

    /// What is in force at all nodes.
    pub fn everywhere(&self) -> &Arc<Everywhere> {
        &self.everywhere
    }

    /// The other nodes.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// The nodes, as the database last listed them.
    pub fn nodes(&self) -> Vec<KnownNode> {
        self.nodes.borrow().clone()
    }

    /// Which node this is, and which of its lives.
    pub fn me(&self) -> Member {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).member
    }

    /// Waits until this process has to end, and says why.
    pub async fn has_to_end(&self) -> Ending {
        let mut ending = self.ending.subscribe();
        match ending.wait_for(Option::is_some).await.map(|ending| ending.clone()) {
            Ok(Some(ending)) => ending,
            _ => std::future::pending().await,
        }
    }

    /// Why this node says nothing now, for people.
    pub fn not_serving(&self) -> Option<String> {
        if *self.leaving.borrow() {
            return Some("this node is about to end".to_owned());
        }
        if self.feed.serves() {
            return None;
        }
        Some(self.health.failing().map_or_else(
            || "this node has no lease from the database yet".to_owned(),
            // The database's own words stay in the log.
            |(since, _)| {
                let seconds = since.elapsed().as_secs();
                format!("the database gives no answer since {seconds} seconds")
            },
        ))
    }

    fn joining(&self, identity: Identity) -> Joining {
        Joining {
            store: Arc::clone(&self.store),
            identity,
            address: self.address.clone(),
            lengths: self.lengths(),
            clock: Arc::clone(&self.clock),
        }
    }

    fn lengths(&self) -> Lengths {
        self.everywhere.lengths()
    }

    /// Says what is complete here.
    async fn report(&self) {
        let mut complete = self.feed.complete();
        loop {
            let seq = *complete.borrow_and_update();
            // After it was read: what is complete in one life is never said in the name of the one
            // before, whose verifiers may know less.
            self.everywhere.complete(self.me(), seq);
            if complete.changed().await.is_err() {
                return;
            }
        }
    }

    /// Keeps the lease; where another node took this one for dead, in another life.
    async fn live(&self) {
        loop {
            let lease = Lease {
                store: Arc::clone(&self.store),
                member: self.me(),
                lengths: self.lengths(),
                clock: Arc::clone(&self.clock),
                health: Arc::clone(&self.health),
            };
            let lost = tokio::select! {
                lost = lease.keep(&self.feed) => lost,
                () = self.doubt.begun() => {
                    // Others need not wait for what will not come back.
                    return self.feed.renewal_refused();
                }
            };
            if lost == Lost::Copied || self.begin_again().await.is_err() {
                tracing::error!(
                    "another process renews as this node: its data directory or its memory was \
                     copied. Both must not run: this one ends"
                );
                self.ending.send_replace(Some(Ending::Copied));
                return;
            }
        }
    }

    /// Begins another life, after the last was fenced.
    async fn begin_again(&self) -> Result<(), JoinError> {
        tracing::error!(
            "this node's lease is over: another took it for dead. It says nothing until it has \
             joined anew"
        );
        loop {
            let next = self.next_life().map(|identity| self.joining(identity));
            let joined = match next {
                Ok(joining) => joining.join().await,
                Err(error) => Err(error.into()),
            };
            match joined {
                Ok(_) => return Ok(()),
                Err(error @ JoinError::Copy { .. }) => return Err(error),
                Err(JoinError::Store(error)) => {
                    tracing::warn!(%error, "this node cannot join anew: it is tried again");
                    sleep(self.lengths().node_renews_each()).await;
                }
            }
        }
    }

    /// The order counts: nothing of the next life is said in the name of the last.
    fn next_life(&self) -> Result<Identity, StoreError> {
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        *identity = identity.next_life()?;
        self.peers.begin_again(identity.member);
        self.feed.rejoin();
        Ok(*identity)
    }

    /// Begins to end in order, and returns when no verifier has a lease of this node any more.
    pub async fn leave(&self) {
        self.leaving.send_replace(true);
        self.feed.leave();
        // Grants and what their holders' clocks may differ by are over by then, whoever is silent.
        let longest = kappa(self.lengths().verifier) + self.lengths().ack_grace;
        if timeout(longest, self.feed.left()).await.is_err() {
            tracing::warn!("some verifiers did not leave this node in time");
        }
    }
}

impl Running {
    /// As a crash would: says nothing to anybody.
    #[cfg(test)]
    pub(in crate::authority) fn stop_at_once(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.node.peers.close();
    }

    /// Ends this node's life in order, after [`Node::leave`] and the last answer: nobody waits for it
    /// from then on.
    pub async fn end(&self) {
        // Nothing renews, and nothing reports, in the name of what has ended.
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        let node = &self.node;
        let may_accept = node.feed.sessions().iter().any(|session| !session.lease_left.is_zero());
        // Its own doors too have said their last.
        node.feed.renewal_refused();
        if may_accept || node.doubt.is_there() {
            tracing::warn!("this node ends while leases of it may run: others find out by waiting");
        } else {
            let gone = async { node.store.gone(node.me(), End::Left, entry_id()?).await };
            match timeout(answer_within(&node.lengths()), gone).await {
                Ok(Ok(_)) => tracing::info!("this node has left: no revoke waits for it"),
                Ok(Err(error)) => tracing::warn!(%error, "this node could not say that it left"),
                Err(_) => tracing::warn!("this node could not say in time that it left"),
            }
        }
        node.peers.close();
    }
}
