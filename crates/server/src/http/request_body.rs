//! The body of a request, which its door may leave where it is: one that refuses whoever sends no
//! credential answers before it. What is left then is taken off the connection (`forward_auth/unread`).

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use crate::http::forward_auth::unread;

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
            unread::take_off(body);
        }
    }
}
