//! The link to the authority: where it is, by which credential it is followed, and whose tokens are
//! then accepted.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nt_api::verifiers::CREDENTIAL_PREFIX;
use nt_feed::client::{Follower, Following, follow, introduce};
use nt_token::Expected;
use nt_verifier::{Options, Verifier};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Uri};

use crate::data_dir::private;
use crate::edge::Edge;
use crate::tls::certificates;

/// Between two attempts to hear the authority for the first time.
const RETRY_EACH: Duration = Duration::from_millis(100);
/// A credential has 47 bytes; a file that is much longer is something else.
const CREDENTIAL_BYTES: u64 = 1_024;

/// Where the authority is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityUrl(Uri);

impl FromStr for AuthorityUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "use an origin such as https://tokens.example.com";
        let uri: Uri = text.parse().map_err(|_| WRONG)?;
        let parts = (uri.scheme_str(), uri.authority(), uri.path(), uri.query());
        match parts {
            (Some("http" | "https"), Some(host), "" | "/", None)
                if !host.as_str().contains('@') =>
            {
                Ok(Self(uri))
            }
            _ => Err(WRONG),
        }
    }
}

impl fmt::Display for AuthorityUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AuthorityUrl {
    /// Whether what is said can be read or changed by nobody on the way.
    pub fn is_private(&self) -> bool {
        let host = self.0.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.0.scheme_str() == Some("https")
            || host == "localhost"
            || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// To connect to; its certificate is checked by those that are in this file, else by those that
    /// the system trusts.
    pub fn endpoint(&self, ca: Option<&Path>) -> anyhow::Result<Endpoint> {
        let endpoint = Endpoint::from(self.0.clone());
        if self.0.scheme_str() != Some("https") {
            ensure!(ca.is_none(), "{self} is not encrypted: --ca goes with https");
            return Ok(endpoint);
        }
        let tls = match ca {
            None => ClientTlsConfig::new().with_native_roots(),
            Some(path) => {
                certificates(path)?;
                let pem = fs::read(path).with_context(|| path.display().to_string())?;
                ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
            }
        };
        endpoint.tls_config(tls).context("TLS cannot be set up")
    }
}

/// Reads a verifier's credential, as the metadata that shows it. Its text is never part of an error.
pub fn credential(path: &Path) -> anyhow::Result<MetadataValue<Ascii>> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    // A platform that hands out secrets as files may choose the mode itself.
    if let Err(wide) = private(path, 0o600) {
        tracing::warn!("{wide}");
    }
    let mut text = String::new();
    let read = file.take(CREDENTIAL_BYTES).read_to_string(&mut text);
    read.with_context(|| path.display().to_string())?;
    let text = text.trim();
    let is_one = text.strip_prefix(CREDENTIAL_PREFIX).is_some_and(|random| {
        let mut bytes = random.bytes();
        !random.is_empty()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    ensure!(
        is_one,
        "{} holds no verifier's credential: `ntcli verifiers add NAME` prints one, once",
        path.display()
    );
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {text}").parse().ok().context("not a header's text")?;
    value.set_sensitive(true);
    Ok(value)
}

/// How the authority is followed.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who follows.
    pub follower: Follower,
    /// The issuer that its tokens must name, where that was said here too.
    pub issuer: Option<String>,
    /// The audience that its tokens must name, where that was said here too.
    pub audience: Option<String>,
}

impl Link {
    /// Waits for the authority to say whose tokens it issues, and follows it. Fails only if that is
    /// not what was said here.
    pub async fn follow(self, edge: &Edge) -> anyhow::Result<Following> {
        let expected = self.introduced().await;
        for (what, said_here, said_there) in [
            ("issuer", &self.issuer, &expected.issuer),
            ("audience", &self.audience, &expected.audience),
        ] {
            if let Some(here) = said_here.as_ref().filter(|here| *here != said_there) {
                bail!("the authority's tokens name the {what} {said_there}, and not {here}");
            }
        }
        let Expected { issuer, audience } = &expected;
        tracing::info!(issuer, audience, "the authority was heard");
        let (verifier, state) = Verifier::new(Options::new(expected));
        let following = follow(self.endpoint, self.follower, state);
        edge.decide_by(verifier);
        Ok(following)
    }

    async fn introduced(&self) -> Expected {
        let mut told = None;
        loop {
            match introduce(&self.endpoint, &self.follower).await {
                Ok(expected) => return expected,
                Err(why) => {
                    // Once a reason, not ten times a second.
                    if told.as_ref() != Some(&why) {
                        tracing::warn!(%why, "the authority does not answer yet");
                        told = Some(why);
                    }
                }
            }
            tokio::time::sleep(RETRY_EACH).await;
        }
    }
}
