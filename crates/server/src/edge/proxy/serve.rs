//! The proxy's connections.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;

use crate::authority::limits;
use crate::edge::listener::Stream;
use crate::edge::proxy::cut::Cuttable;
use crate::edge::proxy::{Connection, Proxy};
use crate::http::client_address::Neighbour;
use crate::http::connection::beginning::Beginning;
use crate::tls::Tls;

/// Answers what comes over a connection, until it ends or is to stop.
pub(in crate::edge) fn connect(
    proxy: Arc<Proxy>,
    stream: Box<dyn Stream>,
    neighbour: Neighbour,
    tls: Option<Tls>,
    permit: OwnedSemaphorePermit,
    watcher: Watcher,
) {
    let (stream, cut) = Cuttable::new(stream);
    let from = Connection { neighbour, encrypted: tls.is_some(), held: Arc::new(permit), cut };
    tokio::spawn(async move {
        match tls {
            None => converse(proxy, stream, from, watcher).await,
            Some(tls) => {
                if let Some((stream, _certificate)) = tls.accept(stream).await {
                    converse(proxy, stream, from, watcher).await;
                }
            }
        }
    });
}

async fn converse<I>(proxy: Arc<Proxy>, stream: I, from: Connection, watcher: Watcher)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let cut = Arc::clone(&from.cut);
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, from) = (Arc::clone(&proxy), from.clone());
        async move { Ok::<_, Infallible>(proxy.answer(request, &from).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(limits::HEAD_WAIT);
    http1.max_buf_size(limits::PROXY_BUFFER).writev(false);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(limits::HEAD_WAIT);
    http2.adaptive_window(true).max_header_list_size(limits::PROXY_HEAD);
    let stream = Beginning::new(stream, limits::HEAD_WAIT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = cut.told() => tracing::debug!("a connection was cut"),
        served = watcher.watch(connection.into_owned()) => if let Err(error) = served {
            tracing::debug!(%error, "a connection ended with an error");
        },
    }
}
