//! How a client is cut off, so that it is seen at once: its connection is reset (RFC 9293, 3.5.2), with
//! whatever the kernel still holds for it.
//!
//! In HTTP/2 a stream is reset and the connection goes on; this is for what has a connection of its
//! own: an answer in HTTP/1.1, and what a connection has become.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use crate::edge::listener::Stream;

/// Tells a connection to be cut.
#[derive(Debug, Default)]
pub(super) struct Cut {
    reset: AtomicBool,
    now: Notify,
}

impl Cut {
    /// Whatever ends the connection, its end is a reset from now on.
    pub(super) fn at_its_end(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// It ends now, whether or not its client reads.
    pub(super) fn now(&self) {
        self.at_its_end();
        self.now.notify_one();
    }

    /// Resolves when it has to end.
    pub(super) async fn told(&self) {
        self.now.notified().await;
    }
}

/// A connection that can be cut.
pub(super) struct Cuttable {
    stream: Box<dyn Stream>,
    cut: Arc<Cut>,
}

impl Cuttable {
    pub(super) fn new(stream: Box<dyn Stream>) -> (Self, Arc<Cut>) {
        let cut = Arc::<Cut>::default();
        (Self { stream, cut: Arc::clone(&cut) }, cut)
    }
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        if self.cut.reset.load(Ordering::Acquire) {
            self.stream.reset_at_its_end();
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
