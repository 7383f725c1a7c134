//! The body of a request, which its door may leave where it is: one that refuses whoever sends no
//! credential answers before it. What is left then is taken off the connection ([`take_off`]).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::authority::limits::BODY_BYTES;

/// How long a body is waited for after the answer, so that the connection can be used again.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

/// The body, for a door.
pub fn to_its_end(body: Incoming) -> Body {
    if body.is_end_stream() { Body::empty() } else { Body::new(ToItsEnd(Some(body))) }
}

struct ToItsEnd(Option<Incoming>);

impl hyper::body::Body for ToItsEnd {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for ToItsEnd {
    fn drop(&mut self) {
        if let Some(body) = self.0.take() {
            take_off(body);
        }
    }
}

/// Reads what is left of a body and throws it away, within limits, and nobody waits for it.
pub fn take_off(body: Incoming) {
    if !body.is_end_stream() {
        // It ends by itself, in time.
        let _draining = tokio::spawn(tokio::time::timeout(DRAIN_WAIT, drain(body)));
    }
}

async fn drain(mut body: Incoming) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > 16 * BODY_BYTES {
            return;
        }
    }
}
