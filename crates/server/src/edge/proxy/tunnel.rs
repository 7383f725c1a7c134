//! A connection that has become another protocol's: bytes both ways, for as long as its token is good.
//!
//! What is said over it is not read here, so its end is the connection's: who is cut off sees it reset,
//! which for a WebSocket is code 1006 (RFC 6455, 7.1.5).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use nt_verifier::VerifiedToken;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use crate::authority::limits;
use crate::edge::proxy::cut::Cut;
use crate::edge::proxy::{Held, until_ended};

/// Carries bytes between the two when both are ready, until one of them or the token ends, or nothing
/// has been said for long.
pub(super) async fn carry(
    client: OnUpgrade,
    upstream: OnUpgrade,
    token: Option<VerifiedToken>,
    cut: Option<Arc<Cut>>,
    held: Held,
) {
    let mut carried = std::pin::pin!(async {
        let (client, upstream) = tokio::try_join!(client, upstream).map_err(io::Error::other)?;
        let moved = Arc::new(AtomicBool::new(true));
        let watched = |upgraded| Watched {
            io: TokioIo::new(upgraded),
            token: token.clone(),
            cut: cut.clone(),
            moved: Arc::clone(&moved),
        };
        let (mut client, mut upstream) = (watched(client), watched(upstream));
        tokio::select! {
            biased;
            () = silence(&moved) => Err(io::ErrorKind::TimedOut.into()),
            copied = copy_bidirectional(&mut client, &mut upstream) => copied,
        }
    });
    tokio::select! {
        biased;
        why = until_ended(token.as_ref()) => {
            cut_off(cut.as_deref());
            tracing::debug!("a tunnel was cut: {why}");
        }
        carried = &mut carried => if let Err(error) = carried {
            tracing::debug!(%error, "a tunnel ended");
        },
    }
    drop(held);
}

fn cut_off(cut: Option<&Cut>) {
    if let Some(cut) = cut {
        cut.at_its_end();
    }
}

/// Resolves when nothing was moved for a while.
async fn silence(moved: &AtomicBool) {
    while moved.swap(false, Ordering::Relaxed) {
        tokio::time::sleep(limits::TUNNEL_IDLE).await;
    }
}

/// One end. Nothing that is read from the other one is written once the token has ended, even before
/// whoever waits for that was woken.
struct Watched {
    io: TokioIo<Upgraded>,
    token: Option<VerifiedToken>,
    cut: Option<Arc<Cut>>,
    moved: Arc<AtomicBool>,
}

impl Watched {
    fn may_go_on(&self) -> io::Result<()> {
        self.moved.store(true, Ordering::Relaxed);
        match &self.token {
            Some(token) if token.has_ended().is_some() => {
                cut_off(self.cut.as_deref());
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(context, buffer))?;
        Poll::Ready(self.may_go_on())
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.may_go_on()?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
