//! `ntd export` and `ntd import`: everything that the authority remembers, in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use nt_store::{ExportKind, Moved, PostgresOptions, SqliteOptions};

use super::database::{postgres_options, settings, sqlite_options};
use crate::config::{Config, Database};
use crate::data_dir::{self, DataDir};

/// Write everything that the authority remembers to a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd export copy.ntd --data-dir /var/lib/ntd
  ntd export --move authority.ntd            the authority goes on elsewhere: see `ntd import`

With SQLite, stop the authority first. With PostgreSQL its nodes go on, and the file has what there
is at one moment; with --move they have to be stopped.

The file holds hashes of credentials, and signing keys encrypted under the key secret, which is not
in it. It is written for its owner alone.")]
pub(super) struct Export {
    /// The file; it must not be there yet
    file: PathBuf,
    /// The authority goes on elsewhere: nothing is served from here any more
    #[arg(long = "move")]
    moves: bool,
    #[command(flatten)]
    place: Place,
}

/// Read everything from a file that `ntd export` wrote, into a database that is empty.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd import authority.ntd --database postgres://ntd@db-1/ntd
  ntd import copy.ntd --data-dir /var/lib/ntd

Positions in the log are kept, so that verifiers go on where they are. Bring the key secret along:
the signing keys are encrypted under it.

What was written without --move may lack revocations that came after it: then serve nothing from it
before `ntd recover` has begun a new epoch.")]
pub(super) struct Import {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Where the authority is.
#[derive(Debug, clap::Args)]
struct Place {
    /// Where the authority keeps its files [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://… [default: ntd.db in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn settings(&self) -> anyhow::Result<Config> {
        let (data_dir, file) = (self.data_dir.as_deref(), self.config.as_deref());
        Ok(settings(data_dir, self.database.as_deref(), file)?)
    }
}

/// Where everything is written from, or read into.
enum Store {
    Sqlite { options: SqliteOptions, data_dir: DataDir },
    Postgres(Box<PostgresOptions>),
}

impl Store {
    fn of(
        config: &Config,
        data_dir: impl FnOnce() -> anyhow::Result<DataDir>,
    ) -> anyhow::Result<Self> {
        if let Some(Database::Postgres(url)) = &config.database {
            // The journal of a node that runs here is that node's; one that ran here is a witness.
            let journal = config.data_dir.join("journal");
            let options = postgres_options(url, config.gate(), &journal)?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        let data_dir = data_dir()?;
        let options = sqlite_options(config, &data_dir);
        Ok(Self::Sqlite { options, data_dir })
    }
}

impl Export {
    /// Writes the file whole, or leaves none.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.place.settings()?;
        let store = Store::of(&config, || Ok(DataDir::open(&config.data_dir)?))?;
        let kind = if self.moves { ExportKind::Move } else { ExportKind::Copy };
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&self.file);
        let file = file.with_context(|| format!("cannot create {}", self.file.display()))?;
        let written = write(&store, kind, file);
        let moved = written.inspect_err(|_| {
            // What is there is no export: its end is missing.
            let _what_cannot_be_removed_is_refused = fs::remove_file(&self.file);
        })?;
        println!("{}", told(&moved, "written to", &self.file));
        if let (true, Store::Sqlite { data_dir, .. }) = (self.moves, &store) {
            data_dir.leave(&moved.head)?;
            println!("The authority does not start from {} any more.", data_dir.root().display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn write(store: &Store, kind: ExportKind, file: File) -> anyhow::Result<Moved> {
    let mut to = BufWriter::new(file);
    let moved = match store {
        Store::Sqlite { options, .. } => options.export(kind, &mut to),
        Store::Postgres(options) => options.export(kind, &mut to),
    };
    let moved = moved.map_err(|error| match error {
        nt_store::StoreError::InUse if kind == ExportKind::Move => anyhow::anyhow!(
            "nodes run on the database: stop them in order first, or leave --move out for a copy"
        ),
        other => other.into(),
    })?;
    to.flush()?;
    to.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    Ok(moved)
}

impl Import {
    /// Reads the file whole, or changes nothing.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let file = File::open(&self.file);
        let file = file.with_context(|| format!("cannot read {}", self.file.display()))?;
        let mut from = BufReader::new(file);
        let config = self.place.settings()?;
        let moved = match Store::of(&config, || Ok(DataDir::create(&config.data_dir)?))? {
            Store::Sqlite { options, data_dir: _locked } => options.import(&mut from)?,
            Store::Postgres(options) => options.import(&mut from)?,
        };
        println!("{}", told(&moved, "read from", &self.file));
        match moved.kind {
            ExportKind::Move => {
                println!("Bring the key secret along, then start the authority here.");
            }
            ExportKind::Copy => println!(
                "This is a copy: revocations that came after it are not in it. Run `ntd recover` \
                 before anything is served from here."
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn told(moved: &Moved, how: &str, file: &Path) -> String {
    let issuer = moved.issuer.as_deref().unwrap_or("no issuer yet");
    format!(
        "{} rows {how} {} ({issuer}, log position {} of epoch {})",
        moved.rows,
        file.display(),
        moved.head.seq,
        moved.head.epoch
    )
}

/// Refuses a data directory that an authority has left.
pub(super) fn refuse_left(data_dir: &DataDir) -> anyhow::Result<()> {
    let left = data_dir.left();
    if left.try_exists().map_err(|source| data_dir::at(&left, source))? {
        bail!(
            "the authority has left this data directory: it was exported with --move and goes on \
             elsewhere. If it never did, remove {} to go on here",
            left.display()
        );
    }
    Ok(())
}
