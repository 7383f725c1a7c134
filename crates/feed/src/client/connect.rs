//! From settings to a verifier that is kept fresh, in one call.

use std::path::PathBuf;
use std::sync::Arc;

use nt_token::{Expected, Secret};
use nt_verifier::{Ask, Drain, Options, Verifier};
use tokio::time::sleep;
use tonic::metadata::MetadataValue;

use super::authority_url::trusting;
use super::position_file::{self, NoPosition};
use super::{
    AuthorityUrl, Follower, Following, Identity, Kept, NoIdentity, NotTold, RETRY_EACH,
    RETRY_REFUSED, Told, Way, follow_from, introduction, jittered,
};
use crate::ask::HttpAsk;

/// The longest name that an authority takes, in bytes.
const NAME_MAX: usize = 128;

/// Whether an authority may be followed without encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// Only on this machine. Whoever is on the way could say which keys sign.
    #[default]
    OnThisMachine,
    /// Anywhere: something else encrypts it.
    Anywhere,
}

/// Which authority is followed, and by whom.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where the authority is: its only node, or one of several.
    pub authority: AuthorityUrl,
    /// Where its other nodes are. One node is followed at a time, drawn at random to begin with, so that a
    /// fleet of verifiers spreads; and another as soon as that one leaves, or grants no lease any more.
    pub others: Vec<AuthorityUrl>,
    /// What `ntcli verifiers add NAME` printed. Only an authority that was started with `--dev` does
    /// without.
    pub credential: Option<Secret>,
    /// What people call this process in listings and receipts: 1 to 128 bytes, no control characters.
    pub name: String,
    /// The program and its version, `program/version`, as the authority lists it. `None`: this library.
    pub program: Option<String>,
    /// The issuer and the audience that tokens must name. `None`: those that the authority names when
    /// it is heard for the first time, which [`connect`] then waits for. An authority that names
    /// others is not followed.
    pub expected: Option<Expected>,
    /// Whether encryption may be done without.
    pub plain_http: PlainHttp,
    /// Certificates (PEM, RFC 7468) by which the authority's is checked, in place of the system's.
    pub ca: Option<String>,
    /// The client certificate to show beside the credential, where the authority demands one. Renewed
    /// on disk, it is shown at the next connection.
    pub identity: Option<Identity>,
    /// Where to keep how far this verifier has been; made if it is not there, 56 bytes, for one
    /// process. An authority whose log does not go through that position (an older copy of its
    /// database was put back, or it is another one) is then refused also after a restart of this
    /// process: no lease, "not ready", and an error in the log that says what to do. Written at most
    /// once a second and at the end, so that a crash leaves a witness that is a second older, and
    /// tells losses of the authority up to then. `None`: only what happens while this process runs is
    /// noticed.
    pub position_file: Option<PathBuf>,
    /// Whom to ask about a single token: while there is no lease, and wherever
    /// [`Freshness::Sync`](nt_verifier::Freshness::Sync) is demanded. `None`: nobody, so that both are
    /// answered "not ready".
    pub ask: Option<HttpAsk>,
    /// Whether a revoke waits for requests that its token was let in for before.
    pub drain: Drain,
}

/// What settings cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotConnected {
    /// The name is empty, too long, or has control characters.
    #[error("a name has 1 to 128 bytes and no control characters")]
    Name,
    /// The program's name cannot stand in a header.
    #[error("a program's name has no control characters")]
    Program,
    /// The credential cannot stand in a header. Its text is not part of this.
    #[error("the credential holds what no credential holds")]
    Credential,
    /// Anybody on the way could say which keys sign.
    #[error("{0} is not encrypted: whoever is on the way could say which keys sign")]
    Plain(AuthorityUrl),
    /// Certificates were given for a connection that shows none.
    #[error("{0} is not encrypted: certificates to check it by go with https")]
    NothingToCheck(AuthorityUrl),
    /// A client certificate was given for a connection that asks for none.
    #[error("{0} is not encrypted: a client certificate goes with https")]
    NobodyToShow(AuthorityUrl),
    /// The client certificate.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(tonic::transport::Error),
    /// The position file.
    #[error(transparent)]
    Position(#[from] NoPosition),
}

