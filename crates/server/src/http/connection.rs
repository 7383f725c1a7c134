//! One connection: its handshake, its protocol, and how long a client may take. What is answered is the
//! listeners' matter.

pub mod beginning;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::time::Duration;

use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::authority::limits;
use crate::http::connection::beginning::Beginning;
use crate::tls::Tls;
use crate::tls::clients::ClientCertificate;

/// Answers what comes over one connection, until it ends or is to stop. Where there is TLS, nothing is
/// heard before the handshake.
pub async fn converse<I, S>(stream: I, tls: Option<Tls>, service: S, watcher: Watcher)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    match tls {
        None => converse_openly(stream, service, watcher).await,
        Some(tls) => {
            if let Some((stream, certificate)) = tls.accept(stream).await {
                converse_openly(stream, showing(service, certificate), watcher).await;
            }
        }
    }
}

/// The same service, told which certificate the client has shown.
fn showing<S>(
    service: S,
    certificate: Option<ClientCertificate>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response,
    Error = Infallible,
    Future = S::Future,
>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    service_fn(move |mut request: Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        service.call(request)
    })
}

async fn converse_openly<I, S>(stream: I, service: S, watcher: Watcher)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    talk(stream, service, watcher, Patience::default()).await;
}

/// How long clients are waited for.
struct Patience {
    /// For a request's head, or anything at all.
    head: Duration,
    /// For the answer to a ping of HTTP/2, which is sent when nothing came for as long.
    ping: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: limits::HEAD_WAIT, ping: limits::PING_WAIT }
    }
}

async fn talk<I, S>(stream: I, service: S, watcher: Watcher, patience: Patience)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: hyper::service::Service<Request<Incoming>, Response = Response, Error = Infallible>
        + Send
        + 'static,
    S::Future: Send,
{
    let builder = protocols(&patience);
    let stream = Beginning::new(stream, patience.head);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// HTTP/1.1 and HTTP/2, each within limits.
fn protocols(patience: &Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(limits::HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.head)
        .keep_alive_timeout(patience.ping)
        .max_header_list_size(u32::try_from(limits::HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits::STREAMS);
    builder
}
