//! The certificates of clients: what is asked of them in a handshake, and what is then known of whoever
//! is at the other end. Who somebody is says the credential; the certificate is a second factor.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use serde::Deserialize;
use webpki::EndEntityCert;

use crate::tls::certificates;

/// What clients are asked for in a handshake. The files have the certificates, in PEM, that theirs must
/// be signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    /// For nothing.
    NotAsked,
    /// For a certificate; who has none goes on without one, and who has a bad one does not.
    Asked(PathBuf),
    /// For a certificate, without which there is no connection.
    Demanded(PathBuf),
}

impl Clients {
    pub(super) fn ca(&self) -> Option<&Path> {
        match self {
            Self::NotAsked => None,
            Self::Asked(ca) | Self::Demanded(ca) => Some(ca),
        }
    }

    pub(super) fn verifier(
        &self,
        crypto: &Arc<CryptoProvider>,
    ) -> anyhow::Result<Option<Arc<dyn ClientCertVerifier>>> {
        let Some(ca) = self.ca() else { return Ok(None) };
        let unusable = || format!("{} cannot be used as a client CA", ca.display());
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).with_context(unusable)?;
        }
        let (roots, crypto) = (Arc::new(roots), Arc::clone(crypto));
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto);
        let verifier = match self {
            Self::Demanded(_) => verifier,
            Self::NotAsked | Self::Asked(_) => verifier.allow_unauthenticated(),
        };
        verifier.build().with_context(unusable).map(Some)
    }
}

/// The certificate of the client at the other end of a connection, checked in the handshake. Is among
/// the extensions of each request that comes over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    names: Arc<[String]>,
}

impl ClientCertificate {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        // One that was checked can be read.
        let names = EndEntityCert::try_from(certificate).map_or_else(
            |_| Vec::new(),
            |read| read.valid_dns_names().chain(read.valid_uri_names()).map(named).collect(),
        );
        Self { names: names.into() }
    }

    /// With these names, as a test needs it.
    #[cfg(test)]
    pub fn naming<const N: usize>(names: [&str; N]) -> Self {
        Self { names: names.map(named).into() }
    }

    /// Whom it names: each DNS name of its subject alternative names, and the last segment of each URI
    /// (`spiffe://example.com/verifiers/edge-1`). The common name is not looked at (RFC 9525, section 2).
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn named(name: &str) -> String {
    let last = match name.split_once("://") {
        None => name,
        Some((_, path)) => path.trim_end_matches('/').rsplit('/').next().unwrap_or_default(),
    };
    last.to_ascii_lowercase()
}

/// Whether a door is open to whoever shows no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateDemand {
    /// It is.
    #[default]
    Nothing,
    /// It is not.
    Certificate,
}

/// A door that can demand a client certificate, as the settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demanding {
    /// The feed of revocations to the verifiers.
    Feed,
    /// `/oauth2/*`: introspection and revocation by clients.
    Oauth2,
}

impl Demanding {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Feed, Self::Oauth2];

    /// What this door demands, where these do.
    pub fn of(self, doors: &[Self]) -> CertificateDemand {
        if doors.contains(&self) {
            CertificateDemand::Certificate
        } else {
            CertificateDemand::Nothing
        }
    }
}

impl std::fmt::Display for Demanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Feed => "feed",
            Self::Oauth2 => "oauth2",
        })
    }
}

/// Why a client's certificate was refused, if that is why a handshake failed.
pub(super) fn refusal(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?.downcast_ref()?;
    matches!(inner, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
        .then_some(inner)
}
