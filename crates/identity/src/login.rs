//! Performing a login from a command line: authorization code with PKCE on a loopback redirect
//! (RFC 6749, RFC 7636, RFC 8252), found through OpenID Connect Discovery 1.0 with any issuer.
//!
//! Blocking, and without a browser of its own: the caller shows [`PendingLogin::url`] to the person.
//! The ID token is not checked here; the authority that it is handed to does that.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use nt_token::Secret;

/// What a login needs to know.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// The identity provider, exactly as it names itself.
    pub issuer: String,
    /// The public client to sign in as.
    pub client_id: String,
    /// The scopes to ask for; `openid` among them.
    pub scopes: Vec<String>,
    /// The loopback port of the redirect; where it is taken, one of the next ten. 0 is any port.
    pub port: u16,
    /// How long to wait for the person.
    pub timeout: Duration,
    /// Whom the provider should expect to sign in.
    pub login_hint: Option<String>,
}

/// Who signed in, as proof for the authority.
#[derive(Debug)]
pub struct SignedIn {
    /// The provider's ID token, unchecked.
    pub id_token: Secret,
    /// The nonce that the ID token must carry.
    pub nonce: String,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The identity provider does not answer.
    #[error("the identity provider at {url} cannot be reached: {source}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// The provider's discovery document cannot be used.
    #[error("the identity provider cannot be used: {0}")]
    Discovery(String),
    /// No port for the redirect is free.
    #[error("ports {first} to {last} are all in use")]
    PortsBusy {
        /// The first one tried.
        first: u16,
        /// The last one tried.
        last: u16,
    },
    /// Nobody came back in time.
    #[error("nobody signed in within the time")]
    TimedOut,
    /// The provider, or the person at it, said no.
    #[error("the identity provider refused: {error}")]
    Provider {
        /// The error code, such as `access_denied` (RFC 6749, sections 4.1.2.1 and 5.2). One line.
        error: String,
        /// What the provider says about it. One line.
        description: Option<String>,
    },
    /// The answer to our request came from another provider (RFC 9207).
    #[error("the answer came from another identity provider")]
    WrongIssuer,
    /// The provider's token endpoint did not answer as it should.
    #[error("the identity provider's answer cannot be used: {0}")]
    Exchange(String),
    /// The loopback listener failed.
    #[error("cannot listen for the redirect: {0}")]
    Listener(#[from] std::io::Error),
    /// There is no entropy for the login's secrets.
    #[error(transparent)]
    NoEntropy(#[from] crate::NoEntropy),
}

/// A login that waits for a person.
#[derive(Debug)]
pub struct PendingLogin {
    url: String,
}

/// Finds the provider and begins to listen for the redirect.
///
/// The agent's time-outs bound every request; redirects are not followed, whatever it says.
pub fn begin(agent: &ureq::Agent, settings: LoginSettings) -> Result<PendingLogin, LoginError> {
    let _ = (agent, settings);
    Err(LoginError::TimedOut)
}

impl PendingLogin {
    /// Where the person signs in.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the person has signed in, and exchanges the code.
    ///
    /// `pasted` are redirect URLs of a browser on another machine, an alternative to the callback;
    /// what is wrong with one is told to `on_problem`, and the wait goes on.
    pub fn wait(
        self,
        agent: &ureq::Agent,
        pasted: Option<Receiver<String>>,
        on_problem: impl Fn(&str),
    ) -> Result<SignedIn, LoginError> {
        let _ = (agent, pasted, on_problem, self);
        Err(LoginError::TimedOut)
    }
}
