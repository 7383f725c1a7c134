//! One connection to one node: how it is made, and what is said and heard on it.

use std::error::Error;
use std::time::Duration;

use nt_revocation::protocol::Lengths;
use nt_revocation::{Entry, Position};
use nt_token::Expected;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status, Streaming};

use super::known::{Known, LinkId, Misfit, Say, Says, Unfit};
use super::{Follower, Way};
use crate::proto::feed_client::FeedClient;
use crate::proto::{self, FromAuthority, FromVerifier, from_authority, from_verifier};
use crate::wire::{self, Malformed, VERSION};
use crate::witness::{Loss, loss};

/// A snapshot has at most this many bytes.
const SNAPSHOT_MAX: usize = 1 << 30;
/// What is said waits for the connection in a queue of so many.
const QUEUE: usize = 64;

/// What follows, where the program around it does not say what it is.
const LIBRARY: &str = concat!("nt-feed/", env!("CARGO_PKG_VERSION"));
const WHAT_TO_DO: &str = "An older copy of its database was put back, or this is another authority: \
    revoked tokens would come back to life. Put its newest database back; it is followed again then. If \
    another authority is meant to be followed from now on, stop this verifier and remove its position file";

/// What is told where a credential is refused.
const NOT_ADMITTED: &str = "the credential is not known to the authority (was it removed?)";

/// Why a session ended.
pub(super) enum Ended {
    /// Who follows is not who may, or does not show all that is demanded.
    NotAdmitted(String),
    /// There was no connection, or no session on it.
    Unreached(String),
    /// The connection or the authority went away; what is known is still good.
    Lost(String),
    /// What is known does not fit the authority's log: to be asked for anew.
    Misfit(String),
    /// This authority is not to be followed as it is; somebody has to look after it.
    Refused(String),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        let said = status.message();
        match status.code() {
            Code::Unauthenticated => Self::NotAdmitted(NOT_ADMITTED.to_owned()),
            Code::PermissionDenied => {
                Self::NotAdmitted(format!("the authority refuses this verifier: {said}"))
            }
            code => Self::Lost(format!("{code:?}: {said}")),
        }
    }
}

impl From<Malformed> for Ended {
    fn from(malformed: Malformed) -> Self {
        Self::Lost(malformed.to_string())
    }
}

impl From<Misfit> for Ended {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit.to_string())
    }
}

impl From<Unfit> for Ended {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Misfit(misfit) => misfit.into(),
            Unfit::Loss(loss) => loss.into(),
        }
    }
}

impl From<Loss> for Ended {
    fn from(loss: Loss) -> Self {
        Self::Refused(format!("{loss}. {WHAT_TO_DO}"))
    }
}

pub(super) fn lost(why: &str) -> Ended {
    Ended::Lost(why.to_owned())
}

/// With the innermost reason: the outer ones say no more than that there was one.
fn not_connected(error: &tonic::transport::Error) -> String {
    match innermost(error) {
        Some(reason) => format!("no connection to the authority: {reason}"),
        None => format!("no connection to the authority: {error}"),
    }
}

/// Why there is no session on a connection that stood. In TLS 1.3 a client certificate is looked at when
/// the client thinks that all is well: that it was refused is heard now, or drowns in the end of the
/// connection.
fn unanswered(status: &Status) -> Ended {
    match (innermost(status).map(ToString::to_string), status.clone().into()) {
        (Some(reason), _) if reason.contains("fatal alert") => Ended::NotAdmitted(format!(
            "the authority refuses this verifier's connection ({reason}): is its client certificate \
             one that the authority's client CA has signed, and not expired?"
        )),
        (Some(_), _) => Ended::Unreached("the connection ended before it was answered".to_owned()),
        // The authority has said something.
        (None, Ended::Lost(why)) => Ended::Unreached(why),
        (None, ended) => ended,
    }
}

fn innermost(error: &dyn Error) -> Option<&dyn Error> {
    let mut reason = error.source()?;
    while let Some(source) = reason.source() {
        reason = source;
    }
    Some(reason)
}

/// What a node is told first: from where on the log is wanted, `None` for a snapshot; and what the log must
/// go through, if anything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Since {
    pub(super) position: Option<Position>,
    pub(super) witness: Option<Position>,
}

pub(super) type Answers = Streaming<FromAuthority>;

/// A connection's sending half, and what has come of a snapshot.
pub(super) struct Line {
    says: mpsc::Sender<FromVerifier>,
    snapshot: Vec<u8>,
    since: Since,
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The session begins.
    Welcome,
    /// A part of what has to be known before a lease can be had.
    Snapshot,
    /// A lease of about the whole length.
    Grant,
    /// The node is about to end.
    Leaving,
    /// Anything else.
    Other,
}

