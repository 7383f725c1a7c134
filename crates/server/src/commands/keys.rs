//! `ntd keys`: the signing keys.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::authority::keyring::Keyring;
use crate::config::{Config, Layer};
use crate::data_dir;

/// Show the signing keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// List the keys, and which of them signs. Private halves are never shown.
    List(List),
}

/// Which keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ntd keys list --data-dir /var/lib/ntd")]
pub(super) struct List {
    /// Where keys and database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Keys {
    /// Shows them.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::List(args) = self;
        let flags = Layer { data_dir: args.data_dir, ..Layer::default() };
        let config = Config::load(flags, args.config.as_deref())?;
        let keys = data_dir::keys(&config.data_dir);
        let keyring = Keyring::read(&keys)
            .with_context(|| format!("no keys can be read in {}", keys.display()))?;
        for key in keyring.iter() {
            let signs = if key.kid() == keyring.active().kid() { "signs" } else { "checks" };
            println!("{}  {}  {signs}", key.kid(), key.algorithm().name());
        }
        Ok(ExitCode::SUCCESS)
    }
}
