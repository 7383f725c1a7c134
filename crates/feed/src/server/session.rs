//! One verifier's stream, from its Hello to its end.

use std::sync::Arc;
use std::time::Duration;

use nt_revocation::Position;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::Authority;
use super::hub::{Hub, NotJoined};
use super::line::{Line, Outbox};
use super::roster::{SessionId, Who};
use super::source::Source;
use crate::proto::{self, FromAuthority, FromVerifier, from_authority, from_verifier};
use crate::wire::{self, Malformed};
use crate::witness::loss;

/// A verifier that has connected says who it is within this.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// What the log has and a verifier knows, this node is told within this.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// A piece of the first state is taken by the verifier's connection within this.
const PIECE_WITHIN: Duration = Duration::from_secs(10);
const WHAT_TO_DO: &str = "An older copy of this authority's database was put back, or the verifier \
    followed another authority. Put the newest database back";
/// Names are shown to people.
const NAME_MAX: usize = 128;

pub(super) struct Session<S> {
    pub(super) source: Arc<S>,
    pub(super) authority: Arc<Authority>,
    pub(super) hub: Arc<Hub>,
    pub(super) identity: String,
    pub(super) requests: Streaming<FromVerifier>,
}

struct End {
    hub: Arc<Hub>,
    id: SessionId,
}

impl Drop for End {
    fn drop(&mut self) {
        self.hub.end(self.id);
    }
}

struct Hello {
    who: Who,
    known: Option<Position>,
    witness: Option<Position>,
}

impl<S: Source> Session<S> {
    pub(super) async fn run(mut self, outbox: Outbox, mut closed: watch::Receiver<bool>) {
        let ended = tokio::select! {
            ended = self.follow(outbox.clone()) => ended,
            _ = closed.wait_for(|closed| *closed) => {
                Err(Status::unavailable("the authority is stopping"))
            }
        };
        if let Err(status) = ended {
            let _nobody_listens = outbox.try_send(Err(status));
        }
    }

    async fn follow(&mut self, outbox: Outbox) -> Result<(), Status> {
        let id = self.hub.number();
        let (line, cut) = oneshot::channel();
        // Whatever ends this also ends the session's renewals; it never releases.
        let _end = End { hub: Arc::clone(&self.hub), id };
        let (source, identity) = (Arc::clone(&self.source), self.identity.clone());
        let served = async {
            self.join(id, Line::new(outbox, line)).await?;
            tokio::select! {
                ended = self.listen(id) => ended,
                _dropped = cut => Err(Status::resource_exhausted("not kept up with: cut off")),
            }
        };
        tokio::select! {
            // First: whoever may not follow any more is granted nothing.
            biased;
            () = source.dismissed(&identity) => Err(Status::permission_denied("not admitted any more")),
            ended = served => ended,
        }
    }

    async fn join(&mut self, id: SessionId, line: Line) -> Result<(), Status> {
        let outbox = line.outbox();
        let hello = timeout(HELLO_WITHIN, self.hello());
        let hello = hello.await.map_err(|_| Status::deadline_exceeded("no Hello came"))??;
        if self.hub.is_leaving() {
            return Err(leaving());
        }
        if !self.hub.serves() {
            return Err(Status::unavailable("this node has no lease of its own now"));
        }
        let at_witness = self.at_witness(hello.witness).await?;
        let head = self.hub.head();
        send(&outbox, self.welcome(id, head, at_witness)).await?;
        if let Some(witness) = hello.witness {
            self.hub.claim(witness);
            if let Some(lost) = loss(witness, head.epoch, at_witness) {
                let Who { identity, name, .. } = &hello.who;
                tracing::error!(
                    identity,
                    name,
                    "a verifier is served nothing: {lost}. {WHAT_TO_DO}"
                );
                self.source.contradicted(witness, &hello.who).await;
                return Err(Status::failed_precondition(lost.to_string()));
            }
        }
        let known = match hello.known {
            Some(position) => self
                .source
                .entries_after(position)
                .await
                .map(|entries| entries.map(|entries| (position, entries))),
            None => Ok(None),
        };
        let known = known.map_err(|e| Status::unavailable(e.to_string()))?;
        let told = if let Some((position, entries)) = &known {
            for message in wire::entry_messages(position.epoch, entries) {
                send(&outbox, message).await?;
            }
            entries.last().map_or(position.seq, |last| last.seq)
        } else {
            let snapshot = self.source.snapshot().await;
            let (position, bytes) = snapshot.map_err(|e| Status::unavailable(e.to_string()))?;
            for message in wire::snapshot_messages(&bytes) {
                send(&outbox, message).await?;
            }
            position.seq
        };
        let acked = known.map_or(0, |(position, _)| position.seq);
        match self.hub.join(id, hello.who, acked, told, line) {
            Ok(()) => Ok(()),
            Err(NotJoined::Leaving) => Err(leaving()),
            Err(NotJoined::Overrun) => {
                let reason = "the log went on too fast".to_owned();
                let resync = from_authority::Message::Resync(proto::Resync { reason });
                send(&outbox, resync.into()).await?;
                Err(Status::aborted("connect again without a position"))
            }
        }
    }

