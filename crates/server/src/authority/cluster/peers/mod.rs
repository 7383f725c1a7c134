//! What the nodes of one authority tell each other: what they committed just now, and up to where
//! everything is complete at them. `peers.proto` draws it.
//!
//! Without it everything still works: nodes find new entries when they next ask the database, and what
//! is complete at a node stands in its row. It is only slower.

mod dial;
mod listen;
mod proof;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nt_feed::proto::Entries;
use nt_revocation::Entry;
use nt_revocation::protocol::{Incarnation, Member, NodeId};
use nt_token::EntryId;
use tokio::sync::{broadcast, mpsc, watch};
use tonic::{Status, Streaming};

pub use self::dial::Dialling;
pub use self::listen::Listening;
pub use self::proof::PeerKey;
use self::proto::{Complete, FromPeer, from_peer};
use super::reports::Report;

/// The messages and the service, generated from `proto/peers.proto`.
pub mod proto {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code; its comments come from the proto file"
    )]
    tonic::include_proto!("ntd.peers.v1");
}

/// The version of the protocol that is spoken here.
const VERSION: u32 = 1;
/// A node that has connected proves who it is within this.
const PROOF_WITHIN: Duration = Duration::from_secs(5);
/// So many messages wait for a peer's connection; a batch of entries beyond it is not told.
const QUEUE: usize = 64;
/// So many batches of entries are kept for a peer that is slow.
const BATCHES: usize = 256;

/// What becomes of what peers say.
pub trait Heard: Send + Sync {
    /// The database has these entries. They may be known already, and nobody vouches for them.
    fn entries(&self, entries: Vec<Entry>);
    /// Everything up to an entry is complete at another node, if that entry is of this log.
    fn complete(&self, report: Report);
    /// Which entry of this node's log has this number, if that is known.
    fn entry_at(&self, seq: u64) -> Option<EntryId>;
}

/// What this node is to its peers.
pub struct Peers {
    me: watch::Sender<Member>,
    epoch: u64,
    key: PeerKey,
    committed: broadcast::Sender<Arc<Vec<Entry>>>,
    complete: watch::Receiver<u64>,
    heard: Box<dyn Heard>,
    /// How many streams stand with each.
    connected: Mutex<BTreeMap<Member, usize>>,
    /// How far the end of all streams is.
    closing: watch::Sender<Closing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closing {
    No,
    /// Streams that others dialled end, and no more begin.
    HungUp,
    /// All end.
    All,
}

/// Who began a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Began {
    Here,
    There,
}

impl Peers {
    /// This node, in the first of its lives here, and in this epoch of the log; `complete` is what it tells.
    pub fn new(
        me: Member,
        epoch: u64,
        key: PeerKey,
        complete: watch::Receiver<u64>,
        heard: Box<dyn Heard>,
    ) -> Arc<Self> {
        Arc::new(Self {
            me: watch::Sender::new(me),
            epoch,
            key,
            committed: broadcast::Sender::new(BATCHES),
            complete,
            heard,
            connected: Mutex::default(),
            closing: watch::Sender::new(Closing::No),
        })
    }

    /// Goes on as another life of this node: what is complete from now on is said in its name. To be
    /// called before anything of that life is counted.
    pub fn begin_again(&self, me: Member) {
        self.me.send_replace(me);
    }

    fn me(&self) -> Member {
        *self.me.borrow()
    }

    /// Tells all peers of entries that are committed. Waits for nobody.
    pub fn tell(&self, entries: Vec<Entry>) {
        if self.committed.receiver_count() > 0 && !entries.is_empty() {
            let _nobody_listens = self.committed.send(Arc::new(entries));
        }
    }

