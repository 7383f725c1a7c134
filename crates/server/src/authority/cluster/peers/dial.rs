//! The end of whoever dials: one stream to every other node, for as long as it is one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use nt_revocation::protocol::Member;
use nt_store::KnownNode;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Status, Streaming};

use super::proof::{Meeting, Nonce, Side};
use super::proto::peers_client::PeersClient;
use super::proto::{Challenge, FromPeer, Hello, Proof, from_peer};
use super::{Began, Closing, Outbox, PROOF_WITHIN, Peers, QUEUE, VERSION};
use crate::authority::entropy::random;

/// How long a connection may take to stand.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// A peer that says nothing for so long is asked whether it is there, and has as long to answer.
const ALIVE_EACH: Duration = Duration::from_secs(2);
/// The first wait before a peer is dialled again, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Keeps streams to all other nodes.
pub struct Dialling {
    peers: Arc<Peers>,
    nodes: watch::Receiver<Vec<KnownNode>>,
    ca: Option<String>,
}

impl Dialling {
    /// To all of `nodes` but this one. `ca`: certificates (PEM) by which theirs are checked, in place
    /// of the system's.
    pub fn new(
        peers: Arc<Peers>,
        nodes: watch::Receiver<Vec<KnownNode>>,
        ca: Option<String>,
    ) -> Self {
        Self { peers, nodes, ca }
    }

    /// Goes on until it is dropped.
    pub async fn run(mut self) {
        let mut streams = JoinSet::new();
        let mut dialled: HashMap<Member, AbortHandle> = HashMap::new();
        loop {
            let mut nodes = self.nodes.borrow_and_update().clone();
            // Who is fenced may still have verifiers, and is heard until it is gone.
            let me = self.peers.me();
            nodes.retain(|known| known.member != me);
            let wanted: HashSet<Member> = nodes.iter().map(|known| known.member).collect();
            dialled.retain(|member, stream| {
                let is_wanted = wanted.contains(member);
                if !is_wanted {
                    stream.abort();
                }
                is_wanted
            });
            for KnownNode { member, address, .. } in nodes {
                dialled.entry(member).or_insert_with(|| {
                    let (peers, ca) = (Arc::clone(&self.peers), self.ca.clone());
                    streams.spawn(async move { keep(&peers, member, &address, ca).await })
                });
            }
            while streams.try_join_next().is_some() {}
            if self.nodes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Dials again and again. Why it comes to nothing is told once for each reason, from the second time in
/// a row: a node that has left is one no more by then.
async fn keep(peers: &Peers, peer: Member, address: &str, ca: Option<String>) {
    let (mut told, mut failed) = (None, false);
    let mut wait = AGAIN.0;
    loop {
        let why = match dial(peers, peer, address, ca.clone(), &mut wait).await {
            Ok(why) => {
                failed = false;
                if *peers.closing.borrow() == Closing::All {
                    return;
                }
                tracing::info!(address, why, "the stream to another node has ended");
                sleep(wait).await;
                continue;
            }
            Err(why) => why,
        };
        if *peers.closing.borrow() == Closing::All {
            return;
        }
        if std::mem::replace(&mut failed, true) && told.as_ref() != Some(&why) {
            tracing::warn!(address, why, "another node is not connected: it is tried again");
            told = Some(why);
        }
        sleep(wait).await;
        wait = (wait * 2).min(AGAIN.1);
    }
}

async fn dial(
    peers: &Peers,
    peer: Member,
    address: &str,
    ca: Option<String>,
    wait: &mut Duration,
) -> Result<String, String> {
    let channel = endpoint(address, ca).map_err(|error| error.to_string())?.connect().await;
    let channel = channel.map_err(|error| format!("{error:#}"))?;
    let (outbox, said) = mpsc::channel(QUEUE);
    let said = ReceiverStream::new(said).filter_map(Result::ok);
    let (dialled, from): (Nonce, Member) =
        (random().map_err(|error| error.to_string())?, peers.me());
    let hello = Hello {
        version: VERSION,
        from: Some(from.into()),
        to: Some(peer.into()),
        nonce: dialled.to_vec().into(),
    };
    let hello = outbox.send(Ok(from_peer::Message::Hello(hello).into()));
    hello.await.map_err(|error| error.to_string())?;
    let text = |status: Status| status.message().to_owned();
    let meeting = async {
        let answers = PeersClient::new(channel).exchange(said).await?;
        meet(peers, (from, peer), dialled, answers.into_inner(), &outbox).await
    };
    let answers = timeout(PROOF_WITHIN, meeting).await.map_err(|_| "no answer".to_owned())?;
    let answers = answers.map_err(text)?;
    *wait = AGAIN.0;
    tracing::info!(address, "connected to another node");
    let ended = peers.exchange(Began::Here, (from, peer), answers, &outbox).await;
    Ok(ended.err().map_or_else(|| "it ended".to_owned(), text))
}

/// Lets the peer prove who it is, and proves who dialled.
async fn meet(
    peers: &Peers,
    (from, to): (Member, Member),
    dialled: Nonce,
    mut answers: Streaming<FromPeer>,
    outbox: &Outbox,
) -> Result<Streaming<FromPeer>, Status> {
    let first = answers.message().await?.and_then(|first| first.message);
    let Some(from_peer::Message::Challenge(Challenge { nonce, proof })) = first else {
        return Err(Status::failed_precondition("the first answer is a Challenge"));
    };
    let answered = Nonce::try_from(nonce.as_ref());
    let answered = answered.map_err(|_| Status::invalid_argument("malformed Challenge"))?;
    let meeting = Meeting { from, to, dialled, answered };
    if !peers.key.is_proven(Side::Listens, &meeting, &proof) {
        return Err(Status::unauthenticated("the proof is not right: is the key secret the same?"));
    }
    let proof = Proof { proof: peers.key.prove(Side::Dials, &meeting).into() };
    let sent = outbox.send(Ok(from_peer::Message::Proof(proof).into())).await;
    sent.map_err(|_| Status::cancelled("the peer went away"))?;
    Ok(answers)
}

fn endpoint(address: &str, ca: Option<String>) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(address.to_owned())?
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(ALIVE_EACH)
        .keep_alive_timeout(ALIVE_EACH)
        .keep_alive_while_idle(true);
    if !address.starts_with("https:") {
        return Ok(endpoint);
    }
    let tls = ClientTlsConfig::new();
    endpoint.tls_config(match ca {
        Some(ca) => tls.ca_certificate(Certificate::from_pem(ca)),
        None => tls.with_native_roots(),
    })
}
