//! An answer that is there, or one that takes a while.
//!
//! The future of a door is as large as the largest of all doors, and hyper moves it for each request.
//! What gateways ask is answered without one.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::response::Response;

/// The future of an answer.
pub enum Answering {
    /// It is there, until it was taken.
    Now(Option<Response>),
    /// It takes a while.
    Later(Pin<Box<dyn Future<Output = Response> + Send>>),
}

impl Answering {
    /// One that is there.
    pub fn now(response: Response) -> Self {
        Self::Now(Some(response))
    }

    /// One that takes a while.
    pub fn later(answer: impl Future<Output = Response> + Send + 'static) -> Self {
        Self::Later(Box::pin(answer))
    }
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Now(response) => response.take().map_or(Poll::Pending, |it| Poll::Ready(Ok(it))),
            Self::Later(answer) => answer.as_mut().poll(context).map(Ok),
        }
    }
}
