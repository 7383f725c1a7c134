//! Runs an edge: follows the authority, answers, and stops in order.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use nt_feed::client::Following;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::authority::limits;
use crate::edge::link::Link;
use crate::edge::listener::{Listener, Stream};
use crate::edge::proxy::settings::Settings;
use crate::edge::proxy::{self, Proxy};
use crate::edge::{Edge, routes};
use crate::http::answering::Answering;
use crate::http::client_address::Neighbour;
use crate::http::connection::converse;
use crate::http::ext_authz;
use crate::http::forward_auth;
use crate::http::request_body::to_its_end;
use crate::http::serve::is_grpc;
use crate::tls::Tls;

/// What an edge is told that has an upstream: its listener is the proxy's.
pub struct Proxying {
    /// What is proxied, and to where.
    pub settings: Settings,
    /// Where the edge's own doors are, if anywhere.
    pub admin: Option<Listener>,
}

/// Serves until `stop` resolves. Then the lease is given back first, so that no revoke waits for
/// this process, and what was accepted is answered. A proxy answers first: what it has let in goes on
/// under the lease, and a revoke waits for no such answer anyway.
pub async fn run(
    listener: Listener,
    tls: Option<Tls>,
    link: Link,
    proxying: Option<Proxying>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let edge = Arc::new(Edge::new(&link));
    let (proxy, admin) = match proxying {
        None => (None, None),
        Some(Proxying { settings, admin }) => {
            (Some(Arc::new(Proxy::new(Arc::clone(&edge), settings)?)), admin)
        }
    };
    let service = Service {
        router: routes::router(Arc::clone(&edge)),
        edge: Arc::clone(&edge),
        // Beside a proxy the doors are for whoever looks after this machine.
        tls: tls.clone().filter(|_| proxy.is_none()),
    };
    let renewing = tls.as_ref().map(Tls::keep_fresh).transpose()?;
    let connections = Arc::new(Semaphore::new(limits::CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let (mut stop, mut linking) = (pin!(stop), pin!(link.follow(&edge)));
    let mut following = None;
    loop {
        let permit = Arc::clone(&connections).acquire_owned();
        let accepted = tokio::select! {
            () = &mut stop => break,
            linked = &mut linking, if following.is_none() => {
                following = Some(linked?);
                continue;
            }
            accepted = async { (permit.await, next(&listener, admin.as_ref()).await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((At::Listener, stream, neighbour))) if let Some(proxy) = &proxy => {
                let (proxy, tls) = (Arc::clone(proxy), tls.clone());
                proxy::serve::connect(proxy, stream, neighbour, tls, permit, graceful.watcher());
            }
            (Ok(permit), Ok((_, stream, neighbour))) => {
                service.clone().connect(stream, neighbour, permit, graceful.watcher());
            }
            (Err(_), _) => break,
            // Out of file descriptors, or a connection that went away before it was accepted.
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    if proxy.is_none() {
        leave(following.take()).await;
    }
    drop((listener, admin));
    tls.iter().for_each(Tls::stop);
    renewing.iter().for_each(JoinHandle::abort);
    let answered = async {
        graceful.shutdown().await;
        // What has become another protocol's keeps its place.
        let all = u32::try_from(limits::CONNECTIONS).unwrap_or(u32::MAX);
        let _all_have_ended = connections.acquire_many(all).await;
    };
    if tokio::time::timeout(limits::STOP_WAIT, answered).await.is_err() {
        tracing::warn!("some requests were not answered in time and are cut off");
    }
    leave(following).await;
    tracing::info!("stopped");
    Ok(())
}

/// Gives the lease back, and says so.
async fn leave(following: Option<Following>) {
    if let Some(following) = following {
        following.stop().await;
    }
}

/// Where a connection came in.
enum At {
    Listener,
    Admin,
}

async fn next(
    listener: &Listener,
    admin: Option<&Listener>,
) -> io::Result<(At, Box<dyn Stream>, Neighbour)> {
    let at = |at, (stream, neighbour)| (at, stream, neighbour);
    let Some(admin) = admin else { return Ok(at(At::Listener, listener.accept().await?)) };
    tokio::select! {
        accepted = listener.accept() => Ok(at(At::Listener, accepted?)),
        accepted = admin.accept() => Ok(at(At::Admin, accepted?)),
    }
}

#[derive(Clone)]
struct Service {
    router: Router,
    edge: Arc<Edge>,
    tls: Option<Tls>,
}

impl Service {
    fn connect(
        self,
        stream: Box<dyn Stream>,
        neighbour: Neighbour,
        permit: OwnedSemaphorePermit,
        watcher: Watcher,
    ) {
        let tls = self.tls.clone();
        let this = Arc::new(self);
        let service = service_fn(move |request| Self::answer(&this, request, neighbour));
        tokio::spawn(async move {
            converse(stream, tls, service, watcher).await;
            drop(permit);
        });
    }

    fn answer(this: &Arc<Self>, request: Request<Incoming>, neighbour: Neighbour) -> Answering {
        if forward_auth::is_asked(request.uri().path()) {
            return routes::token_auth(&this.edge, request, neighbour);
        }
        let this = Self::clone(this);
        Answering::later(async move {
            let Ok(answer) = this.call(request, neighbour).await;
            answer
        })
    }

    async fn call(
        self,
        request: Request<Incoming>,
        neighbour: Neighbour,
    ) -> Result<Response, Infallible> {
        if request.uri().path() == ext_authz::CHECK && is_grpc(&request) {
            return Ok(ext_authz::answer(self.edge, neighbour, request).await);
        }
        self.router.oneshot(request.map(to_its_end)).await
    }
}
