//! `ntcli auth status`.

use nt_api::IsoTime;
use nt_api::auth::User;
use nt_api::sessions::SessionRecord;
use nt_token::Timestamp;
use serde::Serialize;

use super::keep::display_name;
use super::sessions;
use crate::arguments::{Format, TextOrJson};
use crate::client::failure::{ClientError, Failure};
use crate::context::Context;
use crate::credentials::{FILE, StoredSession};
use crate::error::{Code, Error};
use crate::held::Place;
use crate::ui;

/// Show who is signed in, where, and for how long
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli auth status
  ntcli auth status --sessions
  ntcli auth status --end-others
  ntcli auth status --format json | jq '.authenticated'

The exit code is 3 when nobody is signed in.")]
pub(crate) struct Args {
    /// Also list all your sessions, on this machine and on others
    #[arg(long)]
    sessions: bool,
    /// End one of your sessions
    #[arg(long, value_name = "ID", conflicts_with_all = ["sessions", "end_others"])]
    end: Option<String>,
    /// End all your sessions but this one
    #[arg(long, conflicts_with = "sessions")]
    end_others: bool,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct SignedOut {
    authenticated: bool,
}

#[derive(Serialize)]
struct SignedIn<'a> {
    authenticated: bool,
    email: Option<&'a str>,
    user_id: &'a str,
    authority: &'a str,
    authority_reachable: bool,
    expires_at: IsoTime,
    secrets: Secrets,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Vec<SessionRecord>>,
}

/// Who is signed in, and how it is known.
struct Standing<'a> {
    user: &'a User,
    expires_at: Timestamp,
    authority_reachable: bool,
    sessions: Option<Vec<SessionRecord>>,
}

/// Where the session is kept.
#[derive(Serialize)]
#[serde(tag = "kept_in", rename_all = "lowercase")]
enum Secrets {
    Environment,
    File { path: String },
    Keyring,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let format = args.output.format;
    if let Some(id) = &args.end {
        return sessions::end(id, format, context);
    }
    if args.end_others {
        return sessions::end_others(format, context);
    }
    let operator = match context.operator("this") {
        Ok(operator) => operator,
        Err(error) if is_nobody(&error) => return signed_out(args),
        Err(error) => return Err(error),
    };
    match operator.session() {
        Ok(info) => {
            let sessions = if args.sessions { Some(operator.sessions()?.sessions) } else { None };
            let (user, expires_at) = (&info.user, info.expires_at.0);
            let standing = Standing { user, expires_at, authority_reachable: true, sessions };
            signed_in(standing, args, context)
        }
        Err(ClientError::Refused(_)) => signed_out(args),
        Err(ClientError::Failed(failure)) => unconfirmed(failure, args, context),
        Err(ClientError::NotRenewed(error)) => Err(*error),
    }
}

/// Nobody is signed in, or a workspace token stands in the place of the session. That the provider has
/// ended the sign-in is told as it is.
fn is_nobody(error: &Error) -> bool {
    *error == Error::not_signed_in() || error.code == Code::ClerkAuthenticationRequired
}

fn signed_out(args: &Args) -> Result<(), Error> {
    if args.output.format == Format::Json {
        ui::json(&SignedOut { authenticated: false })?;
    } else {
        ui::data("❌ Not authenticated\nPlease run 'ntcli auth login' to authenticate")?;
    }
    Err(Error::said(Code::AuthenticationRequired))
}

/// The authority does not answer: what was known when the session began is shown, and the command
/// fails all the same.
fn unconfirmed(failure: Failure, args: &Args, context: &Context) -> Result<(), Error> {
    let is_given = context.settings.session_token.is_some();
    let kept = context.kept_session()?.filter(|_| !is_given);
    if let Some(StoredSession { user, expires_at, .. }) = kept {
        let expires_at = *expires_at;
        let standing = Standing { user, expires_at, authority_reachable: false, sessions: None };
        signed_in(standing, args, context)?;
    }
    Err(failure.into())
}

fn signed_in(standing: Standing<'_>, args: &Args, context: &Context) -> Result<(), Error> {
    let Standing { user, expires_at, authority_reachable, sessions } = standing;
    let authority = context.authority()?;
    let secrets = secrets(context)?;
    if args.output.format == Format::Json {
        return ui::json(&SignedIn {
            authenticated: true,
            email: user.email.as_deref(),
            user_id: user.id.as_str(),
            authority: authority.as_str(),
            authority_reachable,
            expires_at: expires_at.into(),
            secrets,
            sessions,
        });
    }
    let answers = if authority_reachable { "answers" } else { "does not answer" };
    let secrets = match secrets {
        Secrets::Environment => "the environment (NTCLI_SESSION_TOKEN)".to_owned(),
        Secrets::File { path } => path,
        Secrets::Keyring => "the keyring of this system".to_owned(),
    };
    ui::data(&format!(
        "✅ Authenticated as {}\n\
         User ID:    {}\n\
         Authority:  {authority} ({answers})\n\
         Session:    ends {} UTC\n\
         Secrets:    {secrets}",
        display_name(user),
        user.id,
        expires_at.civil(),
    ))?;
    sessions.map_or(Ok(()), |sessions| ui::data(&format!("\n{}", sessions::table(sessions))))
}

/// Where the session is kept that was asked about.
fn secrets(context: &Context) -> Result<Secrets, Error> {
    let kept = context.kept_session()?.map(|kept| kept.access_token.place());
    Ok(match kept {
        _ if context.settings.session_token.is_some() => Secrets::Environment,
        Some(Place::Keyring) => Secrets::Keyring,
        _ => Secrets::File { path: context.folder.path(FILE).display().to_string() },
    })
}
