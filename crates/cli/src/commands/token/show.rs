//! `ntcli token show`: what is known of a token, and whether it is good right now.

use nt_api::tokens::Token;
use nt_api::{ErrorCode, IsoTime};
use nt_token::{Jti, Secret, Timestamp, TokenStatus, WorkspaceId};
use serde::Serialize;

use super::{InWorkspace, networks_shown};
use crate::arguments::{Format, TextOrJson};
use crate::claimed::Claimed;
use crate::client::calls::Verdict;
use crate::client::failure::ClientError;
use crate::context::{Chosen, Context, now};
use crate::error::{Code, Error};
use crate::ui;

/// Show a token, by default the current one, and ask the authority whether it is good
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli token show
  ntcli token show jti_abc123def456
  ntcli token show --format json | jq '.is_valid'
  ntcli token show --show-token
  ntcli token show --verbose    also shows what it may be used for, and from where")]
pub(crate) struct Args {
    /// The JWT ID of the token; otherwise the current token
    jti: Option<String>,
    /// Also show the token itself
    #[arg(long)]
    show_token: bool,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

/// A token's standing, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Active,
    Expired,
    Revoked,
    Invalid,
}

/// What is shown. Where only the token itself is there to ask, its times are what it says of itself.
struct Shown {
    jti: Jti,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    standing: Standing,
    workspace: WorkspaceId,
    scope: Vec<String>,
    source_networks: Vec<String>,
    token: Option<Secret>,
}

#[derive(Serialize)]
struct Output<'a> {
    jti: &'a Jti,
    created_at: IsoTime,
    expires_at: Option<IsoTime>,
    status: Standing,
    workspace_id: WorkspaceId,
    is_valid: bool,
    days_until_expiry: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_networks: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let jti = args.jti.as_deref().map(str::parse::<Jti>).transpose().map_err(|e| {
        Error::new(Code::InvalidJti, e.to_string()).hint("ntcli token list shows the JTIs")
    })?;
    let shown = match jti {
        Some(jti) => named(&jti, args, context)?,
        None => current(args, context)?,
    };
    if args.show_token && shown.token.is_none() {
        let message = format!("The value of token {} is not kept here.", shown.jti);
        return Err(Error::failed(message).hint("only the current token can be shown"));
    }
    print(&shown, args, context.verbose)
}

/// A token that the operator names.
fn named(jti: &Jti, args: &Args, context: &Context) -> Result<Shown, Error> {
    let operator = context.operator("token listing")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let token = operator.token(workspace, jti)?;
    let given = context.settings.workspace_token.clone();
    let given = given.filter(|token| Claimed::by(token).is_some_and(|it| it.jti == *jti));
    let kept = context.kept_token(workspace)?.filter(|kept| kept.jti == *jti);
    let kept = match kept.filter(|_| args.show_token && given.is_none()) {
        Some(kept) => kept.token.reveal()?,
        None => None,
    };
    Ok(Shown::recorded(token, workspace, given.or(kept)))
}

/// The current token: the environment's, else the one that is kept for the workspace.
fn current(args: &Args, context: &Context) -> Result<Shown, Error> {
    let token = match &context.settings.workspace_token {
        Some(token) => token.clone(),
        None => kept(args, context)?,
    };
    let claimed = Claimed::by(&token)
        .ok_or_else(|| Error::usage("Token format is invalid").hint("ntcli token refresh"))?;
    match context.operator("token listing") {
        Ok(operator) => match operator.token(claimed.workspace, &claimed.jti) {
            Ok(record) => Ok(Shown::recorded(record, claimed.workspace, Some(token))),
            Err(error) if is_not_for_us(&error) => by_itself(claimed, token, context),
            Err(error) => Err(unable(error)),
        },
        // Nobody is signed in: the token itself is asked about.
        Err(error) if is_nobody(error.code) => by_itself(claimed, token, context),
        Err(error) => Err(error),
    }
}

fn is_nobody(code: Code) -> bool {
    matches!(code, Code::AuthenticationRequired | Code::ClerkAuthenticationRequired)
}

fn kept(args: &Args, context: &Context) -> Result<Secret, Error> {
    let workspace = match context.choose(args.workspace.workspace.as_deref())? {
        Chosen::Id(id) => id,
        chosen @ Chosen::Name(_) => chosen.resolve(&context.operator("token listing")?)?,
    };
    let kept = context.kept_token(workspace)?.map(|kept| kept.token.reveal()).transpose()?;
    kept.flatten().ok_or_else(|| {
        Error::new(Code::TokenNotFound, "No workspace token found").hint("ntcli token refresh")
    })
}

