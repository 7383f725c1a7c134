//! `ntcli token list`.

use std::net::IpAddr;

use nt_api::IsoTime;
use nt_api::tokens::{StatusFilter, Token};
use nt_token::{Jti, OperatorId, Timestamp, TokenStatus};
use serde::Serialize;

use super::{InWorkspace, networks_shown};
use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

/// List the tokens of a workspace, newest first
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli token list
  ntcli token list --show-expired --wide
  ntcli token list --format json | jq -r '.tokens[] | select(.is_current != true) | .jti'"
)]
pub(crate) struct Args {
    /// Also list expired and revoked tokens
    #[arg(long)]
    show_expired: bool,
    /// Also show the description, who created the token, when it was last used, what it may be used
    /// for, and from which networks
    #[arg(long)]
    wide: bool,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TableOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    tokens: Vec<Item<'a>>,
    total_active: usize,
    current_token_jti: Option<&'a Jti>,
}

#[derive(Serialize)]
struct Item<'a> {
    jti: &'a Jti,
    created_at: IsoTime,
    expires_at: Option<IsoTime>,
    is_current: bool,
    status: TokenStatus,
    description: Option<&'a str>,
    scope: &'a [String],
    source_networks: &'a [String],
    created_by: &'a OperatorId,
    created_by_email: Option<&'a str>,
    last_used_at: Option<IsoTime>,
    last_used_from: Option<IpAddr>,
    use_count: u64,
    revoked_at: Option<IsoTime>,
    revoked_reason: Option<&'a str>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("token listing")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let current = context.current_jti(workspace)?;
    let status = if args.show_expired { StatusFilter::All } else { StatusFilter::Active };
    let tokens = operator.tokens(workspace, status)?;
    if args.output.format == Format::Json {
        let total_active = tokens.iter().filter(|t| t.status == TokenStatus::Active).count();
        let tokens = tokens.iter().map(|token| item(token, current.as_ref())).collect();
        return ui::json(&Output { tokens, total_active, current_token_jti: current.as_ref() });
    }
    if tokens.is_empty() {
        ui::say("No tokens found.");
        return Ok(());
    }
    let rows = tokens.iter().map(|token| row(token, current.as_ref(), args));
    ui::data(&table::draw(&columns(args), rows))
}

fn item<'a>(token: &'a Token, current: Option<&Jti>) -> Item<'a> {
    Item {
        jti: &token.jti,
        created_at: token.created_at.into(),
        expires_at: token.expires_at.map(IsoTime),
        is_current: current == Some(&token.jti),
        status: token.status,
        description: token.description.as_deref(),
        scope: &token.scope,
        source_networks: &token.source_networks,
        created_by: &token.created_by,
        created_by_email: token.created_by_email.as_deref(),
        last_used_at: token.last_used_at.map(IsoTime),
        last_used_from: token.last_used_from,
        use_count: token.use_count,
        revoked_at: token.revoked_at.map(IsoTime),
        revoked_reason: token.revoked_reason.as_deref(),
    }
}

fn columns(args: &Args) -> Vec<Column> {
    let mut columns = vec![
        Column::at_least("JTI", 19),
        Column::at_least("Created", 19),
        Column::at_least("Expires", 19),
        Column::at_least("Current", 7),
    ];
    if args.show_expired {
        columns.push(Column::at_least("Status", 7));
    }
    if args.wide {
        let wide = ["Description", "Created by", "Last used", "Scope", "Networks"];
        columns.extend(wide.map(Column::new));
    }
    columns
}

fn row(token: &Token, current: Option<&Jti>, args: &Args) -> Vec<String> {
    let or_never = |at: Option<Timestamp>| at.map_or_else(|| "Never".to_owned(), Timestamp::civil);
    let is_current = if current == Some(&token.jti) { "✓" } else { "" };
    let mut row = vec![
        token.jti.to_string(),
        token.created_at.civil(),
        or_never(token.expires_at),
        is_current.to_owned(),
    ];
    if args.show_expired {
        row.push(status(token.status).to_owned());
    }
    if args.wide {
        let created_by = token.created_by_email.clone();
        row.push(token.description.clone().unwrap_or_default());
        row.push(created_by.unwrap_or_else(|| token.created_by.to_string()));
        row.push(or_never(token.last_used_at));
        row.push(token.scope.join(" "));
        row.push(networks_shown(&token.source_networks));
    }
    row
}

/// A status as people read it.
pub(super) fn status(status: TokenStatus) -> &'static str {
    match status {
        TokenStatus::Active => "Active",
        TokenStatus::Expired => "Expired",
        TokenStatus::Revoked => "Revoked",
    }
}
