//! What TLS is done with: the files, and what is made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::data_dir::private;
use crate::tls::clients::Clients;

/// Where a certificate and its key are, in PEM, and whether clients show one too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, followed by those between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// What clients are asked for.
    pub clients: Clients,
}

/// A digest of each file that could be read.
pub(super) type Seen = [Option<Vec<u8>>; 3];

/// What was read, ready to be used.
pub(super) struct Served {
    pub(super) config: Arc<ServerConfig>,
    #[cfg(test)]
    pub(super) certified: Arc<CertifiedKey>,
}

impl Files {
    /// All of them or none: what is renewed by halves is not used.
    pub(super) fn read(&self, crypto: &Arc<CryptoProvider>) -> anyhow::Result<Served> {
        let certified = Arc::new(self.certified(crypto)?);
        let clients = self.clients.verifier(crypto)?;
        // TLS 1.2 and 1.3: what rustls has.
        let config = ServerConfig::builder_with_provider(Arc::clone(crypto))
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?;
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(verifier) => config.with_client_cert_verifier(verifier),
        };
        let resolver = SingleCertAndKey::from(Arc::clone(&certified));
        let mut config = config.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        if self.clients != Clients::NotAsked {
            // A session that is resumed brings the certificate of its first handshake, unchecked: by
            // now it may have expired.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(Served {
            config: Arc::new(config),
            #[cfg(test)]
            certified,
        })
    }

    fn certified(&self, crypto: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
        let chain = certificates(&self.certificate)?;
        // A platform that hands out secrets as files may choose the mode itself.
        if let Err(wide) = private(&self.key, 0o600) {
            tracing::warn!("{wide}");
        }
        let shown = || self.key.display().to_string();
        let key = PrivateKeyDer::from_pem_slice(&fs::read(&self.key).with_context(shown)?);
        // The library's reason may show what it read.
        let key = key.ok().with_context(|| format!("{} has no private key in PEM", shown()))?;
        CertifiedKey::from_der(chain, key, crypto).with_context(|| {
            let certificate = self.certificate.display();
            format!("{certificate} and {} cannot be used together", shown())
        })
    }

    /// What stands in the files, to be told from what stands in them later.
    pub(super) fn seen(&self) -> Seen {
        let digest_of = |bytes: Vec<u8>| digest(&SHA256, &bytes).as_ref().to_vec();
        let all = [Some(self.certificate.as_path()), Some(&self.key), self.clients.ca()];
        all.map(|path| fs::read(path?).ok().map(digest_of))
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
