//! The body of an answer, for as long as its token is good.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use nt_verifier::VerifiedToken;
use nt_verifier::layer::{CutBody, CutError};
use tokio::task::JoinHandle;

use crate::edge::proxy::body::Download;
use crate::edge::proxy::cut::Cut;

/// What passes before somebody watches apart from the body, in bytes. A body that is not asked for more,
/// because its client does not read, learns of nothing; one that is shorter fits into what is on its
/// way.
const UNWATCHED: usize = 256 * 1024;

/// The body, and the connection that is its own, if one is.
pub(super) struct Answer {
    body: CutBody<Download>,
    token: VerifiedToken,
    cut: Option<Arc<Cut>>,
    passed: usize,
    watching: Option<JoinHandle<()>>,
}

impl Answer {
    pub(super) fn new(body: Download, token: VerifiedToken, cut: Option<Arc<Cut>>) -> Self {
        let body = CutBody::new(body, token.clone());
        Self { body, token, cut, passed: 0, watching: None }
    }

    fn look_at(&mut self, data: &Bytes) {
        self.passed = self.passed.saturating_add(data.len());
        if let (None, Some(cut)) = (&self.watching, &self.cut)
            && self.passed > UNWATCHED
        {
            let (ended, cut) = (self.token.ended(), Arc::clone(cut));
            self.watching = Some(tokio::spawn(async move {
                ended.await;
                cut.now();
            }));
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.watching.iter().for_each(JoinHandle::abort);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = CutError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match (&frame, &self.cut) {
            (Some(Err(_)), Some(cut)) => cut.at_its_end(),
            (Some(Ok(frame)), Some(_)) => {
                if let Some(data) = frame.data_ref() {
                    self.look_at(data);
                }
            }
            _ => {}
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
