//! `ntcli auth login`: who may sign in is the authority's and its identity provider's business; here
//! the two are brought together, and the session is kept.

use std::io::{self, BufRead as _};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nt_api::auth::{AuthConfiguration, Session, TokenExchange, User};
use nt_identity::login::{self, LoginError, LoginSettings, SignedIn};
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::address::Authority;
use crate::client::failure::ClientError;
use crate::client::{agent, idempotency_key};
use crate::context::{Context, now};
use crate::credentials::{Credentials, StoredSession};
use crate::error::{Code, Error};
use crate::ui;

const DEFAULT_PORT: u16 = 41_247;
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(1);

/// Sign in through the authority's identity provider
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli auth login
  ntcli auth login --no-browser
  ntcli auth login --force --timeout 120000

The address to open is always printed. Without a browser on this machine, open it on another one
and paste the address that the browser ends up at.")]
pub(crate) struct Args {
    /// The loopback port for the answer, 41247 if not said; where it is taken, one of the next ten
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// How long to wait, in milliseconds; a minute if not said
    #[arg(short, long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Do not open a browser
    #[arg(long)]
    no_browser: bool,
    /// Sign in again although there is a session
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    authenticated: bool,
    email: Option<&'a str>,
    user_id: &'a str,
    expires_at: nt_api::IsoTime,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    if !args.force
        && let Some(kept) = live_session(context)?
    {
        ui::say("Already signed in; --force signs in again.");
        return print(&kept, args);
    }
    let configuration = context.client()?.configuration()?;
    let signed_in = sign_in(&configuration, args, context)?;
    let exchange = TokenExchange { oauth_token: signed_in.id_token, nonce: Some(signed_in.nonce) };
    let session = context.client()?.exchange_token(&exchange, &idempotency_key()?);
    let session = session.map_err(|error| match error {
        // Not a session that ended: there is none yet.
        ClientError::Refused(refusal) => {
            Error::new(refusal.code.into(), refusal.message).hint("ntcli auth login --force")
        }
        ClientError::Failed(failure) => failure.into(),
    })?;
    print(&keep(session, context)?, args)
}

/// The session that is kept here, if the authority still knows it.
fn live_session(context: &Context) -> Result<Option<StoredSession>, Error> {
    let authority = context.authority()?;
    let Some(kept) = context.credentials()?.at(authority).and_then(|at| at.session.clone()) else {
        return Ok(None);
    };
    let operator = context.client()?.operator(kept.access_token.clone(), "this");
    match operator.session() {
        Ok(_) => Ok(Some(kept)),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(ClientError::Failed(failure)) => Err(failure.into()),
    }
}

fn sign_in(
    configuration: &AuthConfiguration,
    args: &Args,
    context: &Context,
) -> Result<SignedIn, Error> {
    let agent = provider_agent(&configuration.issuer)?;
    let settings = LoginSettings {
        issuer: configuration.issuer.clone(),
        client_id: configuration.client_id.clone(),
        scopes: configuration.scopes.clone(),
        port: args.port.or(context.settings.callback_port).unwrap_or(DEFAULT_PORT),
        timeout: args
            .timeout
            .map(Duration::from_millis)
            .or(context.settings.login_timeout)
            .unwrap_or(DEFAULT_TIMEOUT),
        login_hint: None,
    };
    if context.verbose {
        ui::say(&format!("Identity provider: {}", configuration.issuer));
        ui::say(&format!("Client:            {}", configuration.client_id));
    }
    let pending = login::begin(&agent, settings).map_err(|e| failed(&e))?;
    ui::say("Open this address in a browser to sign in:\n");
    ui::say(pending.url());
    ui::say("");
    let has_terminal = ui::is_interactive();
    if !args.no_browser && has_terminal && context.settings.has_display {
        open_browser(pending.url());
    }
    let pasted = has_terminal.then(|| {
        ui::say("Or paste the address that the browser ends up at, and press Enter.");
        read_pasted()
    });
    pending.wait(&agent, pasted, ui::warning).map_err(|e| failed(&e))
}

/// The identity provider gets codes and secrets: it must be encrypted, or on this machine.
fn provider_agent(issuer: &str) -> Result<ureq::Agent, Error> {
    let origin = issuer.split_once("://").map(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{host}")
    });
    let origin = origin.and_then(|origin| Authority::parse(&origin).ok());
    match origin {
        Some(at) if at.is_encrypted() || at.is_loopback() => {
            Ok(agent(at.is_encrypted(), at.is_loopback()))
        }
        _ => Err(Error::failed(format!(
            "The identity provider {issuer} is neither encrypted nor on this machine."
        ))),
    }
}

fn open_browser(url: &str) {
    let options = webbrowser::BrowserOptions::new().with_suppress_output(true).clone();
    if webbrowser::open_browser_with_options(webbrowser::Browser::Default, url, &options).is_err() {
        ui::warning("no browser could be opened.");
    }
}

/// Lines from the terminal. Reading one cannot be given up: the thread ends with the process.
fn read_pasted() -> Receiver<String> {
    const LONGEST: u64 = 16 * 1024;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let mut input = io::Read::take(io::stdin().lock(), LONGEST);
        while matches!(input.read_line(&mut line), Ok(read) if read > 0) {
            input.set_limit(LONGEST);
            if send.send(line.trim().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receive
}

fn failed(error: &LoginError) -> Error {
    let code = match error {
        LoginError::Unreachable { .. } => Code::Unreachable,
        _ => Code::Failed,
    };
    let message = format!("Signing in failed: {error}.");
    match error {
        LoginError::TimedOut => Error::new(code, message).hint("ntcli auth login --timeout 300000"),
        LoginError::PortsBusy { .. } => {
            Error::new(code, message).hint("choose another with --port")
        }
        _ => Error::new(code, message).hint("ntcli auth login"),
    }
}

/// Keeps the session in the place of an older one.
fn keep(session: Session, context: &Context) -> Result<StoredSession, Error> {
    let kept = StoredSession {
        access_token: session.access_token,
        user: session.user,
        expires_at: now().plus_seconds(session.expires_in),
    };
    let authority = context.authority()?;
    Credentials::update(&context.folder, |all| {
        all.at_mut(authority).session = Some(kept.clone());
    })?;
    Ok(kept)
}

fn print(session: &StoredSession, args: &Args) -> Result<(), Error> {
    let user = &session.user;
    if args.output.format == Format::Json {
        return ui::json(&Output {
            authenticated: true,
            email: user.email.as_deref(),
            user_id: user.id.as_str(),
            expires_at: session.expires_at.into(),
        });
    }
    ui::data(&format!("✅ Authenticated as {}", display_name(user)))
}

/// What an operator is called.
pub(super) fn display_name(user: &User) -> &str {
    user.email.as_deref().or(user.name.as_deref()).unwrap_or(user.id.as_str())
}
