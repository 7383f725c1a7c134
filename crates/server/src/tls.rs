//! TLS at the listeners: how a handshake goes, and how what it is done with is renewed under it.
//!
//! All files are read again on SIGHUP and when they changed, and new connections get what is in them
//! then. Files that cannot be used change nothing: what was read before them stays. Which door demands a
//! client certificate is the doors' matter (`http/client_certificates`, `authority/feed`).

pub mod clients;
mod files;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::clients::ClientCertificate;
pub use self::clients::Clients;
pub use self::files::{Files, certificates};
use self::files::{Seen, Served};
use crate::authority::limits;

/// What TLS is done with.
#[derive(Clone)]
pub struct Tls {
    kept: Arc<Kept>,
    stopping: watch::Sender<bool>,
}

struct Kept {
    files: Files,
    crypto: Arc<CryptoProvider>,
    at_first: Seen,
    current: ArcSwap<Served>,
    /// When it was last told that a client's certificate was refused.
    told: Mutex<Option<Instant>>,
}

impl Tls {
    /// Reads the files; they must be usable now.
    pub fn open(files: Files) -> anyhow::Result<Self> {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let at_first = files.seen();
        let current = ArcSwap::from_pointee(files.read(&crypto)?);
        let (stopping, _) = watch::channel(false);
        let kept = Kept { files, crypto, at_first, current, told: Mutex::default() };
        Ok(Self { kept: Arc::new(kept), stopping })
    }

    /// Reads the files again on SIGHUP and when they changed, until the task is aborted.
    pub fn keep_fresh(&self) -> anyhow::Result<JoinHandle<()>> {
        let mut told = signal(SignalKind::hangup()).context("SIGHUP cannot be listened to")?;
        let kept = Arc::clone(&self.kept);
        let mut seen = kept.at_first.clone();
        Ok(tokio::spawn(async move {
            loop {
                let is_told = tokio::select! {
                    _ = told.recv() => true,
                    () = tokio::time::sleep(limits::CERTIFICATE_EVERY) => false,
                };
                let kept = Arc::clone(&kept);
                let look = tokio::task::spawn_blocking(move || {
                    // Before they are read: a change in between is noticed next time.
                    let now = kept.files.seen();
                    if is_told || now != seen {
                        kept.renew();
                    }
                    now
                });
                let Ok(now) = look.await else { return };
                seen = now;
            }
        }))
    }

    /// Ends the handshakes that are under way, and begins no more.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Does a handshake; `None` where it came to nothing. With the client's certificate, if it was asked
    /// for one and has one that is good.
    pub async fn accept<S>(&self, stream: S) -> Option<(TlsStream<S>, Option<ClientCertificate>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stopping = self.stopping.subscribe();
        let acceptor = TlsAcceptor::from(Arc::clone(&self.kept.current.load().config));
        let handshake = tokio::time::timeout(limits::HANDSHAKE_WAIT, acceptor.accept(stream));
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => None,
            done = handshake => match done {
                Ok(Ok(stream)) => {
                    let shown = stream.get_ref().1.peer_certificates();
                    let certificate = shown.and_then(<[_]>::first).map(ClientCertificate::of);
                    Some((stream, certificate))
                }
                Ok(Err(error)) => {
                    self.kept.tell(&error);
                    None
                }
                Err(_) => {
                    tracing::debug!("a TLS handshake took too long");
                    None
                }
            },
        }
    }
}

impl Kept {
    fn renew(&self) {
        match self.files.read(&self.crypto) {
            Ok(read) => {
                self.current.store(Arc::new(read));
                let file = self.files.certificate.display();
                tracing::info!(%file, "the TLS certificate was read again");
            }
            Err(error) => {
                tracing::error!("the TLS certificate stays as it was: {error:#}");
            }
        }
    }

    /// Whoever comes with something else than TLS is not worth a word: scanners do so all day. A client
    /// whose certificate is refused waits for somebody to look after it; a flood of them fills no disk.
    fn tell(&self, error: &std::io::Error) {
        let Some(why) = clients::refusal(error) else {
            tracing::debug!(%error, "a TLS handshake failed");
            return;
        };
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at + limits::CLIENT_CERTIFICATE_LOG_EVERY <= now) {
            *told = Some(now);
            tracing::warn!("a client was refused in the TLS handshake: {why}");
        }
    }
}

/// That a key is among it, and never which.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.kept.files).finish_non_exhaustive()
    }
}
