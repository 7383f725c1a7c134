//! `ntcli clients list`.

use nt_api::clients::Client;
use nt_token::ClientRight;

use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 4] = [
    Column::new("Client ID"),
    Column::new("May"),
    Column::new("Workspace"),
    Column::new("Created"),
];

/// List the OAuth clients
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli clients list
  ntcli clients list --format json | jq -r '.clients[] | select(.workspace == null) | .client_id'"
)]
pub(crate) struct Args {
    #[command(flatten)]
    output: TableOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let all = context.operator("listing clients")?.clients()?;
    if args.output.format == Format::Json {
        return ui::json(&all);
    }
    if all.clients.is_empty() {
        ui::say("No clients found.");
        ui::hint("ntcli clients add <name> --may introspect");
        return Ok(());
    }
    ui::data(&table::draw(&COLUMNS, all.clients.iter().map(row)))
}

fn row(client: &Client) -> Vec<String> {
    let workspace = client.workspace.map_or_else(|| "any".to_owned(), |id| id.to_string());
    let may: Vec<_> = client.may.iter().map(ClientRight::name).collect();
    vec![client.client_id.to_string(), may.join(", "), workspace, client.created_at.0.civil()]
}
