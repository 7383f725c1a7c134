//! The authority's database, open for a command that is not `serve`.
//!
//! With SQLite the command has the data directory to itself. With PostgreSQL nodes run on while it
//! works, also one on this very machine: it takes nothing of theirs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use nt_store::{Gate, PostgresOptions, PostgresStore, Store};
use tempfile::TempDir;

use crate::config::{Config, Layer};
use crate::data_dir::DataDir;
use crate::database::{Database, Opened};
use crate::key_secret::KeySecretSource;

/// Where the authority is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Place {
    /// Where the secret and the database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://USER@HOST/NAME [default: ntd.db in the data
    /// directory]
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// The file with the key secret [default: key-secret in the data directory]
    #[arg(long, value_name = "FILE")]
    pub(super) key_secret_file: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// It, open.
pub(super) struct At {
    /// The store.
    pub(super) store: Arc<dyn Store>,
    /// Where the key secret is.
    pub(super) secret: KeySecretSource,
    /// The data directory, where the command has it to itself.
    pub(super) data_dir: Option<DataDir>,
    /// What a store on PostgreSQL writes down of its own; no witness of a node.
    _scratch: Option<TempDir>,
}

impl Place {
    /// The settings that these options and the environment come to.
    pub(super) fn settings(&self) -> anyhow::Result<Config> {
        let flags = Layer {
            data_dir: self.data_dir.clone(),
            database: self.database.clone(),
            key_secret_file: self.key_secret_file.clone(),
            ..Layer::default()
        };
        Ok(Config::load(flags, self.config.as_deref())?)
    }

    /// Opens it. It must be there.
    pub(super) fn open(&self) -> anyhow::Result<At> {
        let config = self.settings()?;
        let secret = config.key_secret();
        if let Some(Database::Postgres(url)) = &config.database {
            let scratch = tempfile::tempdir().context("no directory for what is of the moment")?;
            let mut options = PostgresOptions::new(url.expose(), scratch.path())?;
            // Whether the database is safe enough is the business of the nodes that serve from it.
            options.gate = Gate::AllowLoss;
            let store = PostgresStore::open(options, Box::new(|_| {}))?;
            let store: Arc<dyn Store> = Arc::new(store);
            return Ok(At { store, secret, data_dir: None, _scratch: Some(scratch) });
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        let database = Database::or_file(config.database.as_ref(), &data_dir);
        if let Database::Sqlite(path) = &database {
            ensure!(path.is_file(), "{} does not exist", path.display());
        }
        let opened = Opened::open(&database, &data_dir, Gate::Safe, Box::new(|_| {}))?;
        Ok(At { store: opened.store(), secret, data_dir: Some(data_dir), _scratch: None })
    }
}
