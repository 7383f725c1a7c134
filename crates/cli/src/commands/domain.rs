//! Which authority is asked.

use clap::Subcommand;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::address::Authority;
use crate::config::Config;
use crate::context::{Context, Source};
use crate::error::Error;
use crate::ui;

/// Show or set the authority
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli domain show
  ntcli domain set auth.example.com")]
pub(crate) enum Command {
    Show(ShowArgs),
    Set(SetArgs),
}

/// Show which authority is asked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli domain show
  ntcli domain show --format json | jq -r '.authority'")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    output: TextOrJson,
}

/// Set which authority is asked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli domain set auth.example.com
  ntcli domain set http://127.0.0.1:8480
  ntcli domain set http://ntd.internal:8480 --insecure")]
pub(crate) struct SetArgs {
    /// A host, or a URL; without a scheme https, except for this machine
    #[arg(value_name = "HOST|URL")]
    address: String,
    /// Allow plain http to another machine: whoever is on the way can read your credentials
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    authority: &'a Authority,
    source: Source,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Show(args) => {
            let (authority, source) = context.authority_and_source()?;
            print(&authority, source, args.output.format)
        }
        Command::Set(args) => set(args, context),
    }
}

fn set(args: &SetArgs, context: &Context) -> Result<(), Error> {
    let authority = Authority::parse(&args.address).map_err(|e| Error::usage(e.to_string()))?;
    let is_private = authority.is_encrypted() || authority.is_loopback();
    if !is_private && !args.insecure {
        let message = format!("{authority} is neither encrypted nor on this machine.");
        return Err(Error::usage(message).hint("use https, or add --insecure"));
    }
    Config::update(&context.folder, |config| {
        config.authority = Some(authority.clone());
        if !is_private {
            config.at_mut(&authority).insecure = true;
        }
    })?;
    if context.settings.authority.as_ref().is_some_and(|given| *given != authority) {
        ui::warning("NTCLI_API_URL is set and goes first.");
    }
    print(&authority, Source::Config, args.output.format)
}

fn print(authority: &Authority, source: Source, format: Format) -> Result<(), Error> {
    if format == Format::Json {
        return ui::json(&Output { authority, source });
    }
    let source = match source {
        Source::Environment => "from NTCLI_API_URL",
        Source::Config => "from the configuration",
        Source::Default => "the default",
    };
    ui::data(&format!("Authority: {authority} ({source})"))
}
