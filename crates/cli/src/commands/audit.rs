//! The audit log.

use clap::Subcommand;
use nt_api::audit::{AuditRecord, DeniedToken};
use nt_token::{Jti, Timestamp};
use serde::Serialize;

use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::{Code, Error};
use crate::ui;
use crate::ui::table::{self, Column};

/// How many records are asked for at once.
const PAGE: u32 = 1000;

/// See what was done, by whom, and who still uses revoked tokens
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli audit list
  ntcli audit list --jti jti_abc123def456")]
pub(crate) enum Command {
    List(Args),
}

/// List the audit log, newest first, and attempts with revoked tokens
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli audit list
  ntcli audit list --jti jti_abc123def456
  ntcli audit list --since 2024-08-07 --limit 1000
  ntcli audit list --format json | jq '.denied'"
)]
pub(crate) struct Args {
    /// Only what concerns this token
    #[arg(long, value_name = "JTI")]
    jti: Option<String>,
    /// Only what happened since: 2024-08-07T12:30:00Z, a date, or seconds since 1970
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many records at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    output: TableOrJson,
}

#[derive(Default, Serialize)]
struct Found {
    records: Vec<AuditRecord>,
    denied: Vec<DeniedToken>,
    has_more: bool,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    let Command::List(args) = command;
    let jti = args.jti.as_deref().map(str::parse::<Jti>).transpose();
    let jti = jti.map_err(|e| Error::new(Code::InvalidJti, e.to_string()))?;
    let since = args.since.as_deref().map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|e| Error::usage(e.to_string()))?;
    let found = fetch(jti.as_ref(), since, args.limit, context)?;
    if args.output.format == Format::Json {
        return ui::json(&found);
    }
    print(&found)
}

fn fetch(
    jti: Option<&Jti>,
    since: Option<Timestamp>,
    limit: u32,
    context: &Context,
) -> Result<Found, Error> {
    let operator = context.operator("the audit log")?;
    let mut found = Found::default();
    let mut cursor: Option<String> = None;
    let mut left = limit;
    while left > 0 {
        let mut page = operator.audit(jti, since, left.min(PAGE), cursor.as_deref())?;
        page.records.truncate(left as usize);
        left -= u32::try_from(page.records.len()).unwrap_or(left);
        found.has_more = page.next_cursor.is_some();
        if page.records.is_empty() || cursor == page.next_cursor {
            left = 0;
        }
        found.records.extend(page.records);
        if cursor.is_none() {
            found.denied = page.denied;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(found)
}

fn print(found: &Found) -> Result<(), Error> {
    if found.records.is_empty() && found.denied.is_empty() {
        ui::say("No records found.");
        return Ok(());
    }
    let mut parts = Vec::new();
    if !found.records.is_empty() {
        let titles = ["Time", "Action", "Who", "From", "About", "Reason"].map(Column::new);
        parts.push(table::draw(&titles, found.records.iter().map(record)));
    }
    if !found.denied.is_empty() {
        let titles = ["Revoked token", "Attempts", "First", "Last", "Last from"].map(Column::new);
        let drawn = table::draw(&titles, found.denied.iter().map(denied));
        parts.push(format!("Attempts with revoked tokens:\n{drawn}"));
    }
    ui::data(&parts.join("\n\n"))?;
    if found.has_more {
        ui::say("There are older records.");
        ui::hint("a larger --limit shows them");
    }
    Ok(())
}

fn record(record: &AuditRecord) -> Vec<String> {
    let text = |part: Option<String>| part.unwrap_or_default();
    let who = record.operator_email.clone();
    vec![
        record.at.0.civil(),
        record.action.clone(),
        who.unwrap_or_else(|| record.operator_id.to_string()),
        text(record.from.map(|ip| ip.to_string())),
        text(record.jti.as_ref().map(ToString::to_string).or_else(|| record.about.clone())),
        [&record.reason, &record.note]
            .into_iter()
            .flatten()
            .cloned()
            .collect::<Vec<_>>()
            .join("; "),
    ]
}

fn denied(denied: &DeniedToken) -> Vec<String> {
    vec![
        denied.jti.to_string(),
        denied.count.to_string(),
        denied.first_at.0.civil(),
        denied.last_at.0.civil(),
        denied.last_from.map(|ip| ip.to_string()).unwrap_or_default(),
    ]
}
