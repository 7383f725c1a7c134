//! `ntcli token create`: a new token for another system. It is printed, not stored here.

use nt_api::IsoTime;
use nt_token::{Jti, Scope, Scopes};
use serde::Serialize;

use super::{Expiry, InWorkspace};
use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Create a token for another system; it is not stored here
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli token create
  ntcli token create --expires-in 24h --description 'nightly build' --scope read
  ntcli token create --no-expiry -w my-workspace
  ntcli token create --expires-in 31536000 --format json | jq -r '.token'")]
pub(crate) struct Args {
    #[command(flatten)]
    expiry: Expiry,
    /// What the token is for, for people
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// What the token may be used for; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    token: &'a str,
    jti: &'a Jti,
    expires_at: Option<IsoTime>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<(), Error> {
    let mut request = args.expiry.request()?;
    request.description = args.description;
    request.scope = scopes(&args.scope)?;
    let operator = context.operator("token creation")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let created = operator.create_token(workspace, &request, &idempotency_key()?)?;
    let (token, jti) = (created.access_token.expose(), &created.jti);
    if args.output.format == Format::Json {
        return ui::json(&Output { token, jti, expires_at: created.expires_at });
    }
    let expires = created.expires_at.map_or_else(|| "Never".to_owned(), |at| at.to_string());
    ui::data(&format!("New token created: {token}\nToken JTI: {jti}\nExpires: {expires}"))
}

fn scopes(names: &[String]) -> Result<Vec<String>, Error> {
    let invalid = |e: nt_token::scope::InvalidScope| Error::usage(e.to_string());
    let scopes: Result<Vec<Scope>, _> = names.iter().map(|name| name.parse()).collect();
    let scopes = scopes.map_err(invalid)?;
    Scopes::new(scopes).map_err(invalid)?;
    Ok(names.to_vec())
}
