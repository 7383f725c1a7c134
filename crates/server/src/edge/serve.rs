//! Runs an edge: follows the authority, answers, and stops in order.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::authority::limits;
use crate::edge::link::Link;
use crate::edge::listener::{Listener, Stream};
use crate::edge::{Edge, routes};
use crate::http::client_address::Neighbour;
use crate::http::ext_authz;
use crate::http::forward_auth::{self, unread};
use crate::http::serve::{converse, is_grpc};
use crate::tls::Tls;

/// Serves until `stop` resolves. Then the lease is given back first, so that no revoke waits for
/// this process, and what was accepted is answered.
pub async fn run(
    listener: Listener,
    tls: Option<Tls>,
    link: Link,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let edge = Arc::new(Edge::new(&link));
    let service = Service {
        router: routes::router(Arc::clone(&edge)),
        edge: Arc::clone(&edge),
        tls: tls.clone(),
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
            accepted = async { (permit.await, listener.accept().await) } => accepted,
        };
        match accepted {
            (Ok(permit), Ok((stream, neighbour))) => {
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
    if let Some(following) = following {
        following.stop().await;
    }
    drop(listener);
    tls.iter().for_each(Tls::stop);
    renewing.iter().for_each(JoinHandle::abort);
    if tokio::time::timeout(limits::STOP_WAIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were not answered in time and are cut off");
    }
    tracing::info!("stopped");
    Ok(())
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
        let service = service_fn(move |request| self.clone().call(request, neighbour));
        tokio::spawn(async move {
            converse(stream, tls, service, watcher).await;
            drop(permit);
        });
    }

    async fn call(
        self,
        request: Request<Incoming>,
        neighbour: Neighbour,
    ) -> Result<Response, Infallible> {
        if forward_auth::is_asked(request.uri().path()) {
            let (headers, edge) = (request.headers(), &self.edge);
            let source = neighbour.source(headers, &edge.proxies);
            let answer = routes::token_auth(edge, headers, request.uri(), source).await;
            return Ok(unread::left(request, answer));
        }
        if request.uri().path() == ext_authz::CHECK && is_grpc(&request) {
            return Ok(ext_authz::answer(self.edge, neighbour, request).await);
        }
        self.router.oneshot(request.map(Body::new)).await
    }
}
