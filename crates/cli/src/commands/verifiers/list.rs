//! `ntcli verifiers list`.

use nt_api::verifiers::{Verifier, VerifierProcess};

use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 9] = [
    Column::new("Name"),
    Column::new("Process"),
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
  ntcli verifiers list --format json | jq -r '.verifiers[] | select(.connected | not) | .name'

Several processes may follow under one credential: each is a line of its own. Of several nodes, the
one that answers tells of those that follow it; 'Last connected' is true of all."
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
    ui::data(&table::draw(&COLUMNS, all.verifiers.iter().flat_map(rows)))
}

/// One for each process; one without where there is none.
fn rows(verifier: &Verifier) -> Vec<Vec<String>> {
    match verifier.processes.as_slice() {
        [] => vec![row(verifier, None)],
        processes => processes.iter().map(|process| row(verifier, Some(process))).collect(),
    }
}

fn row(verifier: &Verifier, process: Option<&VerifierProcess>) -> Vec<String> {
    let last_connected = verifier.last_connected_at.map(|at| at.0.civil());
    let of_process = |told: fn(&VerifierProcess) -> String| process.map(told).unwrap_or_default();
    vec![
        verifier.name.to_string(),
        of_process(|process| process.name.clone()),
        verifier.created_at.0.civil(),
        last_connected.unwrap_or_else(|| "never".to_owned()),
        verifier.version.clone().unwrap_or_default(),
        of_process(|process| if process.connected { "✓" } else { "" }.to_owned()),
        of_process(|process| format!("{}:{}", process.position.epoch, process.position.seq)),
        of_process(|process| format!("{} ms", process.lease_ms_left)),
        of_process(|process| format!("{} ms ago", process.last_ack_ms_ago)),
    ]
}