/// A line to a node, and its connection to come, within so long.
pub(super) fn connect(
    way: &Way,
    follower: &Follower,
    since: Since,
    within: Duration,
) -> (Line, impl Future<Output = Result<Answers, Ended>> + Send + use<>) {
    let (says, queue) = mpsc::channel(QUEUE);
    let line = Line { says, snapshot: Vec::new(), since };
    let hello = proto::Hello {
        version: VERSION,
        name: follower.name.clone(),
        instance: follower.instance.to_vec().into(),
        position: since.position.map(Into::into),
        witness: since.witness.map(Into::into),
    };
    let said = line.say(from_verifier::Message::Hello(hello));
    let mut request = Request::new(ReceiverStream::new(queue));
    request.metadata_mut().insert("authorization", follower.authorization.clone());
    request.metadata_mut().insert(wire::LIBRARY, MetadataValue::from_static(LIBRARY));
    let way = way.clone();
    let answers = async move {
        said?;
        let endpoint = way.endpoint().map_err(|why| Ended::Unreached(why.to_string()))?;
        let channel = endpoint.connect().await;
        let channel = channel.map_err(|error| Ended::Unreached(not_connected(&error)))?;
        let answers = FeedClient::new(channel).follow(request).await;
        answers.map(tonic::Response::into_inner).map_err(|status| unanswered(&status))
    };
    let in_time = async move {
        let answers = timeout(within, answers).await;
        answers.map_err(|_| Ended::Unreached("no answer to the call".to_owned()))?
    };
    (line, in_time)
}

impl Line {
    /// Takes a message in. Whatever it makes known is known when this returns.
    pub(super) fn hear(
        &mut self,
        known: &mut Known,
        link: LinkId,
        message: from_authority::Message,
    ) -> Result<(Heard, Says), Ended> {
        use from_authority::Message;
        Ok(match message {
            Message::Welcome(welcome) => (Heard::Welcome, self.welcomed(known, link, welcome)?),
            Message::Snapshot(piece) => {
                if self.snapshot.len() + piece.bytes.len() > SNAPSHOT_MAX {
                    return Err(lost("a snapshot that is too long"));
                }
                self.snapshot.extend_from_slice(&piece.bytes);
                let says = if piece.last {
                    known.replace(&std::mem::take(&mut self.snapshot), self.since.position)?
                } else {
                    Vec::new()
                };
                (Heard::Snapshot, says)
            }
            Message::Entries(run) => {
                let entries: Result<Vec<Entry>, _> =
                    run.entries.iter().map(Entry::try_from).collect();
                let entries = entries.inspect_err(|_| known.give_up())?;
                (Heard::Other, known.absorb(run.epoch, &entries)?)
            }
            Message::Grant(grant) => {
                let min = grant.min.ok_or_else(|| lost("a grant without a minimum"))?.try_into()?;
                let length = Duration::from_millis(grant.length_ms);
                // A short one hangs from a node's own lease that is nearly over.
                let is_whole = length >= known.lease_length() * 3 / 4;
                let heard = if is_whole { Heard::Grant } else { Heard::Other };
                (heard, known.granted(link, grant.nonce, length, min))
            }
            Message::Heartbeat(_) => (Heard::Other, Vec::new()),
            Message::Leaving(_) => (Heard::Leaving, Vec::new()),
            Message::Resync(resync) => return Err(Ended::Misfit(resync.reason)),
        })
    }

    fn welcomed(
        &self,
        known: &mut Known,
        link: LinkId,
        welcome: proto::Welcome,
    ) -> Result<Says, Ended> {
        let lengths = Lengths {
            verifier: Duration::from_millis(welcome.verifier_lease_ms),
            node: Duration::from_millis(welcome.node_lease_ms),
            ..Lengths::default()
        };
        if lengths.verifier.is_zero() {
            return Err(lost("leases of no length"));
        }
        let Expected { issuer, audience } = known.expected();
        // Empty: an authority that does not say.
        if !welcome.issuer.is_empty() && (&welcome.issuer, &welcome.audience) != (issuer, audience)
        {
            return Err(Ended::Refused(format!(
                "its tokens name the issuer {} and the audience {}, and not {issuer} and {audience}",
                welcome.issuer, welcome.audience
            )));
        }
        let at_witness = welcome.at_witness.map(Position::try_from).transpose()?;
        let head = welcome.head.map(Position::try_from).transpose()?;
        // An authority that does not say where its log ends: the witness's place says as much.
        let epoch = head.or(at_witness).map_or(Position::START.epoch, |at| at.epoch);
        // The one that was shown: what is known may be more by now.
        if let Some(lost) = self.since.witness.and_then(|shown| loss(shown, epoch, at_witness)) {
            return Err(lost.into());
        }
        tracing::info!(session = welcome.session, "the feed is followed");
        Ok(known.welcomed(link, lengths))
    }

    pub(super) fn tell(&self, say: Say) -> Result<(), Ended> {
        use from_verifier::Message;
        self.say(match say {
            Say::Renew { nonce, epoch, acked } => {
                Message::Renew(proto::Renew { nonce, acked, epoch })
            }
            Say::Ack { epoch, seq } => Message::Ack(proto::Ack { epoch, seq }),
            Say::Release => Message::Release(proto::Release {}),
        })
    }

    fn say(&self, message: from_verifier::Message) -> Result<(), Ended> {
        self.says.try_send(message.into()).map_err(|error| match error {
            TrySendError::Full(_) => lost("the connection takes nothing"),
            TrySendError::Closed(_) => lost("the connection is closed"),
        })
    }
}
