//! How long a client may take to begin. Which protocol it speaks is found out by its first bytes, at most
//! as many as HTTP/2's preface has (RFC 9113, section 3.4). The protocols' own limits begin only then: a
//! client that says nothing, or stops within the preface, would have its connection for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that ends where it does not begin in time.
pub struct Beginning<I> {
    io: I,
    waits: Option<Waits>,
}

struct Waits {
    longest: Pin<Box<Sleep>>,
    /// How much of the preface was read.
    read: usize,
}

impl<I> Beginning<I> {
    /// Has to begin within this.
    pub fn new(io: I, within: Duration) -> Self {
        Self { io, waits: Some(Waits { longest: Box::pin(sleep(within)), read: 0 }) }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Beginning<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Self { io, waits } = &mut *self;
        let Some(Waits { longest, read }) = waits else {
            return Pin::new(io).poll_read(context, buffer);
        };
        if Pin::new(&mut *io).poll_read(context, buffer)?.is_pending() {
            ready!(longest.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let new = &buffer.filled()[before..];
        *read += new.len();
        // Whoever says something else, or all of it, has begun.
        if *read >= PREFACE.len() || !PREFACE[..*read].ends_with(new) {
            *waits = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Beginning<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