    async fn hello(&mut self) -> Result<Hello, Status> {
        let first = self.requests.message().await?.and_then(|first| first.message);
        let Some(from_verifier::Message::Hello(hello)) = first else {
            return Err(Status::failed_precondition("the first message is Hello"));
        };
        if hello.version != wire::VERSION {
            return Err(Status::failed_precondition("only version 1 of the feed is spoken here"));
        }
        let named = hello.name.len() <= NAME_MAX && !hello.name.chars().any(char::is_control);
        let instance = <[u8; 16]>::try_from(hello.instance.as_ref()).ok().filter(|_| named);
        let instance = instance.ok_or_else(|| Status::invalid_argument("malformed Hello"))?;
        let known = hello.position.map(Position::try_from).transpose().map_err(invalid)?;
        let witness = hello.witness.map(Position::try_from).transpose().map_err(invalid)?;
        let who = Who { identity: self.identity.clone(), name: hello.name, instance };
        Ok(Hello { who, known, witness })
    }

    /// Where this log is where the witness was. What this node is not told of yet, but the log has, is
    /// waited for: a verifier that comes from another node may know it already.
    async fn at_witness(&self, witness: Option<Position>) -> Result<Option<Position>, Status> {
        match witness {
            None => Ok(None),
            // All logs begin alike.
            Some(witness) if witness.seq == 0 => Ok(Some(witness)),
            Some(witness) => {
                let at = self.position_at(witness.seq).await?;
                if at.is_none() || self.hub.head().seq >= witness.seq {
                    return Ok(at);
                }
                let told = timeout(TOLD_WITHIN, self.hub.reached(witness.seq)).await;
                told.map_err(|_| Status::unavailable("this node is behind the log"))?;
                // Of which epoch it is may only be known now.
                self.position_at(witness.seq).await
            }
        }
    }

    async fn position_at(&self, seq: u64) -> Result<Option<Position>, Status> {
        let at = self.source.position_at(seq).await;
        at.map_err(|e| Status::unavailable(e.to_string()))
    }

    fn welcome(
        &self,
        id: SessionId,
        head: Position,
        at_witness: Option<Position>,
    ) -> FromAuthority {
        let lengths = self.hub.lengths;
        let ms = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let welcome = proto::Welcome {
            session: id.0,
            verifier_lease_ms: ms(lengths.verifier),
            node_lease_ms: ms(lengths.node),
            issuer: self.authority.issuer.clone(),
            audience: self.authority.audience.clone(),
            at_witness: at_witness.map(Into::into),
            head: Some(head.into()),
        };
        from_authority::Message::Welcome(welcome).into()
    }

    async fn listen(&mut self, id: SessionId) -> Result<(), Status> {
        while let Some(request) = self.requests.message().await? {
            match request.message {
                Some(from_verifier::Message::Renew(renew)) => {
                    self.hub.renew(id, renew);
                }
                Some(from_verifier::Message::Ack(ack)) => {
                    if !self.hub.ack(id, ack.epoch, ack.seq) {
                        return Err(Status::aborted("acknowledged what is not of this log"));
                    }
                }
                Some(from_verifier::Message::Release(proto::Release {})) => {
                    self.hub.release(id);
                    return Ok(());
                }
                Some(from_verifier::Message::Hello(_)) | None => {
                    return Err(Status::invalid_argument("not a message that belongs here"));
                }
            }
        }
        Ok(())
    }
}

async fn send(outbox: &Outbox, message: FromAuthority) -> Result<(), Status> {
    let sent = timeout(PIECE_WITHIN, outbox.send(Ok(message))).await;
    match sent {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Status::cancelled("the verifier went away")),
        Err(_) => Err(Status::deadline_exceeded("the verifier takes nothing")),
    }
}

fn leaving() -> Status {
    Status::unavailable("this node is about to end: another is to be followed")
}

fn invalid(malformed: Malformed) -> Status {
    Status::invalid_argument(malformed.to_string())
}
