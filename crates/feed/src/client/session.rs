//! One connection, from its Hello to its end.

use std::error::Error;
use std::time::Duration;

use nt_revocation::protocol::Lengths;
use nt_revocation::{Entry, Position};
use nt_token::Expected;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};

use super::known::{Known, Misfit, Say, Unfit};
use super::{CONNECT_WITHIN, Follower, RELEASE_WITHIN};
use crate::proto::feed_client::FeedClient;
use crate::proto::{self, FromAuthority, FromVerifier, from_authority, from_verifier};
use crate::wire::{self, Malformed, VERSION};
use crate::witness::Loss;

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
pub(super) const NOT_ADMITTED: &str =
    "the credential is not known to the authority (was it removed?)";

/// Why a session ended.
pub(super) enum Ended {
    /// This verifier is to stop; the release was said.
    Unwanted,
    /// Who follows is not who may.
    NotAdmitted,
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
        if status.code() == Code::Unauthenticated {
            return Self::NotAdmitted;
        }
        Self::Lost(format!("{:?}: {}", status.code(), status.message()))
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

fn lost(why: &str) -> Ended {
    Ended::Lost(why.to_owned())
}

/// With the innermost reason: the outer ones say no more than that there was one.
fn not_connected(error: &tonic::transport::Error) -> String {
    let mut reason: &dyn Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    format!("no connection to the authority: {reason}")
}

pub(super) struct Session<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) follower: &'a Follower,
    /// From where on the log is wanted; `None` for a snapshot.
    pub(super) position: Option<Position>,
    /// What the log must go through, if anything.
    pub(super) witness: Option<Position>,
}

pub(super) type Answers = Streaming<FromAuthority>;

/// What has come of a snapshot, and the connection's sending half.
pub(super) struct Line {
    says: mpsc::Sender<FromVerifier>,
    snapshot: Vec<u8>,
    /// Without any sign of life for so long, the connection is given up.
    patience: Duration,
}

impl Session<'_> {
    pub(super) async fn run(&self, known: &mut Known, wanted: &mut watch::Receiver<bool>) -> Ended {
        let (mut line, queue) = Line::new();
        let mut answers = tokio::select! {
            answers = self.connect(&line, queue) => match answers {
                Ok(answers) => answers,
                Err(Ended::Lost(why)) => return Ended::Unreached(why),
                Err(ended) => return ended,
            },
            _ = wanted.wait_for(|wanted| !wanted) => return Ended::Unwanted,
        };
        let ended = tokio::select! {
            ended = listen(known, &mut line, &mut answers) => Some(ended),
            _ = wanted.wait_for(|wanted| !wanted) => None,
        };
        let Some(ended) = ended else {
            release(known, line, answers).await;
            return Ended::Unwanted;
        };
        ended
    }

    pub(super) async fn connect(
        &self,
        line: &Line,
        queue: ReceiverStream<FromVerifier>,
    ) -> Result<Answers, Ended> {
        let hello = proto::Hello {
            version: VERSION,
            name: self.follower.name.clone(),
            instance: self.follower.instance.to_vec().into(),
            position: self.position.map(Into::into),
            witness: self.witness.map(Into::into),
        };
        line.say(from_verifier::Message::Hello(hello))?;
        let mut request = Request::new(queue);
        request.metadata_mut().insert("authorization", self.follower.authorization.clone());
        request.metadata_mut().insert(wire::LIBRARY, MetadataValue::from_static(LIBRARY));
        let answers = async {
            let channel = self.endpoint.connect().await;
            let channel = channel.map_err(|error| Ended::Lost(not_connected(&error)))?;
            let answers = FeedClient::new(channel).follow(request).await?;
            Ok(answers.into_inner())
        };
        timeout(CONNECT_WITHIN, answers).await.map_err(|_| lost("no answer to the call"))?
    }
}

