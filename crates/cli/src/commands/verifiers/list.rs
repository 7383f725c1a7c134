//! `ntcli verifiers list`.

use nt_api::verifiers::Verifier;

use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 8] = [
    Column::new("Name"),
    Column::new("Created"),
    Column::new("Last connected"),
    Column::new("Version"),
    Column::new("Connected"),
    Column::new("Position"),
    Column::new("Lease left"),
    Column::new("Last ack"),
];

/// List the verifiers, and what is known of those that are connected
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli verifiers list
  ntcli verifiers list --format json | jq -r '.verifiers[] | select(.connected | not) | .name'"
)]
pub(crate) struct Args {
    #[command(flatten)]
    output: TableOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let all = context.operator("listing verifiers")?.verifiers()?;
    if args.output.format == Format::Json {
        return ui::json(&all);
    }
    if all.verifiers.is_empty() {
        ui::say("No verifiers found.");
        ui::hint("ntcli verifiers add <name>");
        return Ok(());
    }
    ui::data(&table::draw(&COLUMNS, all.verifiers.iter().map(row)))
}

fn row(verifier: &Verifier) -> Vec<String> {
    let last_connected = verifier.last_connected_at.map(|at| at.0.civil());
    let position = verifier.position.map(|at| format!("{}:{}", at.epoch, at.seq));
    vec![
        verifier.name.to_string(),
        verifier.created_at.0.civil(),
        last_connected.unwrap_or_else(|| "never".to_owned()),
        verifier.version.clone().unwrap_or_default(),
        if verifier.connected { "✓" } else { "" }.to_owned(),
        position.unwrap_or_default(),
        verifier.lease_ms_left.map(|left| format!("{left} ms")).unwrap_or_default(),
        verifier.last_ack_ms_ago.map(|ago| format!("{ago} ms ago")).unwrap_or_default(),
    ]
}
