//! The bodies on their way. Neither is kept here, and both are cut when their token ends.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use http_body_util::Either;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use nt_verifier::VerifiedToken;
use nt_verifier::layer::CutBody;

use crate::edge::proxy::upstream::Lease;

/// A request's body, as the upstream gets it.
pub(super) struct Upload {
    body: Either<CutBody<Incoming>, Incoming>,
    whole: Whole,
}

/// Whether a request's body was read to its end.
#[derive(Debug, Clone)]
pub(super) enum Whole {
    /// There was nothing to read.
    FromTheFirst,
    /// It is, when this is raised.
    When(Arc<AtomicBool>),
}

impl Whole {
    pub(super) fn is_so(&self) -> bool {
        match self {
            Self::FromTheFirst => true,
            Self::When(raised) => raised.load(Ordering::Acquire),
        }
    }
}

impl Upload {
    /// What a client sends, for as long as the token is good that it is let in by, if there is one.
    pub(super) fn new(body: Incoming, token: Option<VerifiedToken>) -> Self {
        if body.is_end_stream() {
            return Self { body: Either::Right(body), whole: Whole::FromTheFirst };
        }
        let whole = Whole::When(Arc::default());
        let body = match token {
            Some(token) => Either::Left(CutBody::new(body, token)),
            None => Either::Right(body),
        };
        Self { body, whole }
    }

    /// Tells when all of it was read.
    pub(super) fn whole(&self) -> Whole {
        self.whole.clone()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let is_last = frame.is_none() || self.body.is_end_stream();
        if let (true, Whole::When(whole)) = (is_last, &self.whole) {
            whole.store(!matches!(frame, Some(Err(_))), Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, which gives its connection to the upstream back when it has come to its end. One
/// that is dropped before closes it.
pub(super) struct Download {
    body: Incoming,
    lease: Option<Lease>,
}

impl Download {
    pub(super) fn new(body: Incoming, lease: Lease) -> Self {
        let mut this = Self { body, lease: Some(lease) };
        this.look_for_the_end();
        this
    }

    fn look_for_the_end(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            None => self.end(),
            Some(Ok(_)) => self.look_for_the_end(),
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
