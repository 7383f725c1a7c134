//! `ntcli auth login`: who may sign in is the authority's and its identity provider's business; here
//! the two are brought together, and the session is kept.

use std::io::{self, BufRead as _};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nt_api::auth::{AuthConfiguration, TokenExchange};
use nt_identity::login::{self, LoginError, LoginSettings, SignedIn};

use super::{ci_job, keep};
use crate::arguments::TextOrJson;
use crate::client::failure::ClientError;
use crate::context::Context;
use crate::credentials::{Grant, StoredSession};
use crate::error::{Code, Error};
use crate::pinned;
use crate::provider;
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
  ntcli auth login --oidc-token-file job-token.jwt

The address to open is always printed. Without a browser on this machine, open it on another one
and paste the address that the browser ends up at.

A CI job signs in without a person and without a stored secret: with the token that its platform
issues to it, where the authority trusts that platform.")]
pub(crate) struct Args {
    #[command(flatten)]
    flow: Flow,
    /// Sign in with the OIDC token of a CI job, from this file; - is standard input
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["port", "timeout", "no_browser"])]
    oidc_token_file: Option<PathBuf>,
}

/// How a person signs in.
#[derive(Debug, clap::Args)]
pub(super) struct Flow {
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

/// What a person comes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    SignIn,
    SignUp,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    match &args.oidc_token_file {
        Some(file) => ci_job::sign_in(file, &args.flow.output, context),
        None => run_flow(&args.flow, Purpose::SignIn, context),
    }
}

/// Signs a person in, unless one is signed in already.
pub(super) fn run_flow(flow: &Flow, purpose: Purpose, context: &Context) -> Result<(), Error> {
    if !flow.force
        && let Some(kept) = live_session(context)?
    {
        // A session of an earlier version came without the keys.
        if pinned::keys_of(&context.folder, context.authority()?).is_ok_and(|keys| keys.is_none()) {
            keep::pin_keys(context);
        }
        ui::say("Already signed in; --force signs in again.");
        return keep::print(&kept, &flow.output);
    }
    keep::choose_place(context)?;
    let configuration = context.client()?.configuration()?;
    let signed_in = sign_in(&configuration, flow, purpose, context)?;
    let exchange = TokenExchange { oauth_token: signed_in.id_token, nonce: Some(signed_in.nonce) };
    let session = keep::exchange(&exchange, "ntcli auth login --force", context)?;
    let grant = signed_in.refresh_token.map(|refresh_token| Grant {
        issuer: configuration.issuer,
        client_id: configuration.client_id,
        refresh_token: refresh_token.into(),
        paused_until: None,
    });
    let old = context.kept_session()?.map(|kept| kept.access_token.reveal()).transpose();
    let kept = keep::keep(session, grant, context)?;
    if let Some(old) = old.ok().flatten().flatten() {
        // Nobody has its secret any more; if it cannot be ended now, it ends by itself.
        let _ = context.client()?.operator(old, "this").end_session();
    }
    keep::print(&kept, &flow.output)
}

/// The session that is kept here, if the authority still knows it or it could be renewed.
fn live_session(context: &Context) -> Result<Option<StoredSession>, Error> {
    let kept = match context.kept_operator("this") {
        Ok(Some(operator)) => operator.session().map(drop),
        Ok(None) => return Ok(None),
        Err(error) if error.code == Code::AuthenticationRequired => return Ok(None),
        Err(error) => return Err(error),
    };
    match kept {
        Ok(()) => Ok(context.kept_session()?.cloned()),
        Err(ClientError::Refused(_)) => Ok(None),
        Err(ClientError::NotRenewed(error)) if error.code == Code::AuthenticationRequired => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn sign_in(
    configuration: &AuthConfiguration,
    flow: &Flow,
    purpose: Purpose,
    context: &Context,
) -> Result<SignedIn, Error> {
    let agent = provider::agent_for(&configuration.issuer)?;
    let settings = LoginSettings {
        issuer: configuration.issuer.clone(),
        client_id: configuration.client_id.clone(),
        scopes: configuration.scopes.clone(),
        port: flow.port.or(context.settings.callback_port).unwrap_or(DEFAULT_PORT),
        timeout: flow
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
    let is_sign_up =
        purpose == Purpose::SignUp && provider::offers_sign_up(&agent, &configuration.issuer);
    let (act, url) = if is_sign_up {
        ("sign up", provider::asking_to_sign_up(pending.url()))
    } else {
        ("sign in", pending.url().to_owned())
    };
    ui::say(&format!("Open this address in a browser to {act}:\n"));
    ui::say(&url);
    ui::say("");
    let has_terminal = ui::is_interactive();
    if !flow.no_browser && has_terminal && context.settings.has_display {
        open_browser(&url);
    }
    let pasted = has_terminal.then(|| {
        ui::say("Or paste the address that the browser ends up at, and press Enter.");
        read_pasted()
    });
    pending.wait(&agent, pasted, ui::warning).map_err(|e| failed(&e))
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