/// Until the connection ends.
async fn listen(known: &mut Known, line: &mut Line, answers: &mut Answers) -> Ended {
    let mut heard = Instant::now();
    let mut greeted = false;
    loop {
        let result = tokio::select! {
            answer = answers.message() => {
                let result = match answer {
                    Ok(Some(FromAuthority { message: Some(message) })) => {
                        greeted = true;
                        line.hear(known, message)
                    }
                    Ok(Some(_)) => Err(lost("a message that is not known here")),
                    Ok(None) => Err(lost("the authority ended the stream")),
                    Err(status) => Err(status.into()),
                };
                // After it was taken in: what takes long to apply is no silence of the authority.
                heard = Instant::now();
                result
            }
            () = sleep(known.renews_in()), if greeted => line.say_all(known.tick()),
            () = sleep_until(heard + line.patience) => Err(lost("no sign of life")),
            upto = known.drained(), if greeted => line.say_all(known.acknowledge(upto)),
        };
        if let Err(ended) = result {
            return ended;
        }
    }
}

impl Line {
    /// And what is said on it.
    pub(super) fn new() -> (Self, ReceiverStream<FromVerifier>) {
        let (says, queue) = mpsc::channel(QUEUE);
        let patience = Lengths::default().verifier;
        (Self { says, snapshot: Vec::new(), patience }, ReceiverStream::new(queue))
    }

    fn hear(&mut self, known: &mut Known, message: from_authority::Message) -> Result<(), Ended> {
        use from_authority::Message;
        let says = match message {
            Message::Welcome(welcome) => {
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
                if !welcome.issuer.is_empty()
                    && (&welcome.issuer, &welcome.audience) != (issuer, audience)
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
                known.meets(epoch, at_witness)?;
                tracing::info!(session = welcome.session, "the feed is followed");
                self.patience = lengths.verifier;
                known.welcomed(lengths)
            }
            Message::Snapshot(piece) => {
                if self.snapshot.len() + piece.bytes.len() > SNAPSHOT_MAX {
                    return Err(lost("a snapshot that is too long"));
                }
                self.snapshot.extend_from_slice(&piece.bytes);
                if !piece.last {
                    return Ok(());
                }
                known.replace(&std::mem::take(&mut self.snapshot))?
            }
            Message::Entries(run) => {
                let entries: Result<Vec<Entry>, _> =
                    run.entries.iter().map(Entry::try_from).collect();
                let entries = entries.inspect_err(|_| known.give_up())?;
                known.absorb(run.epoch, &entries)?
            }
            Message::Grant(grant) => {
                let min = grant.min.ok_or_else(|| lost("a grant without a minimum"))?.try_into()?;
                known.granted(grant.nonce, Duration::from_millis(grant.length_ms), min)
            }
            // Where there is no other node, this one is followed for as long as it is there.
            Message::Heartbeat(_) | Message::Leaving(_) => Vec::new(),
            Message::Resync(resync) => return Err(Ended::Misfit(resync.reason)),
        };
        self.say_all(says)
    }

    fn say_all(&self, says: Vec<Say>) -> Result<(), Ended> {
        use from_verifier::Message;
        says.into_iter().try_for_each(|say| {
            self.say(match say {
                Say::Renew { nonce, epoch, acked } => {
                    Message::Renew(proto::Renew { nonce, acked, epoch })
                }
                Say::Ack { epoch, seq } => Message::Ack(proto::Ack { epoch, seq }),
                Say::Release => Message::Release(proto::Release {}),
            })
        })
    }

    fn say(&self, message: from_verifier::Message) -> Result<(), Ended> {
        self.says.try_send(message.into()).map_err(|error| match error {
            TrySendError::Full(_) => lost("the connection takes nothing"),
            TrySendError::Closed(_) => lost("the connection is closed"),
        })
    }
}

/// Ends the lease, says so, and waits for the authority to end the stream.
async fn release(known: &mut Known, line: Line, mut answers: Answers) {
    // If it cannot be said, the authority waits for the lease's end.
    let said = line.say_all(known.leave());
    drop(line);
    if said.is_ok() {
        let ended = async { while let Ok(Some(_)) = answers.message().await {} };
        let _in_time = timeout(RELEASE_WITHIN, ended).await;
    }
}
