//! The verifier's end: follows an authority for as long as it is wanted.
//!
//! Without a connection the lease runs out, and the verifier refuses. A verifier without a lease tries
//! a fresh connection each 100 ms. Of an authority's several nodes one is followed at a time: `run` says
//! which, `links` when another is sought. An authority whose log does not go through what was once applied here
//! is not followed: it has lost history, and would bring revoked tokens back to life.

mod authority_url;
mod connect;
mod current;
mod identity;
mod introduction;
mod keys;
mod known;
mod links;
mod position_file;
mod rounds;
mod run;
mod session;
mod told;
mod way;

use std::path::PathBuf;
use std::time::Duration;

use nt_revocation::Position;
use nt_verifier::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

pub use authority_url::{AuthorityUrl, NoOrigin};
pub use connect::{NotConnected, PlainHttp, Settings, connect, heard};
pub(crate) use current::Current;
pub use identity::{Identity, NoIdentity};
pub(crate) use identity::{Pem, Shows};
pub use introduction::{NotTold, introduce};
use known::Known;
pub use position_file::{NoPosition, read_position};
use run::Run;
use told::Told;
use way::Way;

/// A connection is made within this, else another is tried.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Between two attempts, give or take half.
const RETRY_EACH: Duration = Duration::from_millis(100);
/// The same where somebody has to look after the authority first.
const RETRY_REFUSED: Duration = Duration::from_secs(1);
/// A connection that is silent for so long is asked whether it lives. Longer than between two renewals,
/// whose answers say so by themselves.
const KEEPALIVE_EACH: Duration = Duration::from_millis(750);
/// It answers within this.
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(1);
/// A stop waits this long for the release to be sent.
const RELEASE_WITHIN: Duration = Duration::from_secs(1);

/// Who follows.
#[derive(Debug, Clone)]
pub struct Follower {
    /// What people call it: at most 128 bytes, no control characters.
    pub name: String,
    /// Drawn at random when the process started.
    pub instance: [u8; 16],
    /// What the authority is shown: `Bearer …`. Mark it as sensitive.
    pub authorization: MetadataValue<Ascii>,
}

/// A running follower. Dropping it ends it in order, as [`Self::stop`] does, without waiting.
#[derive(Debug)]
pub struct Following {
    wanted: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Following {
    /// Ends the lease, says so to the authority, and waits until it is said.
    pub async fn stop(self) {
        self.wanted.send_replace(false);
        // An abort or a panic of the task ended it too; the lease then runs out by itself.
        let _ended = self.task.await;
    }

    /// Ends it as a crash would: nothing is released.
    pub fn abort(self) {
        self.task.abort();
    }
}

/// Follows the authority at this endpoint until what this returns is dropped. Must be called within a
/// tokio runtime. [`connect`] makes the verifier too. An endpoint with a `user_agent` of
/// `program/version` is listed under that by the authority.
pub fn follow(endpoint: Endpoint, follower: Follower, state: State) -> Following {
    follow_any(vec![endpoint], follower, state)
}

/// The same for an authority of several nodes: one of them is followed at a time, the first of these to
/// begin with, and another as soon as that one ends or grants no more.
pub fn follow_any(endpoints: Vec<Endpoint>, follower: Follower, state: State) -> Following {
    let ways = endpoints.into_iter().map(Way::from).collect();
    follow_from(ways, 0, follower, state, Current::default(), None)
}

/// What a verifier's disk says of how far it has been, and where that is kept up to date.
struct Kept {
    file: PathBuf,
    position: Option<Position>,
    lock: position_file::Lock,
}

fn follow_from(
    ways: Vec<Way>,
    first: usize,
    follower: Follower,
    state: State,
    current: Current,
    kept: Option<Kept>,
) -> Following {
    let alive = |endpoint: Endpoint| {
        endpoint
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE_EACH)
            .keep_alive_timeout(KEEPALIVE_WITHIN)
            .keep_alive_while_idle(true)
    };
    let ways = ways.into_iter().map(|way| way.map(alive)).collect();
    let (wanted, until) = watch::channel(true);
    let witness = watch::Sender::new(kept.as_ref().and_then(|kept| kept.position));
    let positions = witness.subscribe();
    let run = Run::new(ways, first, follower, Known::new(state, witness), current);
    let task = tokio::spawn(async move {
        match kept {
            None => run.run(until).await,
            // The keeper ends when what is known does.
            Some(Kept { file, lock, .. }) => {
                let keeper = position_file::keep(file, positions);
                tokio::join!(run.run(until), keeper);
                drop(lock);
            }
        }
    });
    Following { wanted, task }
}

/// Between half and one and a half times as long, so that verifiers do not come back all at once.
fn jittered(length: Duration) -> Duration {
    let mut draw = [0; 1];
    // Without randomness it is merely punctual.
    let drawn = aws_lc_rs::rand::fill(&mut draw).map_or(128, |()| u32::from(draw[0]));
    length / 2 + length * drawn / 255
}
