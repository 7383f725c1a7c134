//! The authority's end: who follows, what they were told, and when all of them know.
//!
//! Everything that is ordered happens under the one mutex of `hub`: entries, grants and
//! acknowledgements. What may take long (a snapshot, the log's reader, a credential) happens outside.

mod hub;
mod line;
mod outcome;
mod roster;
mod session;
mod source;
mod tail;

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use nt_revocation::protocol::{Boot, Lengths, Tenure};
use nt_revocation::{Entry, Position};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::feed_server::{self, FeedServer};
use crate::proto::{FromAuthority, FromVerifier};
use hub::Hub;
pub use hub::tenure::NodeLease;
use hub::tenure::{Leave, reached};
pub use line::QUEUE;
pub use outcome::{CutOff, Outcome};
pub use roster::{Listed, SessionId, Stream, Who};
use session::Session;
pub use source::{NotAdmitted, Source, Unavailable};

/// Whose tokens the verifiers are to accept; told to each of them.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens.
    pub audience: String,
}

/// The feed of one node. Ends with its last clone: sessions are closed then, none is released.
pub struct Feed<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    source: Arc<S>,
    authority: Arc<Authority>,
    hub: Arc<Hub>,
    /// Sessions end when this says so, or is gone.
    closed: watch::Sender<bool>,
    ticker: AbortHandle,
}

impl<S> Drop for Shared<S> {
    fn drop(&mut self) {
        self.ticker.abort();
    }
}

impl<S> Clone for Feed<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Source> Feed<S> {
    /// Begins to serve a log whose last entry is `head`. Must be called within a tokio runtime.
    ///
    /// `tenure` is whose the database is: this process's alone, or one of several nodes', which then has
    /// no lease before [`Self::renewed`].
    pub fn new(
        source: Arc<S>,
        authority: Authority,
        lengths: Lengths,
        tenure: Tenure,
        head: Position,
    ) -> Self {
        let hub = Arc::new(Hub::new(lengths, tenure, head));
        let ticker = tokio::spawn(tick(Arc::downgrade(&hub), lengths)).abort_handle();
        let (authority, closed) = (Arc::new(authority), watch::Sender::new(false));
        Self { shared: Arc::new(Shared { source, authority, hub, closed, ticker }) }
    }

    /// The gRPC service, for a router or a server.
    pub fn service(&self) -> FeedServer<Self> {
        FeedServer::new(self.clone())
    }

    /// Ends all sessions and admits no more, so that a server which waits for its connections can
    /// stop. Releases nobody.
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
    }

    /// The database renewed this node's lease, by a synchronously replicated write that saw `head`.
    /// `anchor` was read before it was asked. The lease begins when everything up to `head` was pushed.
    pub fn renewed(&self, anchor: Boot, head: u64) {
        self.shared.hub.renewed(anchor, head);
    }

    /// The database did not: when this returns, [`Self::lease`] has ended. Verifiers are told to go to
    /// another node, and are granted nothing more.
    pub fn renewal_refused(&self) {
        self.shared.hub.renewal_refused();
    }

    /// Begins another life of this node, after it joined with a new incarnation: without a lease, and
    /// with none of the sessions of the life before. What that one granted is for others to wait for.
    pub fn rejoin(&self) {
        self.shared.hub.rejoin();
    }

    /// Whether this node may give verdicts, grant leases and say "revoked" at this moment.
    pub fn serves(&self) -> bool {
        self.shared.hub.serves()
    }

    /// Until when it may, for its other doors. Theirs is the order of every check: this end first, then
    /// the look-up, then the clock.
    pub fn lease(&self) -> NodeLease {
        self.shared.hub.lease.clone()
    }

    /// Begins to end in order: no more grants and no new sessions. Verifiers are told to go to another
    /// node, and acknowledge here until they have.
    pub fn leave(&self) {
        self.shared.hub.leave();
    }

    /// Waits until after [`Self::leave`] no verifier holds a lease of this node any more: each has gone
    /// elsewhere, or its lease has ended.
    pub async fn left(&self) {
        reached(self.shared.hub.leave_seen(), Leave::Left).await;
    }

    /// The highest position that any verifier has shown so far, whether this log goes through it or not:
    /// up to there, at least, a history went that somebody has seen.
    pub fn highest_witness(&self) -> Option<Position> {
        self.shared.hub.highest_claimed()
    }

    /// Tells all verifiers what was added to the log: after its commit, and after this node's own
    /// set has applied it. Waits for nobody.
    pub fn push(&self, entries: &[Entry]) {
        self.shared.hub.push(entries);
    }

    /// Up to which entry no verifier of this node accepts otherwise any more: each has applied
    /// everything or its lease has ended.
    pub fn complete(&self) -> watch::Receiver<u64> {
        self.shared.hub.subscribe()
    }

    /// Waits until [`Self::complete`] has reached an entry.
    pub async fn wait_complete(&self, seq: u64) {
        let mut complete = self.complete();
        let reached = complete.wait_for(|complete| *complete >= seq).await;
        reached.map(drop).expect("this feed has the sender");
    }

    /// Changes whenever a verifier has said how far it is.
    pub fn heard(&self) -> watch::Receiver<()> {
        self.shared.hub.heard()
    }

    /// The verifiers that follow, and those that went away while they may still say "good".
    pub fn sessions(&self) -> Vec<Listed> {
        self.shared.hub.list()
    }

    /// How an entry came into force here; to be asked when it just has.
    pub fn outcome(&self, seq: u64) -> Outcome {
        self.shared.hub.outcome(seq)
    }
}

type Answers = Pin<Box<dyn tokio_stream::Stream<Item = Result<FromAuthority, Status>> + Send>>;

#[async_trait::async_trait]
impl<S: Source> feed_server::Feed for Feed<S> {
    type FollowStream = Answers;

    async fn follow(
        &self,
        request: Request<Streaming<FromVerifier>>,
    ) -> Result<Response<Answers>, Status> {
        let source = &self.shared.source;
        let admitted = source.authenticate(request.metadata(), request.extensions()).await;
        let identity = admitted.map_err(refusal)?;
        let (outbox, answers) = mpsc::channel(QUEUE);
        let session = Session {
            source: Arc::clone(&self.shared.source),
            authority: Arc::clone(&self.shared.authority),
            hub: Arc::clone(&self.shared.hub),
            identity,
            requests: request.into_inner(),
        };
        // Ends with its stream, with its queue, or with the feed, whichever is first.
        tokio::spawn(session.run(outbox, self.shared.closed.subscribe()));
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

fn refusal(refused: NotAdmitted) -> Status {
    let text = refused.to_string();
    match refused {
        NotAdmitted::Unauthenticated => Status::unauthenticated(text),
        NotAdmitted::Forbidden | NotAdmitted::NoCertificate | NotAdmitted::OthersCertificate => {
            Status::permission_denied(text)
        }
        NotAdmitted::Unavailable => Status::unavailable(text),
    }
}

/// Looks at the deadlines when they are due, and gives signs of life.
async fn tick(hub: Weak<Hub>, lengths: Lengths) {
    let between_beats = lengths.verifier_renews_each();
    let mut beat = tokio::time::interval(between_beats.max(Duration::from_millis(1)));
    loop {
        let Some(hub) = hub.upgrade() else { return };
        let next = hub.look().unwrap_or(Duration::from_secs(1));
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = hub.changed.notified() => {}
            _ = beat.tick() => hub.heartbeat(),
        }
    }
}
