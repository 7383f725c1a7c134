//! The verifier's end: follows an authority for as long as it is wanted.
//!
//! Without a connection the lease runs out, and the verifier refuses. A verifier without a lease tries
//! a fresh connection each 100 ms. An authority whose log does not go through what was once applied here
//! is not followed: it has lost history, and would bring revoked tokens back to life.

mod authority_url;
mod connect;
mod introduction;
mod keys;
mod known;
mod position_file;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use nt_revocation::Position;
use nt_verifier::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

pub use authority_url::{AuthorityUrl, NoOrigin};
pub use connect::{NotConnected, PlainHttp, Settings, connect, heard};
pub use introduction::{NotTold, introduce};
use known::Known;
pub use position_file::NoPosition;
use session::{Ended, NOT_ADMITTED, Session};

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
    follow_from(endpoint, follower, state, None)
}

/// What a verifier's disk says of how far it has been, and where that is kept up to date.
struct Kept {
    file: PathBuf,
    position: Option<Position>,
    lock: position_file::Lock,
}

fn follow_from(
    endpoint: Endpoint,
    follower: Follower,
    state: State,
    kept: Option<Kept>,
) -> Following {
    let endpoint = endpoint
        .connect_timeout(CONNECT_WITHIN)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_EACH)
        .keep_alive_timeout(KEEPALIVE_WITHIN)
        .keep_alive_while_idle(true);
    let (wanted, until) = watch::channel(true);
    let witness = watch::Sender::new(kept.as_ref().and_then(|kept| kept.position));
    let positions = witness.subscribe();
    let known = Known::new(state, witness);
    let task = tokio::spawn(async move {
        match kept {
            None => run(endpoint, follower, known, until).await,
            // The keeper ends when what is known does.
            Some(Kept { file, lock, .. }) => {
                let keeper = position_file::keep(file, positions);
                tokio::join!(run(endpoint, follower, known, until), keeper);
                drop(lock);
            }
        }
    });
    Following { wanted, task }
}

async fn run(
    endpoint: Endpoint,
    follower: Follower,
    mut known: Known,
    mut wanted: watch::Receiver<bool>,
) {
    let mut position = None;
    let mut told = None;
    let mut misfits = 0_u32;
    loop {
        let witness = known.witness();
        let session = Session { endpoint: &endpoint, follower: &follower, position, witness };
        let ended = session.run(&mut known, &mut wanted).await;
        position = known.position();
        let mut pause = RETRY_EACH;
        match ended {
            Ended::Unwanted => break,
            Ended::Lost(why) => {
                tracing::warn!(why, "the connection to the feed ended");
                told = None;
            }
            // Each reason once, not ten times a second.
            Ended::Unreached(why) if told.as_ref() == Some(&why) => {}
            Ended::Unreached(why) => {
                tracing::warn!(why, "the feed cannot be reached");
                told = Some(why);
            }
            // What is known stays: the lease ends by itself, and a credential may be known again.
            Ended::NotAdmitted => {
                pause = RETRY_REFUSED;
                if told.as_deref() != Some(NOT_ADMITTED) {
                    tracing::error!("{NOT_ADMITTED}");
                    told = Some(NOT_ADMITTED.to_owned());
                }
            }
            Ended::Refused(why) => {
                known.give_up();
                pause = RETRY_REFUSED;
                if told.as_ref() != Some(&why) {
                    tracing::error!("this authority is not followed, and no token accepted: {why}");
                    told = Some(why);
                }
            }
            Ended::Misfit(why) => {
                tracing::warn!(why, "what is known here does not fit the feed: asking anew");
                known.give_up();
                position = None;
                // Once is a matter of course. Again and again, each time by a whole snapshot, is one of
                // two programs that do not understand each other.
                misfits += 1;
                if misfits > 1 {
                    pause = RETRY_REFUSED;
                }
            }
        }
        if known.position().is_some() {
            misfits = 0;
        }
        let stopped = wanted.wait_for(|wanted| !wanted);
        if timeout(jittered(pause), stopped).await.is_ok() {
            break;
        }
    }
    // Where it was not said to the authority, it waits for the lease's end.
    known.leave();
}

/// Between half and one and a half times as long, so that verifiers do not come back all at once.
fn jittered(length: Duration) -> Duration {
    let mut draw = [0; 1];
    // Without randomness it is merely punctual.
    let drawn = aws_lc_rs::rand::fill(&mut draw).map_or(128, |()| u32::from(draw[0]));
    length / 2 + length * drawn / 255
}
