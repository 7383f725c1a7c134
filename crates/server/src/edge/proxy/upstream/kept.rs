//! Connections to the upstream between two requests: in HTTP/1.1 one request has one at a time, in
//! HTTP/2 many share one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use nt_token::clock::Stopwatch;

use crate::authority::limits;
use crate::edge::proxy::body::{Upload, Whole};
use crate::edge::proxy::upstream::connect::Spoken;

type Unsent = Option<Request<Upload>>;

/// A connection over which a request is sent.
pub(super) enum Line {
    One(One),
    Shared(Shared),
}

/// One that nobody else uses meanwhile.
pub(super) struct One {
    sender: http1::SendRequest<Upload>,
    kept: Weak<Kept>,
}

/// One that others use too.
#[derive(Clone)]
pub(super) struct Shared {
    sender: http2::SendRequest<Upload>,
    /// As many hold one as requests are under way, and one is kept.
    users: Arc<()>,
}

impl Line {
    pub(super) fn one(sender: http1::SendRequest<Upload>) -> Self {
        Self::One(One { sender, kept: Weak::new() })
    }

    pub(super) fn shared(sender: http2::SendRequest<Upload>) -> Self {
        Self::Shared(Shared { sender, users: Arc::default() })
    }

    pub(super) fn spoken(&self) -> Spoken {
        match self {
            Self::One(_) => Spoken::Http1,
            Self::Shared(_) => Spoken::Http2,
        }
    }

    /// Sends a request. One of which nothing was written comes back with the error.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, (hyper::Error, Unsent)> {
        let sent = match self {
            Self::One(one) => one.sender.try_send_request(request).await,
            Self::Shared(shared) => shared.sender.try_send_request(request).await,
        };
        sent.map_err(|mut failed| {
            let unsent = failed.take_message();
            (failed.into_error(), unsent)
        })
    }

    /// The right to the connection, for as long as the answer takes.
    pub(super) fn lease(self, whole: Whole) -> Lease {
        Lease(Some((self, whole)))
    }
}

/// The right to a connection. Dropped before its end, it closes one that nobody shares.
pub(in crate::edge::proxy) struct Lease(Option<(Line, Whole)>);

impl Lease {
    /// To one that is no longer HTTP's.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// The answer came to its end. Where the request did too, the connection is good for another.
    pub(in crate::edge::proxy) fn give_back(self) {
        if let Some((Line::One(one), whole)) = self.0
            && whole.is_so()
            && let Some(kept) = one.kept.upgrade()
        {
            kept.keep(one.sender);
        }
    }
}

/// The connections that are kept.
#[derive(Default)]
pub(super) struct Kept {
    /// The one that was used last is at the end, and is used first: the others may grow old.
    idle: Mutex<VecDeque<(http1::SendRequest<Upload>, Stopwatch)>>,
    shared: Mutex<Vec<Shared>>,
}

impl Kept {
    /// One of them, if one is free.
    pub(super) async fn line(self: &Arc<Self>) -> Option<Line> {
        if let Some(shared) = self.shared_line() {
            return Some(Line::Shared(shared));
        }
        loop {
            let (mut sender, since) = lock(&self.idle).pop_back()?;
            // It may be about to be closed over there. All others are older.
            if since.elapsed() > limits::UPSTREAM_IDLE {
                lock(&self.idle).clear();
                return None;
            }
            if sender.ready().await.is_ok() {
                return Some(Line::One(One { sender, kept: Arc::downgrade(self) }));
            }
        }
    }

    /// Lets others use a new connection too, or the next one after this one.
    pub(super) fn share(self: &Arc<Self>, line: Line) -> Line {
        match line {
            Line::One(one) => Line::One(One { kept: Arc::downgrade(self), ..one }),
            Line::Shared(shared) => {
                lock(&self.shared).push(shared.clone());
                Line::Shared(shared)
            }
        }
    }

    fn shared_line(&self) -> Option<Shared> {
        let mut all = lock(&self.shared);
        all.retain(|shared| !shared.sender.is_closed());
        let free = |shared: &&Shared| Arc::strong_count(&shared.users) <= limits::UPSTREAM_STREAMS;
        all.iter().find(free).cloned()
    }

    fn keep(&self, sender: http1::SendRequest<Upload>) {
        let mut idle = lock(&self.idle);
        if idle.len() >= limits::UPSTREAM_KEPT {
            idle.pop_front();
        }
        idle.push_back((sender, Stopwatch::start()));
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