    /// How many other nodes a stream stands with.
    pub fn connected(&self) -> usize {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Ends all streams, and begins no more.
    pub fn close(&self) {
        self.closing.send_replace(Closing::All);
    }

    /// Ends the streams that others dialled, so that a server which waits for its connections can
    /// stop. By those that this node dialled, what is complete is told and heard on.
    pub fn hang_up(&self) {
        self.closing.send_if_modified(|closing| {
            let begins = *closing < Closing::HungUp;
            *closing = (*closing).max(Closing::HungUp);
            begins
        });
    }

    async fn until_closed(&self, began: Began) {
        let ends = match began {
            Began::Here => Closing::All,
            Began::There => Closing::HungUp,
        };
        let mut closing = self.closing.subscribe();
        let _this_has_the_sender = closing.wait_for(|closing| *closing >= ends).await;
    }

    async fn until_another_life(&self, me: Member) {
        let mut lives = self.me.subscribe();
        let _this_has_the_sender = lives.wait_for(|now| *now != me).await;
    }

    /// Tells and listens until the stream ends. Who the peer is was proven, and to it, who this is.
    async fn exchange(
        &self,
        began: Began,
        (me, peer): (Member, Member),
        requests: Streaming<FromPeer>,
        outbox: &Outbox,
    ) -> Result<(), Status> {
        let _connected = Connected::new(self, peer);
        tokio::select! {
            biased;
            () = self.until_closed(began) => Err(Status::unavailable("the node is stopping")),
            () = self.until_another_life(me) => Err(Status::aborted("this life has ended")),
            ended = self.listen_to(peer, requests) => ended,
            () = self.tell_all(me, outbox) => Ok(()),
        }
    }

    async fn listen_to(
        &self,
        peer: Member,
        mut requests: Streaming<FromPeer>,
    ) -> Result<(), Status> {
        while let Some(FromPeer { message }) = requests.message().await? {
            match message {
                Some(from_peer::Message::Complete(Complete { epoch, seq, entry_id })) => {
                    // What is said of another history says nothing of this one.
                    if epoch == self.epoch
                        && let Ok(entry) = entry_id.as_ref().try_into().map(EntryId)
                    {
                        self.heard.complete(Report { member: peer, seq, entry });
                    }
                }
                Some(from_peer::Message::Entries(Entries { epoch, entries })) => {
                    let read: Result<Vec<_>, _> = entries.iter().map(Entry::try_from).collect();
                    // What is not understood here is found in the database.
                    if let Ok(entries) = read
                        && epoch == self.epoch
                    {
                        self.heard.entries(entries);
                    }
                }
                _ => return Err(Status::invalid_argument("not a message that belongs here")),
            }
        }
        Ok(())
    }

    async fn tell_all(&self, me: Member, outbox: &Outbox) {
        let (mut committed, mut complete) = (self.committed.subscribe(), self.complete.clone());
        complete.mark_changed();
        loop {
            let message = tokio::select! {
                batch = committed.recv() => match batch {
                    Ok(batch) => from_peer::Message::Entries(Entries {
                        epoch: self.epoch,
                        entries: batch.iter().map(Into::into).collect(),
                    }),
                    // The database has what was passed over.
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                changed = complete.changed() => match changed {
                    Ok(()) => {
                        let seq = *complete.borrow_and_update();
                        // After it was read: what is complete in one life is never said in the name
                        // of the one before, whose verifiers may know less.
                        if self.me() != me {
                            return;
                        }
                        // What is not known by its entry is told by the database alone.
                        let Some(EntryId(entry)) = self.heard.entry_at(seq) else { continue };
                        from_peer::Message::Complete(Complete {
                            epoch: self.epoch,
                            seq,
                            entry_id: entry.to_vec().into(),
                        })
                    }
                    Err(_) => return,
                },
            };
            if outbox.send(Ok(message.into())).await.is_err() {
                return;
            }
        }
    }
}

type Outbox = mpsc::Sender<Result<FromPeer, Status>>;

/// That a stream stands, for as long as this lives.
struct Connected<'a> {
    peers: &'a Peers,
    peer: Member,
}

impl<'a> Connected<'a> {
    fn new(peers: &'a Peers, peer: Member) -> Self {
        let mut connected = peers.connected.lock().unwrap_or_else(PoisonError::into_inner);
        *connected.entry(peer).or_default() += 1;
        drop(connected);
        Self { peers, peer }
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        let mut connected = self.peers.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(streams) = connected.get_mut(&self.peer) {
            *streams -= 1;
            if *streams == 0 {
                connected.remove(&self.peer);
            }
        }
    }
}

impl From<from_peer::Message> for FromPeer {
    fn from(message: from_peer::Message) -> Self {
        Self { message: Some(message) }
    }
}

impl From<Member> for proto::Member {
    fn from(member: Member) -> Self {
        Self { node: member.node.0, incarnation: member.incarnation.0 }
    }
}

impl From<proto::Member> for Member {
    fn from(member: proto::Member) -> Self {
        Self { node: NodeId(member.node), incarnation: Incarnation(member.incarnation) }
    }
}
