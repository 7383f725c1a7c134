//! The layer in a real axum service, over a socket.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Extension;
use axum::routing::get;
use axum::{Router, serve};
use http_body::Frame;
use nt_token::clock::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::world::*;
use crate::VerifiedToken;
use crate::layer::BearerLayer;

/// Long enough for a busy machine; nothing waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event, and then a wait that only the layer ends.
struct Events(Option<Bytes>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |event| Poll::Ready(Some(Ok(Frame::data(event)))))
    }
}

async fn events(Extension(token): Extension<VerifiedToken>) -> Body {
    Body::new(Events(Some(format!("data: hello {}\n\n", token.claims().sub).into())))
}

async fn read_until(stream: &mut TcpStream, sign: &str) -> String {
    let mut text = String::new();
    let mut piece = [0; 1_024];
    while !text.contains(sign) {
        let read = timeout(PATIENCE, stream.read(&mut piece)).await.expect("in time");
        let read = read.expect("no reset so early");
        assert!(read > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&piece[..read]).expect("text"));
    }
    text
}

#[tokio::test]
async fn a_stream_of_events_is_cut_off_at_the_client_when_its_token_is_revoked() {
    let world = World::at(Arc::new(ManualClock::at(ISSUED)), None);
    world.renew();
    let router =
        Router::new().route("/", get(events)).layer(BearerLayer::new(world.verifier.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move { serve(listener, router).await });

    let mut client = TcpStream::connect(address).await.expect("connected");
    let token = world.token(0, HERE);
    let request =
        format!("GET / HTTP/1.1\r\nHost: service\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("sent");
    let text = read_until(&mut client, "data: hello").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");

    world.apply(revoke(HERE));
    let mut rest = Vec::new();
    // Closed or reset: what matters is that it is over, without the mark of a proper end.
    let _ = timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("cut in time");
    let rest = String::from_utf8_lossy(&rest);
    assert!(!rest.ends_with("0\r\n\r\n"), "the end looked proper: {rest:?}");

    let mut client = TcpStream::connect(address).await.expect("connected");
    client.write_all(request.as_bytes()).await.expect("sent");
    let text = read_until(&mut client, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    server.abort();
}
