//! Performing a login from a command line: authorization code with PKCE on a loopback redirect
//! (RFC 6749, RFC 7636, RFC 8252), found through OpenID Connect Discovery 1.0 with any issuer.
//!
//! Blocking, and without a browser of its own: the caller shows [`PendingLogin::url`] to the person.
//! The ID token is not checked here; the authority that it is handed to does that.

mod callback;
mod discovery;
mod exchange;
mod listener;
mod page;
mod refresh;

use std::net::TcpListener;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use nt_token::Secret;
use nt_token::clock::Stopwatch;

use self::callback::{Answer, Expected};
use self::discovery::{OFFLINE_ACCESS, Provider};
use self::exchange::Exchange;
use self::listener::{Browser, Callbacks};
pub use self::refresh::{RefreshError, Refreshed, refresh};
use crate::entropy::unguessable;
use crate::form::with_query;
use crate::pkce::{self, Verifier};

/// How often a pasted answer is looked for while waiting for the browser's.
const LOOK_FOR_PASTED: Duration = Duration::from_millis(100);

/// What a login needs to know.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// The identity provider, exactly as it names itself.
    pub issuer: String,
    /// The public client to sign in as.
    pub client_id: String,
    /// The scopes to ask for; `openid` among them. Whether `offline_access` is asked for is decided
    /// by what the provider offers.
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
    /// What [`refresh`] renews the proof with, where the provider gave one.
    pub refresh_token: Option<Secret>,
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
    listener: TcpListener,
    expected: Expected,
    exchange: Exchange,
    nonce: String,
    timeout: Duration,
}

/// Finds the provider and begins to listen for the redirect.
///
/// The agent's time-outs bound every request; redirects are not followed, whatever it says.
pub fn begin(agent: &ureq::Agent, settings: LoginSettings) -> Result<PendingLogin, LoginError> {
    let provider = Provider::discover(agent, &settings.issuer)?;
    let (listener, port) = listener::bind(settings.port)?;
    let redirect_uri = format!("http://127.0.0.1:{port}{}", callback::PATH);
    let verifier = Verifier::draw()?;
    let (state, nonce) = (unguessable()?, unguessable()?);
    let challenge = verifier.challenge();
    let scope = scope(&settings.scopes, provider.offers_offline_access);
    let mut request = vec![
        ("response_type", "code"),
        ("client_id", &settings.client_id),
        ("redirect_uri", &redirect_uri),
        ("scope", &scope),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", pkce::METHOD),
    ];
    if provider.offers_offline_access {
        // OpenID Connect Core 1.0, section 11: a provider must not give a refresh token without.
        request.push(("prompt", "consent"));
    }
    request.extend(settings.login_hint.as_deref().map(|hint| ("login_hint", hint)));
    let url = with_query(&provider.authorization_endpoint, &request);
    let expected = Expected { state, issuer: provider.issuer, names_itself: provider.names_itself };
    let exchange = Exchange {
        token_endpoint: provider.token_endpoint,
        client_id: settings.client_id,
        redirect_uri,
        verifier,
    };
    Ok(PendingLogin { url, listener, expected, exchange, nonce, timeout: settings.timeout })
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
        let callbacks = Callbacks::listen(self.listener, self.expected.clone())?;
        let (answer, browser) =
            first_answer(&callbacks, &self.expected, self.timeout, pasted, on_problem)?;
        let outcome = match answer {
            Answer::Code(code) => self.exchange.redeem(agent, &code),
            Answer::Refused { error, description } => {
                Err(LoginError::Provider { error, description })
            }
            Answer::WrongIssuer => Err(LoginError::WrongIssuer),
        };
        // Only now is it known what the person at the browser is to be told.
        if let Some(browser) = browser {
            browser.show(&page::of_outcome(outcome.as_ref().err()));
        }
        let tokens = outcome?;
        let nonce = self.nonce;
        Ok(SignedIn { id_token: tokens.id_token, nonce, refresh_token: tokens.refresh_token })
    }
}

/// The scopes, with the one for a refresh token exactly if the provider offers it: some refuse a
/// login that asks for a scope which they do not know.
fn scope(scopes: &[String], offers_offline_access: bool) -> String {
    let mut scopes: Vec<&str> =
        scopes.iter().map(String::as_str).filter(|scope| *scope != OFFLINE_ACCESS).collect();
    if offers_offline_access {
        scopes.push(OFFLINE_ACCESS);
    }
    scopes.join(" ")
}

/// The first answer to our request, from the browser or pasted, within the time.
fn first_answer(
    callbacks: &Callbacks,
    expected: &Expected,
    timeout: Duration,
    mut pasted: Option<Receiver<String>>,
    on_problem: impl Fn(&str),
) -> Result<(Answer, Option<Browser>), LoginError> {
    let since = Stopwatch::start();
    loop {
        let left = timeout.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(LoginError::TimedOut);
        }
        let step = if pasted.is_some() { left.min(LOOK_FOR_PASTED) } else { left };
        if let Some((answer, browser)) = callbacks.next_within(step)? {
            return Ok((answer, Some(browser)));
        }
        match pasted.as_ref().map(Receiver::try_recv) {
            Some(Ok(text)) => match expected.read_pasted(&text) {
                Ok(answer) => return Ok((answer, None)),
                Err(not_ours) => on_problem(&not_ours.to_string()),
            },
            Some(Err(TryRecvError::Disconnected)) => pasted = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }
}