impl Settings {
    /// Follows this authority under this name: without a credential, the tokens' issuer as the
    /// authority names it, and encrypted unless the authority is on this machine.
    pub fn new(authority: AuthorityUrl, name: impl Into<String>) -> Self {
        Self {
            authority,
            others: Vec::new(),
            credential: None,
            name: name.into(),
            program: None,
            expected: None,
            plain_http: PlainHttp::default(),
            ca: None,
            identity: None,
            position_file: None,
            ask: None,
            drain: Drain::No,
        }
    }

    fn follower(&self) -> Result<Follower, NotConnected> {
        let length = self.name.len();
        if length == 0 || length > NAME_MAX || self.name.chars().any(char::is_control) {
            return Err(NotConnected::Name);
        }
        let authorization = match &self.credential {
            None => MetadataValue::from_static("Bearer"),
            Some(credential) => {
                let shown = format!("Bearer {}", credential.expose().trim());
                let mut shown: MetadataValue<_> =
                    shown.parse().map_err(|_| NotConnected::Credential)?;
                shown.set_sensitive(true);
                shown
            }
        };
        let mut instance = [0; 16];
        aws_lc_rs::rand::fill(&mut instance).expect("the system has randomness");
        Ok(Follower { name: self.name.clone(), instance, authorization })
    }

    fn ways(&self) -> Result<Vec<Way>, NotConnected> {
        let all = std::iter::once(&self.authority).chain(&self.others);
        all.map(|authority| self.way(authority)).collect()
    }

    fn way(&self, authority: &AuthorityUrl) -> Result<Way, NotConnected> {
        if self.plain_http == PlainHttp::OnThisMachine && !authority.is_private() {
            return Err(NotConnected::Plain(authority.clone()));
        }
        if self.ca.is_some() && !authority.is_encrypted() {
            return Err(NotConnected::NothingToCheck(authority.clone()));
        }
        if self.identity.is_some() && !authority.is_encrypted() {
            return Err(NotConnected::NobodyToShow(authority.clone()));
        }
        let ca = self.ca.as_deref();
        let mut endpoint = authority.endpoint(ca).map_err(NotConnected::Tls)?;
        if let Some(program) = &self.program {
            let named = endpoint.user_agent(program.clone());
            endpoint = named.map_err(|_| NotConnected::Program)?;
        }
        Ok(match &self.identity {
            None => endpoint.into(),
            Some(identity) => Way::showing(endpoint, trusting(ca), identity.clone())?,
        })
    }
}

/// A verifier that follows an authority for as long as the [`Following`] is kept. Must be called
/// within a tokio runtime.
///
/// It says "good" from its first lease on, which takes one round trip and a snapshot. Until then,
/// and whenever the authority is out of reach for longer than a lease (2 s), it answers
/// [`NotReady`](nt_verifier::NotReady). Connections are tried again for as long as it is kept: an
/// authority that is out of reach, or refuses the credential, is logged and is no error here.
///
/// Waits for the authority only where [`Settings::expected`] leaves it to say whose tokens it issues.
pub async fn connect(settings: Settings) -> Result<(Verifier, Following), NotConnected> {
    let (ways, follower) = (settings.ways()?, settings.follower()?);
    let kept = settings.position_file.as_ref().map(|file| {
        position_file::open(file).map(|(position, lock)| Kept {
            file: file.clone(),
            position,
            lock,
        })
    });
    let kept = kept.transpose()?;
    let expected = match &settings.expected {
        Some(expected) => expected.clone(),
        None => heard(&settings).await?,
    };
    let current = settings.ask.as_ref().map(HttpAsk::current).unwrap_or_default();
    let first = usize::from(follower.instance[0]) % ways.len();
    let mut options = Options::new(expected);
    options.ask = settings.ask.map(|ask| Arc::new(ask) as Arc<dyn Ask>);
    options.drain = settings.drain;
    let (verifier, state) = Verifier::new(options);
    Ok((verifier, follow_from(ways, first, follower, state, current, kept)))
}

