//! The link to the authority: by which credential it is followed, and whose tokens are then accepted.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use ipnet::IpNet;
use nt_api::verifiers::CREDENTIAL_PREFIX;
use nt_feed::client::{Following, Settings, connect, heard};
use nt_token::{Expected, Secret};

use crate::data_dir::private;
use crate::edge::{Edge, WithoutLease};
use crate::tls::certificates;

/// A credential has 47 bytes; a file that is much longer is something else.
const CREDENTIAL_BYTES: u64 = 1_024;

/// What this program calls itself in the authority's listings.
pub const PROGRAM: &str = concat!("ntd-edge/", env!("CARGO_PKG_VERSION"));

/// Reads a verifier's credential. Its text is never part of an error.
pub fn credential(path: &Path) -> anyhow::Result<Secret> {
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
    Ok(Secret::from(text.to_owned()))
}

/// Reads the certificates (PEM) that are trusted in place of the system's.
pub fn authorities(path: &Path) -> anyhow::Result<String> {
    certificates(path)?;
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

/// How the authority is followed.
#[derive(Debug, Clone)]
pub struct Link {
    /// Where it is, and who follows.
    pub settings: Settings,
    /// The issuer that its tokens must name, where that was said here too.
    pub issuer: Option<String>,
    /// The audience that its tokens must name, where that was said here too.
    pub audience: Option<String>,
    /// What is done while there is no lease.
    pub without_lease: WithoutLease,
    /// Whose forwarded addresses count, of those who ask the edge.
    pub proxies: Vec<IpNet>,
}

impl Link {
    /// Waits for the authority to say whose tokens it issues, and follows it. Fails only if that is
    /// not what was said here.
    pub async fn follow(mut self, edge: &Edge) -> anyhow::Result<Following> {
        let expected = heard(&self.settings).await?;
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
        let issuer = issuer.clone();
        self.settings.expected = Some(expected);
        let (verifier, following) = connect(self.settings).await?;
        edge.decide_by(issuer, verifier);
        Ok(following)
    }
}
