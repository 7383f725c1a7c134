//! Where an authority is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Error, Uri};

/// The origin of an authority: `https://tokens.example.com`. Feed and API are behind the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityUrl(Uri);

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use an origin such as https://tokens.example.com")]
pub struct NoOrigin;

impl FromStr for AuthorityUrl {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let uri: Uri = text.parse().map_err(|_| NoOrigin)?;
        let parts = (uri.scheme_str(), uri.authority(), uri.path(), uri.query());
        match parts {
            (Some("http" | "https"), Some(host), "" | "/", None)
                if !host.as_str().contains('@') =>
            {
                Ok(Self(uri))
            }
            _ => Err(NoOrigin),
        }
    }
}

impl fmt::Display for AuthorityUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AuthorityUrl {
    /// Whether what is said can be read or changed by nobody on the way: it is encrypted, or stays on
    /// this machine.
    pub fn is_private(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.is_encrypted()
            || host == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is said to it is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// To connect to; its certificate is checked by these (PEM), else by those that the system trusts.
    pub fn endpoint(&self, ca: Option<&str>) -> Result<Endpoint, Error> {
        let endpoint = Endpoint::from(self.0.clone());
        if self.is_encrypted() { endpoint.tls_config(trusting(ca)) } else { Ok(endpoint) }
    }
}

/// TLS with whoever is certified by these (PEM), else by those that the system trusts.
pub(super) fn trusting(ca: Option<&str>) -> ClientTlsConfig {
    match ca {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_an_origin_and_private_if_encrypted_or_here() {
        let private = |text: &str| text.parse::<AuthorityUrl>().map(|url| url.is_private());
        for here in
            ["https://a.example", "http://127.0.0.1:8480", "http://[::1]:1", "http://localhost"]
        {
            assert_eq!(private(here), Ok(true), "{here}");
        }
        assert_eq!(private("http://10.0.0.5:8480/"), Ok(false));
        assert_eq!(private("http://localhost.example"), Ok(false));
        for wrong in
            ["a.example", "ftp://a", "https://a/path", "https://u@a", "https://a?x", "unix:/a"]
        {
            assert_eq!(private(wrong), Err(NoOrigin), "{wrong}");
        }
        let encrypted: AuthorityUrl = "https://a.example".parse().expect("an origin");
        encrypted.endpoint(None).expect("TLS can be set up");
    }
}
