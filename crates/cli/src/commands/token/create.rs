//! `ntcli token create`: a new token for another system. It is printed, not stored here.

use nt_api::IsoTime;
use nt_token::Jti;
use serde::Serialize;

use super::{Expiry, InWorkspace, Restrictions};
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
  ntcli token create --scope read --source-network 192.0.2.0/24 --source-network 2001:db8::/32
  ntcli token create --scope deploy:eu,read
  ntcli token create --no-expiry -w my-workspace
  ntcli token create --expires-in 31536000 --format json | jq -r '.token'

A token may be used to read and write, and from anywhere, where nothing else is said. One with
networks is refused wherever it is not known from where it is used.")]
pub(crate) struct Args {
    #[command(flatten)]
    expiry: Expiry,
    /// What the token is for, for people
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    restrictions: Restrictions,
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
    args.restrictions.put_into(&mut request)?;
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