/// Asks about the token with nothing but the token.
fn by_itself(claimed: Claimed, token: Secret, context: &Context) -> Result<Shown, Error> {
    let standing = match context.client()?.verdict(&token).map_err(unable)? {
        Verdict::Good(workspace) if workspace == claimed.workspace => Standing::Active,
        Verdict::Good(_) | Verdict::Invalid => Standing::Invalid,
        Verdict::Expired => Standing::Expired,
        Verdict::Revoked => Standing::Revoked,
    };
    Ok(Shown {
        jti: claimed.jti,
        created_at: claimed.created_at,
        expires_at: Some(claimed.expires_at),
        standing,
        workspace: claimed.workspace,
        scope: claimed.scope.split(' ').map(str::to_owned).collect(),
        source_networks: claimed.source_networks,
        token: Some(token),
    })
}

/// Whether the operator cannot tell: the session has ended, or the workspace has no such token, or
/// is not this operator's to see.
fn is_not_for_us(error: &ClientError) -> bool {
    use ErrorCode::{AuthenticationRequired, TokenExpired, TokenNotFound, WorkspaceNotFound};
    let cannot = [AuthenticationRequired, TokenExpired, TokenNotFound, WorkspaceNotFound];
    error.refusal().is_some_and(|code| cannot.contains(&code))
}

/// A failure to answer, under its documented name; a refusal speaks for itself.
fn unable(error: ClientError) -> Error {
    match error {
        ClientError::Refused(_) | ClientError::NotRenewed(_) => error.into(),
        ClientError::Failed(failure) => {
            let why = failure.to_string();
            let code = Error::from(failure).code;
            Error::new(code, "Unable to validate token with server").hint(why)
        }
    }
}

impl Shown {
    fn recorded(token: Token, workspace: WorkspaceId, value: Option<Secret>) -> Self {
        let standing = match token.status {
            TokenStatus::Active => Standing::Active,
            TokenStatus::Expired => Standing::Expired,
            TokenStatus::Revoked => Standing::Revoked,
        };
        Self {
            jti: token.jti,
            created_at: token.created_at,
            expires_at: token.expires_at,
            standing,
            workspace,
            scope: token.scope,
            source_networks: token.source_networks,
            token: value,
        }
    }

    fn days_left(&self, now: Timestamp) -> Option<i64> {
        const DAY: i64 = 86_400;
        self.expires_at.map(|at| at.unix().saturating_sub(now.unix()).max(0) / DAY)
    }
}

fn print(shown: &Shown, args: &Args, verbose: bool) -> Result<(), Error> {
    let token = shown.token.as_ref().filter(|_| args.show_token).map(Secret::expose);
    if token.is_some() {
        ui::say("⚠️  WARNING: Token value is displayed below. Keep it secure!");
    }
    if args.output.format == Format::Json {
        return ui::json(&Output {
            jti: &shown.jti,
            created_at: shown.created_at.into(),
            expires_at: shown.expires_at.map(IsoTime),
            status: shown.standing,
            workspace_id: shown.workspace,
            is_valid: shown.standing == Standing::Active,
            days_until_expiry: shown.days_left(now()),
            scope: verbose.then_some(&shown.scope),
            source_networks: verbose.then_some(&shown.source_networks),
            token,
        });
    }
    let expires = shown.expires_at.map_or_else(|| "Never".to_owned(), utc);
    let (status, verdict) = match shown.standing {
        Standing::Active => ("Active", "Token is valid and ready to use."),
        Standing::Expired => ("Expired", "Token has expired. Get a new one: ntcli token refresh"),
        Standing::Revoked => ("Revoked", "Token was revoked. Get a new one: ntcli token refresh"),
        Standing::Invalid => ("Invalid", "Token is not valid. Get a new one: ntcli token refresh"),
    };
    let mut lines = vec![
        "Workspace Token Information".to_owned(),
        "─".repeat(27),
        format!("JTI:         {}", shown.jti),
        format!("Created:     {}", utc(shown.created_at)),
        format!("Expires:     {expires}"),
        format!("Status:      {status}"),
        format!("Workspace:   {}", shown.workspace),
    ];
    if verbose {
        lines.push(format!("Scope:       {}", shown.scope.join(" ")));
        lines.push(format!("Networks:    {}", networks_shown(&shown.source_networks)));
    }
    lines.extend(token.map(|token| format!("Token:       {token}")));
    lines.push(format!("\n{verdict}"));
    ui::data(&lines.join("\n"))
}

fn utc(at: Timestamp) -> String {
    format!("{} UTC", at.civil())
}
