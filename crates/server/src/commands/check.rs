//! `ntd check`: whether an authority could start here, without starting one.

use std::path::PathBuf;
use std::process::ExitCode;

use nt_store::{Gate, KeyState, PostgresOptions, PostgresStore, Store, StoreError, StoredKey};
use nt_token::Secret;

use crate::authority::keys::{KeysError, secret_for};
use crate::config::{Config, Layer};
use crate::data_dir::{DataDir, DataDirError, private};
use crate::database::{Database, Opened};
use crate::key_files;
use crate::key_secret::KeySecretSource;
use crate::tls::{Files, Tls};

/// Check settings, TLS, keys and database without serving. An older database is brought up to date.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd check --data-dir /var/lib/ntd
  ntd check --config /etc/ntd.toml

Exits with 0 if an authority could start, with 1 if not. With SQLite, stop the authority first: the
database belongs to one process at a time. With PostgreSQL its nodes go on.")]
pub(super) struct Args {
    /// Where keys and database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://USER@HOST/NAME [default: ntd.db in the data
    /// directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The certificate that TLS would be served by, a PEM file with those between it and its root
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file; readable by nobody else
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The file with the key secret [default: key-secret in the data directory]
    #[arg(long, value_name = "FILE")]
    key_secret_file: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Args {
    /// Checks one thing after the other and says what it found.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let flags = Layer {
            data_dir: self.data_dir,
            database: self.database,
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            key_secret_file: self.key_secret_file,
            ..Layer::default()
        };
        let config = Config::load(flags, self.config.as_deref())?;
        println!("settings   ok");
        if let Some(files) = config.tls.clone() {
            tls(files)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match config.database.clone() {
            Some(Database::Postgres(url)) => runtime.block_on(postgres(&config, &url)),
            named => runtime.block_on(sqlite(&config, named)),
        }
    }
}

async fn sqlite(config: &Config, named: Option<Database>) -> anyhow::Result<ExitCode> {
    let data_dir = DataDir::open(&config.data_dir)?;
    private(&config.data_dir, 0o700)?;
    private(&data_dir.keys(), 0o700)?;
    println!("directory  ok, {}", config.data_dir.display());
    let files = key_files::read(&data_dir.keys())?.len();
    let database = Database::or_file(named.as_ref(), &data_dir);
    if let Database::Sqlite(path) = &database {
        anyhow::ensure!(path.is_file(), "{} does not exist", path.display());
    }
    let opened = Opened::open(&database, &data_dir, Gate::Safe, Box::new(|_| {}))?;
    read(config, opened.store().as_ref(), &database, files).await
}

/// Nodes may run meanwhile, also one on this very data directory: then the journal is its own, and is not
/// compared with the database.
async fn postgres(config: &Config, url: &Secret) -> anyhow::Result<ExitCode> {
    let gate = if config.allow_lossy_failover { Gate::AllowLossyFailover } else { Gate::Safe };
    let data_dir = match DataDir::open(&config.data_dir) {
        Ok(data_dir) => {
            private(&config.data_dir, 0o700)?;
            println!("directory  ok, {}", config.data_dir.display());
            Some(data_dir)
        }
        Err(DataDirError::InUse { dir, .. }) => {
            println!("directory  in use by a node that runs, {}", dir.display());
            None
        }
        Err(DataDirError::Missing(dir)) => {
            println!("directory  none yet: the first start makes {}", dir.display());
            None
        }
        Err(other) => return Err(other.into()),
    };
    let scratch = tempfile::tempdir()?;
    let journal = data_dir.as_ref().map_or_else(|| scratch.path().to_owned(), DataDir::journal);
    let mut options = PostgresOptions::new(url.expose(), &journal)?;
    options.gate = gate;
    let found = PostgresStore::concerns(options.clone())?;
    for concern in &found {
        println!("database   {concern}");
    }
    let store = PostgresStore::open(options, Box::new(|_| {}))?;
    if found.is_empty() {
        println!("durability ok, what is committed is kept");
    }
    read(config, &store, &Database::Postgres(url.clone()), 0).await
}

/// Reads every entry and every key: one that cannot be read would keep the authority from starting.
async fn read(
    config: &Config,
    store: &dyn Store,
    database: &Database,
    files: usize,
) -> anyhow::Result<ExitCode> {
    let (head, keys) = (read_log(store).await, store.keys().await);
    store.close().await;
    println!("database   ok, log position {}, {}", head?, database.shown());
    println!("keys       ok, {}", signs(&keys?, &config.key_secret(), files)?);
    Ok(ExitCode::SUCCESS)
}

/// Which key signs, if the secret opens them all.
fn signs(keys: &[StoredKey], secret: &KeySecretSource, files: usize) -> Result<String, KeysError> {
    if keys.is_empty() {
        return Ok(match files {
            0 => "none yet: the first start makes one".to_owned(),
            _ => format!("{files} in files: the next start takes them over"),
        });
    }
    let (_, signers) = secret_for(keys, secret)?;
    let active = signers.iter().find(|signer| signer.state == KeyState::Active);
    Ok(format!("{} signs", active.ok_or(KeysError::NoneSigns)?.key.kid()))
}

/// Reads the certificate and its key as serving does. A key that others may read is served too.
fn tls(files: Files) -> anyhow::Result<()> {
    let (shown, key) = (files.certificate.display().to_string(), files.key.clone());
    Tls::open(files)?;
    println!("tls        ok, {shown}");
    if let Err(wide) = private(&key, 0o600) {
        eprintln!("warning: {wide}");
    }
    Ok(())
}

async fn read_log(store: &dyn Store) -> Result<u64, StoreError> {
    let mut seq = 0;
    while let Some(last) = store.entries_after(seq, 10_000).await?.last() {
        seq = last.seq;
    }
    Ok(seq)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// What is found wrong where there is no authority, but perhaps something for TLS.
    fn found(dir: &Path, certificate: Option<&str>, key: Option<&str>) -> String {
        let args = Args {
            data_dir: Some(dir.join("nothing")),
            database: None,
            tls_certificate: certificate.map(|name| dir.join(name)),
            tls_key: key.map(|name| dir.join(name)),
            key_secret_file: None,
            config: None,
        };
        format!("{:#}", args.run().expect_err("there is no authority"))
    }

    #[test]
    fn tls_that_could_not_be_served_is_found_before_anything_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = |name: &str| {
            let key = KeyPair::generate().expect("randomness");
            let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
            let certificate = params.self_signed(&key).expect("signed").pem();
            fs::write(dir.path().join(format!("{name}.pem")), certificate).expect("a file");
            fs::write(dir.path().join(format!("{name}.key")), key.serialize_pem()).expect("a file");
        };
        made("one");
        made("two");
        let found = |certificate, key| found(dir.path(), certificate, key);
        for (certificate, key, told) in [
            (Some("one.pem"), Some("two.key"), "cannot be used together"),
            (Some("one.pem"), Some("gone.key"), "gone.key: No such file"),
            (Some("gone.pem"), Some("one.key"), "gone.pem: No such file"),
            (Some("one.pem"), None, "'tls_key' is missing"),
            (None, Some("one.key"), "'tls_certificate' is missing"),
        ] {
            let wrong = found(certificate, key);
            assert!(wrong.contains(told), "{wrong}");
        }
        // These can be served: what is wrong is the directory.
        let wrong = found(Some("one.pem"), Some("one.key"));
        assert!(wrong.contains("nothing") && !wrong.contains("one."), "{wrong}");
        assert_eq!(wrong, found(None, None));
    }
}
