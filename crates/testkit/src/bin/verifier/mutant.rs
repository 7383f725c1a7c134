//! Verifiers that break a rule, for the checker to see.
//!
//! What is not here: a verifier that looks at the state before the lease's end. That order is not to
//! be had from the public parts; `nt-verifier`'s own tests break it under loom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use clap::ValueEnum;
use nt_feed::client::Follower;
use nt_feed::proto::feed_client::FeedClient;
use nt_feed::proto::{self, FromVerifier, from_authority, from_verifier};
use nt_revocation::{Entry, RevocationSet};
use nt_token::KeySet;
use nt_token::jwk::Jwks;
use nt_verifier::State;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

/// Which rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mutant {
    /// "Never cache a verdict": whoever came in once comes in for ever.
    VerdictCached,
    /// "An acknowledgement means that every later check sees it": it is sent before that.
    AckBeforeApply,
    /// "Good is said under a lease only": one grant is enough for an hour.
    IgnoresLease,
}

/// How much later than acknowledged an entry is applied.
const LAG: Duration = Duration::from_millis(300);
/// How long a lease lasts to whom its length says nothing.
const FOR_EVER: Duration = Duration::from_hours(1);
/// Between two renewals, and two attempts to connect.
const RENEW_EACH: Duration = Duration::from_millis(500);
const RETRY_EACH: Duration = Duration::from_millis(100);

/// Lets whoever was accepted once in, without another look.
pub(crate) fn with_cached_verdicts(routes: Router) -> Router {
    let accepted = Arc::new(Mutex::new(BTreeSet::new()));
    routes.layer(from_fn(move |request: Request, next: Next| {
        let accepted = Arc::clone(&accepted);
        async move {
            let credential = request.headers().get(AUTHORIZATION).cloned();
            let credential = credential.map(|value| value.as_bytes().to_vec()).unwrap_or_default();
            if accepted.lock().expect("nobody panics with it").contains(&credential) {
                return StatusCode::OK.into_response();
            }
            let response = next.run(request).await;
            if response.status() == StatusCode::OK {
                accepted.lock().expect("nobody panics with it").insert(credential);
            }
            response
        }
    }))
}

/// Follows as `nt_feed::client` does, but for one rule; of several nodes one after the other.
pub(crate) async fn follow(
    endpoints: Vec<Endpoint>,
    follower: Follower,
    state: State,
    mutant: Mutant,
) {
    let state = Arc::new(state);
    let (late, mut queue) = mpsc::unbounded_channel::<Vec<Entry>>();
    let applied_late = Arc::clone(&state);
    tokio::spawn(async move {
        while let Some(entries) = queue.recv().await {
            tokio::time::sleep(LAG).await;
            // What a snapshot brought meanwhile is there already.
            let _known = applied_late.apply_all(&entries);
        }
    });
    for endpoint in endpoints.iter().cycle() {
        let ended = session(endpoint, &follower, &state, mutant, &late).await;
        eprintln!("the session ended: {ended:?}");
        tokio::time::sleep(RETRY_EACH).await;
    }
}

async fn session(
    endpoint: &Endpoint,
    follower: &Follower,
    state: &State,
    mutant: Mutant,
    late: &mpsc::UnboundedSender<Vec<Entry>>,
) -> Result<()> {
    use from_authority::Message;
    let (says, queue) = mpsc::channel(64);
    let say = async |message| says.send(FromVerifier { message: Some(message) }).await;
    say(from_verifier::Message::Hello(proto::Hello {
        version: 1,
        name: follower.name.clone(),
        instance: follower.instance.to_vec().into(),
        position: None,
        witness: None,
    }))
    .await?;
    let mut call = tonic::Request::new(ReceiverStream::new(queue));
    call.metadata_mut().insert("authorization", follower.authorization.clone());
    let mut answers = FeedClient::new(endpoint.connect().await?).follow(call).await?.into_inner();
    let (mut snapshot, mut acked, mut asked_when) = (Vec::new(), None, BTreeMap::new());
    let mut renew = tokio::time::interval(RENEW_EACH);
    loop {
        let answer = tokio::select! {
            answer = answers.message() => answer?.and_then(|answer| answer.message),
            _ = renew.tick(), if acked.is_some() => {
                let nonce = u64::try_from(asked_when.len())?;
                asked_when.insert(nonce, state.clock().boot());
                let acked = acked.unwrap_or_default();
                say(from_verifier::Message::Renew(proto::Renew { nonce, acked, epoch: 1 })).await?;
                continue;
            }
        };
        match answer.context("the stream ended")? {
            Message::Welcome(_) | Message::Heartbeat(_) | Message::Leaving(_) => {}
            Message::Resync(resync) => bail!("{}", resync.reason),
            Message::Snapshot(piece) => {
                snapshot.extend_from_slice(&piece.bytes);
                if piece.last {
                    let set = RevocationSet::from_snapshot(&std::mem::take(&mut snapshot))?;
                    let keys = set.keys();
                    let keys = keys.iter().map(|jwk| serde_json::from_str(jwk));
                    let keys = Jwks { keys: keys.collect::<Result<_, _>>()? };
                    state.set_keys(KeySet::from_jwks(&keys)?);
                    acked = Some(set.applied());
                    state.replace(set)?;
                }
            }
            Message::Entries(run) => {
                let entries: Vec<Entry> =
                    run.entries.iter().map(Entry::try_from).collect::<Result<_, _>>()?;
                let seq = entries.last().map(|entry| entry.seq).context("entries")?;
                if mutant == Mutant::AckBeforeApply {
                    late.send(entries)?;
                } else {
                    state.apply_all(&entries)?;
                }
                acked = Some(seq);
                say(from_verifier::Message::Ack(proto::Ack { epoch: run.epoch, seq })).await?;
            }
            Message::Grant(grant) => {
                let began = asked_when.get(&grant.nonce).context("a grant that was asked for")?;
                let length = Duration::from_millis(grant.length_ms);
                let length = if mutant == Mutant::IgnoresLease { FOR_EVER } else { length };
                state.extend_lease(began.after(length));
            }
        }
    }
}
