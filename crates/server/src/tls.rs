//! TLS at the listeners: by which certificate, how a handshake goes, and how the certificate is
//! renewed under it.
//!
//! Both files are read again on SIGHUP and when they changed, and new connections get what is in them
//! then. Files that cannot be used change nothing: the certificate before them stays. Who is asked for
//! what after the handshake is the listeners' matter.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::limits;
use crate::data_dir::private;

/// Where a certificate and its key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, followed by those between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What TLS is done with.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificates: Arc<Certificates>,
    stopping: watch::Sender<bool>,
}

impl Tls {
    /// Reads the files; they must be usable now.
    pub fn open(files: Files) -> anyhow::Result<Self> {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let at_first = files.seen();
        let current = files.read(&crypto)?.into();
        let certificates =
            Arc::new(Certificates { files, crypto: Arc::clone(&crypto), at_first, current });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificates>::clone(&certificates);
        // TLS 1.2 and 1.3: what rustls has.
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (stopping, _) = watch::channel(false);
        Ok(Self { acceptor: Arc::new(config).into(), certificates, stopping })
    }

    /// Reads the files again on SIGHUP and when they changed, until the task is aborted.
    pub fn keep_fresh(&self) -> anyhow::Result<JoinHandle<()>> {
        let mut told = signal(SignalKind::hangup()).context("SIGHUP cannot be listened to")?;
        let certificates = Arc::clone(&self.certificates);
        let mut seen = certificates.at_first.clone();
        Ok(tokio::spawn(async move {
            loop {
                let is_told = tokio::select! {
                    _ = told.recv() => true,
                    () = tokio::time::sleep(limits::CERTIFICATE_EVERY) => false,
                };
                let certificates = Arc::clone(&certificates);
                let look = tokio::task::spawn_blocking(move || {
                    // Before they are read: a change in between is noticed next time.
                    let now = certificates.files.seen();
                    if is_told || now != seen {
                        certificates.renew();
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

    /// Does a handshake; `None` where it came to nothing.
    pub async fn accept<S>(&self, stream: S) -> Option<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut stopping = self.stopping.subscribe();
        let handshake = tokio::time::timeout(limits::HANDSHAKE_WAIT, self.acceptor.accept(stream));
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => None,
            done = handshake => match done {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(error)) => {
                    // Whoever comes with something else than TLS: scanners do so all day.
                    tracing::debug!(%error, "a TLS handshake failed");
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

impl Files {
    fn read(&self, crypto: &CryptoProvider) -> anyhow::Result<Arc<CertifiedKey>> {
        let chain = certificates(&self.certificate)?;
        // A platform that hands out secrets as files may choose the mode itself.
        if let Err(wide) = private(&self.key, 0o600) {
            tracing::warn!("{wide}");
        }
        let shown = || self.key.display().to_string();
        let key = PrivateKeyDer::from_pem_slice(&fs::read(&self.key).with_context(shown)?);
        // The library's reason may show what it read.
        let key = key.ok().with_context(|| format!("{} has no private key in PEM", shown()))?;
        let both = CertifiedKey::from_der(chain, key, crypto);
        let both = both.with_context(|| {
            let certificate = self.certificate.display();
            format!("{certificate} and {} cannot be used together", shown())
        })?;
        Ok(Arc::new(both))
    }

    /// What stands in the files, to be told from what stands in them later.
    fn seen(&self) -> Seen {
        let digest_of = |bytes: Vec<u8>| digest(&SHA256, &bytes).as_ref().to_vec();
        [&self.certificate, &self.key].map(|path| fs::read(path).ok().map(digest_of))
    }
}

/// Reads the certificates of a PEM file, of which there must be one at least.
pub fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = || path.display().to_string();
    let text = fs::read(path).with_context(shown)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let read = read.with_context(|| format!("{} is not PEM", shown()))?;
    ensure!(!read.is_empty(), "{} has no certificate in PEM", shown());
    Ok(read)
}

/// A digest of each file that could be read.
type Seen = [Option<Vec<u8>>; 2];

struct Certificates {
    files: Files,
    crypto: Arc<CryptoProvider>,
    at_first: Seen,
    current: ArcSwap<CertifiedKey>,
}

impl Certificates {
    fn renew(&self) {
        match self.files.read(&self.crypto) {
            Ok(read) => {
                self.current.store(read);
                let file = self.files.certificate.display();
                tracing::info!(%file, "the TLS certificate was read again");
            }
            Err(error) => {
                tracing::error!("the TLS certificate stays as it was: {error:#}");
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// That a key is among it, and never which.
impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}
