//! The listener: accepts connections, answers requests, and stops in order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use nt_feed::proto::feed_server::FeedServer;
use nt_feed::server::Feed;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::authority::cluster::node::Ending;
use crate::authority::cluster::peers::Listening;
use crate::authority::cluster::peers::proto::peers_server::{PeersServer, SERVICE_NAME};
use crate::authority::feed::{CLIENT, FeedSource};
use crate::authority::janitor::Janitor;
use crate::authority::seen::Last;
use crate::authority::{Authority, limits};
use crate::http::answering::Answering;
use crate::http::client_address::{Neighbour, Peer, client_address};
use crate::http::connection::converse;
use crate::http::forward_auth::unread;
use crate::http::request_body::to_its_end;
use crate::http::{Doors, ext_authz, forward_auth, router};
use crate::tls::Tls;

/// Why serving has come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was told to stop.
    InOrder,
    /// A process that starts anew goes on where this one cannot.
    ToStartAnew,
}

/// Serves until `stop` resolves, then answers what was accepted and closes the authority. One of
/// several nodes sends its verifiers elsewhere first, and goes on to answer meanwhile.
pub async fn run(
    listener: TcpListener,
    tls: Option<Tls>,
    doors: Doors,
    development: Option<Router>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Stopped> {
    let authority = Arc::clone(&doors.authority);
    let mut counting = tokio::spawn(count(Arc::clone(&authority)));
    let sweeping = tokio::spawn(sweep(Arc::clone(&authority)));
    let fetching = tokio::spawn(keep_keys_fresh(Arc::clone(&authority)));
    let measuring = tokio::spawn(measure(Arc::clone(&authority)));
    let service = Service {
        feed: authority.feed().service(),
        peers: authority.node().map(|node| Listening::service(node.peers())),
        router: router(doors.clone(), development),
        doors: Arc::new(doors),
        tls: tls.clone(),
    };
    let renewing = tls.as_ref().map(Tls::keep_fresh).transpose()?;
    let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let leaving = async {
        stop.await;
        authority.leave().await;
    };
    let (mut leaving, mut ending) = (pin!(leaving), pin!(authority.has_to_end()));
    let mut stopped = Stopped::InOrder;
    loop {
        let permit = Arc::clone(&connections).acquire_owned();
        let accepted = tokio::select! {
            () = &mut leaving => break,
            ending = &mut ending => match ending {
                Ending::Copied => bail!(
                    "another process runs as this node: give each a data directory of its own. \
                     Without the file 'node' in it, a copy takes part as another node"
                ),
                Ending::Anew => {
                    stopped = Stopped::ToStartAnew;
                    break;
                }
            },
            _ = &mut counting => bail!("the store has stopped: its state on disk is in doubt"),
            accepted = async { (permit.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, peer))) => {
                service.clone().connect(stream, peer, permit, graceful.watcher());
            }
            (Err(_), _) => break,
            // Out of file descriptors, or a connection that went away before it was accepted.
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    tls.iter().for_each(Tls::stop);
    // Streams do not end by themselves.
    authority.close_feed();
    if let Some(node) = authority.node() {
        node.peers().hang_up();
    }
    if tokio::time::timeout(limits::STOP_WAIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered in time and are cut off");
    } else {
        authority.settle_feed().await;
    }
    counting.abort();
    fetching.abort();
    sweeping.abort();
    renewing.iter().for_each(JoinHandle::abort);
    measuring.abort();
    authority.end_node().await;
    authority.close().await;
    tracing::info!("stopped");
    Ok(stopped)
}

/// Writes down what was counted, and forgets what is over, for as long as the store works. After a
/// failed `fsync` nothing that it says can be relied on, and only a new process reads what is there.
async fn count(authority: Arc<Authority>) {
    let mut interval = tokio::time::interval(limits::COUNT_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks = 0_u64;
    loop {
        interval.tick().await;
        authority.write_counts().await;
        if authority.has_lost_its_store().await {
            return;
        }
        ticks += 1;
        if ticks.is_multiple_of(600) {
            authority.forget_ended_sessions();
        }
    }
}

/// Keeps measuring how long revocations take, also where nobody waits for them, the signing keys up to
/// date, and knows of whom it speaks.
async fn measure(authority: Arc<Authority>) {
    tokio::join!(
        authority.keep_stating(),
        authority.keep_canaries(),
        authority.keep_keys(),
        authority.keep_following_the_register()
    );
}

/// Lets be forgotten what ended long ago.
async fn sweep(authority: Arc<Authority>) {
    let mut janitor = Janitor::default();
    let mut interval = tokio::time::interval(limits::SWEEP_EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = janitor.sweep(&authority).await {
            tracing::warn!(%error, "nothing could be forgotten");
        }
    }
}

/// Keeps the keys of those who vouch for operators and jobs at hand, so that no request waits for
/// them.
async fn keep_keys_fresh(authority: Arc<Authority>) {
    let of_provider = async {
        match authority.provider() {
            Some(provider) => provider.keep_keys_fresh(authority.shared_clock()).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(of_provider, authority.trusted().keep_keys_fresh(authority.shared_clock()));
}

#[derive(Clone)]
struct Service {
    feed: FeedServer<Feed<FeedSource>>,
    peers: Option<PeersServer<Listening>>,
    router: Router,
    doors: Arc<Doors>,
    tls: Option<Tls>,
}

impl Service {
    fn connect(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        watcher: Watcher,
    ) {
        // Answers are small and wanted at once.
        let _without_delay = stream.set_nodelay(true);
        let tls = self.tls.clone();
        let (this, last) = (Arc::new(self), Last::default());
        let service = service_fn(move |request| Self::answer(&this, request, peer, &last));
        tokio::spawn(async move {
            converse(stream, tls, service, watcher).await;
            drop(permit);
        });
    }

    fn answer(
        this: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        last: &Last,
    ) -> Answering {
        if forward_auth::is_asked(request.uri().path()) {
            let (headers, doors) = (request.headers(), &this.doors);
            let source = Neighbour::Peer(Peer(peer)).source(headers, &doors.proxies);
            let answer = forward_auth::answer(doors, headers, request.uri(), source, Some(last));
            return Answering::now(unread::left(request, answer));
        }
        let this = Self::clone(this);
        Answering::later(async move {
            let Ok(answer) = this.call(request, peer).await;
            answer
        })
    }

    async fn call(
        self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response, Infallible> {
        if request.uri().path() == ext_authz::CHECK && is_grpc(&request) {
            return Ok(ext_authz::answer(self.doors, Neighbour::Peer(Peer(peer)), request).await);
        }
        if is_grpc(&request) {
            let from = client_address(Peer(peer), request.headers(), &self.doors.proxies);
            if let Ok(from) = from.to_string().parse() {
                request.headers_mut().insert(CLIENT, from);
            }
            let Ok(answer) = match self.peers {
                Some(peers) if is_peers(request.uri().path()) => peers.oneshot(request).await,
                _ => self.feed.oneshot(request).await,
            };
            return Ok(answer.map(Body::new));
        }
        request.extensions_mut().insert(Peer(peer));
        self.router.oneshot(request.map(to_its_end)).await
    }
}

/// Whether a call is another node's.
fn is_peers(path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(SERVICE_NAME))
        .is_some_and(|method| method.starts_with('/'))
}

/// Whether it is a call of gRPC.
pub fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
