//! A body that is cut when the token ends that it is sent under.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::token::{End, VerifiedToken};

type Ended = Pin<Box<dyn Future<Output = End> + Send>>;

pin_project! {
    /// The body of an answer, or of a request. When the token ends it fails, which aborts the connection
    /// or resets the stream: the other side must see that this is not the whole.
    ///
    /// What is at hand at once is sent without another look; a body that goes on is looked after
    /// between its frames and while it waits.
    pub struct CutBody<B> {
        #[pin]
        inner: Option<B>,
        token: Option<VerifiedToken>,
        ended: Option<Ended>,
        begun: bool,
        over: bool,
    }
}

/// Why a body could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The token ended that it was sent under.
    #[error("answer cut: {0}")]
    Ended(End),
    /// The body itself failed.
    #[error(transparent)]
    Inner(Box<dyn Error + Send + Sync>),
}

impl<B> CutBody<B> {
    /// This body, for as long as the token is good: of an answer, or of a request that is passed on.
    pub fn new(inner: B, token: VerifiedToken) -> Self {
        Self { inner: Some(inner), token: Some(token), ended: None, begun: false, over: false }
    }

    pub(super) fn empty() -> Self {
        Self { inner: None, token: None, ended: None, begun: false, over: true }
    }
}

impl<B> Body for CutBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = CutError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, CutError>>> {
        let mut this = self.project();
        let (false, Some(inner), Some(token)) =
            (*this.over, this.inner.as_mut().as_pin_mut(), this.token.as_ref())
        else {
            return Poll::Ready(None);
        };
        if *this.begun
            && let Ok(end) = token.end()
        {
            *this.over = true;
            this.inner.set(None);
            return Poll::Ready(Some(Err(CutError::Ended(end))));
        }
        *this.begun = true;
        match inner.poll_frame(context) {
            Poll::Ready(Some(frame)) => {
                Poll::Ready(Some(frame.map_err(|error| CutError::Inner(error.into()))))
            }
            Poll::Ready(None) => {
                *this.over = true;
                *this.ended = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                let ended = this.ended.get_or_insert_with(|| Box::pin(token.ended()));
                let end = ready!(ended.as_mut().poll(context));
                *this.over = true;
                this.inner.set(None);
                Poll::Ready(Some(Err(CutError::Ended(end))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) if !self.over => inner.size_hint(),
            _ => SizeHint::with_exact(0),
        }
    }
}