/// Waits until a node of the authority says whose tokens it issues. Each reason why none does is logged
/// once.
pub async fn heard(settings: &Settings) -> Result<Expected, NotConnected> {
    let (ways, follower) = (settings.ways()?, settings.follower()?);
    let mut told = Told::default();
    let mut node = 0;
    loop {
        let way = &ways[node % ways.len()];
        node += 1;
        let why = match introduction::over(way, &follower).await {
            Ok(expected) => return Ok(expected),
            Err(why) => why,
        };
        let is_news = told.is_news(&why.to_string());
        let pause = match why {
            NotTold::NotAdmitted(why) => {
                if is_news {
                    tracing::error!("{why}");
                }
                RETRY_REFUSED
            }
            NotTold::NoAnswer(why) => {
                if is_news {
                    tracing::warn!(why, "the authority does not answer yet");
                }
                RETRY_EACH
            }
        };
        sleep(jittered(pause)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(authority: &str) -> Settings {
        Settings::new(authority.parse().expect("an origin"), "service")
    }

    #[tokio::test]
    async fn what_cannot_be_followed_is_said_before_anything_is_asked() {
        let plain = connect(settings("http://10.0.0.5:1")).await.expect_err("not encrypted");
        assert!(matches!(plain, NotConnected::Plain(_)), "{plain}");
        for name in ["", "a\nb", &"n".repeat(129)] {
            let unnamed = Settings { name: name.to_owned(), ..settings("http://localhost:1") };
            let refused = connect(unnamed).await.expect_err("no name");
            assert!(matches!(refused, NotConnected::Name), "{refused}");
        }
        let ca = Some("-----BEGIN CERTIFICATE-----".to_owned());
        let unchecked = Settings { ca, ..settings("http://localhost:1") };
        let refused = connect(unchecked).await.expect_err("nothing to check");
        assert!(matches!(refused, NotConnected::NothingToCheck(_)), "{refused}");
        let identity = Some(Identity { certificate: "gone.pem".into(), key: "gone.key".into() });
        let unasked = Settings { identity: identity.clone(), ..settings("http://localhost:1") };
        let refused = connect(unasked).await.expect_err("nobody to show it to");
        assert!(matches!(refused, NotConnected::NobodyToShow(_)), "{refused}");
        let unread = Settings { identity, ..settings("https://localhost:1") };
        let refused = connect(unread).await.expect_err("no such file").to_string();
        assert!(refused.starts_with("gone.pem: "), "{refused}");
        let credential = Some(Secret::from("ntv_secret\nline".to_owned()));
        let torn = Settings { credential, ..settings("http://localhost:1") };
        let refused = connect(torn).await.expect_err("no header");
        assert_eq!(refused.to_string(), "the credential holds what no credential holds");
    }

    #[tokio::test]
    async fn a_verifier_whose_issuer_is_named_does_not_wait_for_its_authority() {
        let expected = Expected { issuer: "http://a".to_owned(), audience: "b".to_owned() };
        // Nobody listens there.
        let pinned = Settings { expected: Some(expected), ..settings("http://127.0.0.1:1") };
        let (verifier, _following) = connect(pinned).await.expect("at once");
        assert!(verifier.stats().lease_left.is_zero());
    }

    #[test]
    fn a_credential_is_sensitive_and_an_encrypted_authority_may_be_anywhere() {
        let credential = Some(Secret::from("ntv_abc\n".to_owned()));
        let settings = Settings { credential, ..settings("https://a.example") };
        let follower = settings.follower().expect("settings that can be followed");
        assert_eq!(follower.authorization.to_str().expect("ASCII"), "Bearer ntv_abc");
        assert!(!format!("{settings:?}{follower:?}").contains("abc"));
        settings.ways().map(drop).expect("encrypted");
        let plain = Settings { plain_http: PlainHttp::Anywhere, ..settings };
        plain.ways().map(drop).expect("asked for");
    }
}
