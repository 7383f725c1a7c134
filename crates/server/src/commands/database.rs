//! Opening the database that the settings name, to serve from it or to change something in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use anyhow::{Context as _, ensure};
use nt_store::{
    Condition, Follower, Gate, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store,
    StoreError,
};
use nt_token::Secret;

use crate::authority::cluster::node::{Doubted, Hint};
use crate::authority::entropy::random;
use crate::config::{Config, ConfigError, Database, Layer};
use crate::data_dir::DataDir;

/// A store that other nodes may use too.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    /// Where entries go that another node tells of.
    pub(crate) hint: Hint,
    /// Says when the store cannot be relied on any more.
    pub(crate) doubted: Doubted,
}

/// The database file of a configuration that names none on a server.
pub(super) fn sqlite_file(config: &Config, data_dir: &DataDir) -> PathBuf {
    match &config.database {
        Some(Database::Sqlite(path)) => path.clone(),
        _ => data_dir.database(),
    }
}

/// Where a store on SQLite has its files.
pub(super) fn sqlite_options(config: &Config, data_dir: &DataDir) -> SqliteOptions {
    let database = sqlite_file(config, data_dir);
    SqliteOptions { database, high_water: data_dir.high_water() }
}

/// Opens a file, for one process.
pub(super) fn open_sqlite(
    config: &Config,
    data_dir: &DataDir,
    follower: Follower,
) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(sqlite_options(config, data_dir), follower)
}

/// How a database on a server is used, with a journal in this directory.
pub(super) fn postgres_options(
    url: &Secret,
    gate: Gate,
    journal: &Path,
) -> Result<PostgresOptions, StoreError> {
    let mut options = PostgresOptions::new(url.expose(), journal)?;
    options.gate = gate;
    Ok(options)
}

/// The settings of a command that is told where the authority is, and nothing else.
pub(super) fn settings(
    data_dir: Option<&Path>,
    database: Option<&str>,
    file: Option<&Path>,
) -> Result<Config, ConfigError> {
    let flags = Layer {
        data_dir: data_dir.map(Path::to_owned),
        database: database.map(|url| Secret::from(url.to_owned())),
        ..Layer::default()
    };
    Config::load(flags, file)
}

/// Opens a database on a server, as one of its nodes.
pub(crate) fn open_shared(
    url: &Secret,
    gate: Gate,
    data_dir: &DataDir,
    follower: Follower,
) -> Result<Shared, StoreError> {
    let options = postgres_options(url, gate, &data_dir.journal())?;
    let store = Arc::new(PostgresStore::open(options, follower)?);
    // The store's own thread tells the node, and must not be kept alive by it.
    let hinted: Weak<PostgresStore> = Arc::downgrade(&store);
    let hint: Hint = Box::new(move |epoch, entries| {
        if let Some(store) = hinted.upgrade() {
            store.hint(epoch, entries);
        }
    });
    let mut condition = store.condition();
    let doubted: Doubted = Box::pin(async move {
        let is_over =
            |now: &Condition| matches!(now, Condition::InDoubt(_) | Condition::Recovered(_));
        match condition.wait_for(is_over).await.map(|condition| condition.clone()) {
            Ok(Condition::InDoubt(why)) => why,
            Ok(Condition::Recovered(_)) => "the log was recovered".to_owned(),
            _ => std::future::pending().await,
        }
    });
    Ok(Shared { store, hint, doubted })
}

/// What a command changes that is no node.
pub(super) struct Tool {
    pub(super) store: Arc<dyn Store>,
    /// The directory, locked, where one process has the database.
    pub(super) alone: Option<DataDir>,
    _scratch: Option<Scratch>,
}

impl Tool {
    /// Opens the database that is there. One on a server is used beside the nodes that run on it.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let Some(Database::Postgres(url)) = &config.database else {
            let data_dir = DataDir::open(&config.data_dir)?;
            let file = sqlite_file(config, &data_dir);
            ensure!(file.is_file(), "{} does not exist", file.display());
            let store = open_sqlite(config, &data_dir, Box::new(|_| {}))?;
            return Ok(Self { store: Arc::new(store), alone: Some(data_dir), _scratch: None });
        };
        // The journal of a node is that node's: what is appended here comes to stand in theirs.
        let scratch = Scratch::new()?;
        let options = postgres_options(url, config.gate(), &scratch.0.join("journal"))?;
        let store = Arc::new(PostgresStore::open(options, Box::new(|_| {}))?);
        Ok(Self { store, alone: None, _scratch: Some(scratch) })
    }
}

/// A directory that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let number = u64::from_be_bytes(random()?);
        let path = std::env::temp_dir().join(format!("ntd-{number:016x}"));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_to_the_system = std::fs::remove_dir_all(&self.0);
    }
}
