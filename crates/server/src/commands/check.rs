//! `ntd check`: whether an authority could start here, without starting one.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use nt_store::{KeyState, PostgresOptions, PostgresStore, Store, StoreError, StoredKey};
use nt_token::Secret;

use crate::authority::keys::{KeysError, secret_for};
use crate::commands::database::{Tool, open_shared, open_sqlite, sqlite_file};
use crate::config::{Config, Database, Layer};
use crate::data_dir::{DataDir, DataDirError, private};
use crate::key_files;
use crate::key_secret::KeySecretSource;
use crate::tls::clients::Demanding;
use crate::tls::{Clients, Files, Tls};

/// Check settings, TLS, keys and database without serving. An older database is brought up to date.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd check --data-dir /var/lib/ntd
  ntd check --config /etc/ntd.toml

Exits with 0 if an authority could start, with 1 if not. Stop the authority first: the database
belongs to one process at a time.")]
pub(super) struct Args {
    /// Where keys and database are kept [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://… [default: ntd.db in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The certificate that TLS would be served by, a PEM file with those between it and its root
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, a PEM file; readable by nobody else
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The certificates that clients' would be checked by, a PEM file
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
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
            database: self.database.map(Secret::from),
            tls_certificate: self.tls_certificate,
            tls_key: self.tls_key,
            tls_client_ca: self.tls_client_ca,
            key_secret_file: self.key_secret_file,
            ..Layer::default()
        };
        let config = Config::load(flags, self.config.as_deref())?;
        println!("settings   ok");
        if let Some(files) = config.tls.clone() {
            tls(files, &config.client_certificates)?;
        }
        let opened = match &config.database {
            Some(Database::Postgres(url)) => shared(&config, url)?,
            _ => alone(&config)?,
        };
        let Opened { store, shown, files, .. } = &opened;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let found = runtime.block_on(async {
            let head = read_log(store.as_ref()).await;
            let keys = store.keys().await;
            store.close().await;
            Ok::<_, StoreError>((head?, keys?))
        });
        let (head, keys) = found?;
        println!("database   ok, the log ends at {head}, {shown}");
        println!("keys       ok, {}", signs(&keys, &config.key_secret(), *files)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// What an authority would serve from.
struct Opened {
    store: Arc<dyn Store>,
    /// What people call it.
    shown: String,
    /// Keys that stand in files.
    files: usize,
    _directory: Option<DataDir>,
    _beside: Option<Tool>,
}

fn alone(config: &Config) -> anyhow::Result<Opened> {
    let data_dir = DataDir::open(&config.data_dir)?;
    private(&config.data_dir, 0o700)?;
    private(&data_dir.keys(), 0o700)?;
    println!("directory  ok, {}", config.data_dir.display());
    let files = key_files::read(&data_dir.keys())?.len();
    let file = sqlite_file(config, &data_dir);
    anyhow::ensure!(file.is_file(), "{} does not exist", file.display());
    let store = Arc::new(open_sqlite(config, &data_dir, Box::new(|_| {}))?);
    let shown = file.display().to_string();
    Ok(Opened { store, shown, files, _directory: Some(data_dir), _beside: None })
}

/// Nodes may run meanwhile, also one on this very directory: its journal is its own then, and is not
/// compared with the database.
fn shared(config: &Config, url: &Secret) -> anyhow::Result<Opened> {
    let data_dir = match DataDir::open(&config.data_dir) {
        Ok(data_dir) => Some(data_dir),
        Err(DataDirError::Missing(_) | DataDirError::InUse { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    match (&data_dir, config.data_dir.is_dir()) {
        (Some(_), _) => {
            private(&config.data_dir, 0o700)?;
            println!("directory  ok, {}", config.data_dir.display());
        }
        (None, true) => println!("directory  of a node that runs, {}", config.data_dir.display()),
        (None, false) => {
            println!("directory  made at the first start, {}", config.data_dir.display());
        }
    }
    let shown = "on its server".to_owned();
    let concerns = PostgresStore::concerns(PostgresOptions::new(url.expose(), Path::new("."))?)?;
    for concern in &concerns {
        println!("durability {concern}");
    }
    if concerns.is_empty() {
        println!("durability ok, what is committed is kept");
    }
    if let Some(data_dir) = data_dir {
        let store = open_shared(url, config.gate(), &data_dir, Box::new(|_| {}))?.store;
        return Ok(Opened { store, shown, files: 0, _directory: Some(data_dir), _beside: None });
    }
    let beside = Tool::open(config)?;
    let store = Arc::clone(&beside.store);
    Ok(Opened { store, shown, files: 0, _directory: None, _beside: Some(beside) })
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
fn tls(files: Files, demanding: &[Demanding]) -> anyhow::Result<()> {
    let (shown, key) = (files.certificate.display().to_string(), files.key.clone());
    let clients = files.clients.clone();
    Tls::open(files)?;
    println!("tls        ok, {shown}");
    if let Clients::Asked(ca) | Clients::Demanded(ca) = clients {
        let doors: Vec<_> = demanding.iter().map(ToString::to_string).collect();
        let demanded = match doors.as_slice() {
            [] => "no certificate is demanded".to_owned(),
            doors => format!("certificates are demanded at: {}", doors.join(", ")),
        };
        println!("clients    ok, {}, {demanded}", ca.display());
    }
    if let Err(wide) = private(&key, 0o600) {
        eprintln!("warning: {wide}");
    }
    Ok(())
}

/// Reads every entry, and answers where the log ends: one that cannot be read would keep the authority from starting.
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
    fn found(
        dir: &Path,
        certificate: Option<&str>,
        key: Option<&str>,
        client_ca: Option<&str>,
    ) -> String {
        let args = Args {
            data_dir: Some(dir.join("nothing")),
            database: None,
            tls_certificate: certificate.map(|name| dir.join(name)),
            tls_key: key.map(|name| dir.join(name)),
            tls_client_ca: client_ca.map(|name| dir.join(name)),
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
        let found = |certificate, key, client_ca| found(dir.path(), certificate, key, client_ca);
        let (one, one_key) = (Some("one.pem"), Some("one.key"));
        for (certificate, key, client_ca, told) in [
            (one, Some("two.key"), None, "cannot be used together"),
            (one, Some("gone.key"), None, "gone.key: No such file"),
            (Some("gone.pem"), one_key, None, "gone.pem: No such file"),
            (one, None, None, "'tls_key' is missing"),
            (None, one_key, None, "'tls_certificate' is missing"),
            (one, one_key, Some("gone.ca"), "gone.ca: No such file"),
            (one, one_key, one_key, "one.key has no certificate in PEM"),
            (None, None, one, "'tls_client_ca' is set, and 'tls_certificate'"),
        ] {
            let wrong = found(certificate, key, client_ca);
            assert!(wrong.contains(told), "{wrong}");
        }
        // These can be served: what is wrong is the directory.
        let wrong = found(one, one_key, one);
        assert!(wrong.contains("nothing") && !wrong.contains("one."), "{wrong}");
        assert_eq!(wrong, found(None, None, None));
    }
}
