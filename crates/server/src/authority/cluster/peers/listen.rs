//! The end of whoever is dialled.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use super::proof::{Meeting, Nonce, Side};
use super::proto::peers_server::{self, PeersServer};
use super::proto::{Challenge, FromPeer, Hello, Proof, from_peer};
use super::{Began, Outbox, PROOF_WITHIN, Peers, QUEUE, VERSION};
use crate::authority::entropy::random;
use nt_revocation::protocol::Member;

/// The gRPC service that other nodes dial.
#[derive(Clone)]
pub struct Listening(Arc<Peers>);

impl Listening {
    /// The service, for a router or a server.
    pub fn service(peers: &Arc<Peers>) -> PeersServer<Self> {
        PeersServer::new(Self(Arc::clone(peers)))
    }
}

type Answers = Pin<Box<dyn tokio_stream::Stream<Item = Result<FromPeer, Status>> + Send>>;

#[async_trait::async_trait]
impl peers_server::Peers for Listening {
    type ExchangeStream = Answers;

    async fn exchange(
        &self,
        request: Request<Streaming<FromPeer>>,
    ) -> Result<Response<Answers>, Status> {
        let (outbox, answers) = mpsc::channel(QUEUE);
        let peers = Arc::clone(&self.0);
        let mut requests = request.into_inner();
        tokio::spawn(async move {
            let met = timeout(PROOF_WITHIN, meet(&peers, &mut requests, &outbox)).await;
            let ended = match met {
                Ok(Ok(Meeting { from, to, .. })) => {
                    peers.exchange(Began::There, (to, from), requests, &outbox).await
                }
                // Whoever looks for the life before this one learns of this one soon.
                Ok(Err(refused)) if refused.code() == Code::NotFound => Err(refused),
                Ok(Err(refused)) => {
                    tracing::warn!(why = refused.message(), "somebody who is no peer was refused");
                    Err(refused)
                }
                Err(_) => Err(Status::deadline_exceeded("no proof came")),
            };
            if let Err(status) = ended {
                let _nobody_listens = outbox.try_send(Err(status));
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

/// Finds out who dialled, and proves who listens.
async fn meet(
    peers: &Peers,
    requests: &mut Streaming<FromPeer>,
    outbox: &Outbox,
) -> Result<Meeting, Status> {
    let first = requests.message().await?.and_then(|first| first.message);
    let Some(from_peer::Message::Hello(hello)) = first else {
        return Err(Status::failed_precondition("the first message is Hello"));
    };
    let Hello { version, from: Some(from), to: Some(to), nonce } = hello else {
        return Err(Status::invalid_argument("malformed Hello"));
    };
    if version != VERSION {
        return Err(Status::failed_precondition("only version 1 is spoken here"));
    }
    let dialled = Nonce::try_from(nonce.as_ref());
    let dialled = dialled.map_err(|_| Status::invalid_argument("malformed Hello"))?;
    let (from, to) = (Member::from(from), Member::from(to));
    if to != peers.me() {
        return Err(Status::not_found("another node listens here"));
    }
    let answered: Nonce = random().map_err(|_| Status::unavailable("no random numbers"))?;
    let meeting = Meeting { from, to, dialled, answered };
    let proof = peers.key.prove(Side::Listens, &meeting).into();
    let challenge = Challenge { nonce: answered.to_vec().into(), proof };
    let sent = outbox.send(Ok(from_peer::Message::Challenge(challenge).into())).await;
    sent.map_err(|_| Status::cancelled("the peer went away"))?;
    let second = requests.message().await?.and_then(|second| second.message);
    match second {
        Some(from_peer::Message::Proof(Proof { proof }))
            if peers.key.is_proven(Side::Dials, &meeting, &proof) =>
        {
            Ok(meeting)
        }
        _ => Err(Status::unauthenticated("the proof is not right: is the key secret the same?")),
    }
}
