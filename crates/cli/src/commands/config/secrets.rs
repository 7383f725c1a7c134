//! `ntcli config secrets`: where secrets are kept, and moving them there.

use clap::ValueEnum;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::config::Config;
use crate::context::Context;
use crate::credentials::{Credentials, FILE};
use crate::error::Error;
use crate::held::Place;
use crate::keyring;
use crate::ui;

/// Choose where secrets are kept, and move those that are kept here
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli config secrets keyring
  ntcli config secrets file

The new place is written and read back before the old one is cleared. If it is interrupted, run it
again.")]
pub(crate) struct Args {
    /// The OS keyring, or a file that only you can read
    #[arg(value_enum)]
    place: Choice,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Keyring,
    File,
}

#[derive(Serialize)]
struct Output {
    secrets: Place,
    moved: usize,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let folder = &context.folder;
    let secrets = match args.place {
        Choice::Keyring => Place::Keyring,
        Choice::File => Place::File,
    };
    if secrets == Place::Keyring {
        keyring::probe().map_err(|failure| keyring::unavailable(&failure))?;
    }
    let moved = Credentials::relocate(folder, secrets)?;
    Config::update(folder, |config| config.secrets = Some(secrets))?;
    if args.output.format == Format::Json {
        return ui::json(&Output { secrets, moved });
    }
    let place = match secrets {
        Place::Keyring => "the keyring of this system".to_owned(),
        Place::File => folder.path(FILE).display().to_string(),
    };
    let count = if moved == 1 { "1 was".to_owned() } else { format!("{moved} were") };
    ui::data(&format!("Secrets are kept in {place}; {count} moved."))
}
