//! `ntd check`: whether an authority could start here, without starting one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use nt_store::{KeyState, Store, StoreError, StoredKey};
use nt_token::Secret;

use crate::authority::keys::{KeysError, secret_for};
use crate::commands::database::{open_shared, open_sqlite, sqlite_file};
use crate::config::{Config, Database, Layer};
use crate::data_dir::{DataDir, private};
use crate::key_files;
use crate::key_secret::KeySecretSource;
use crate::tls::{Files, Tls};

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
            key_secret_file: self.key_secret_file,
            ..Layer::default()
        };
        let config = Config::load(flags, self.config.as_deref())?;
        println!("settings   ok");
        if let Some(files) = config.tls.clone() {
            tls(files)?;
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        private(&config.data_dir, 0o700)?;
        private(&data_dir.keys(), 0o700)?;
        println!("directory  ok, {}", config.data_dir.display());
        let (secret, files) = (config.key_secret(), key_files::read(&data_dir.keys())?);
        let (shown, store) = open(&config, &data_dir)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let found = runtime.block_on(async {
            let entries = read_log(store.as_ref()).await;
            let keys = store.keys().await;
            store.close().await;
            Ok::<_, StoreError>((entries?, keys?))
        });
        let (head, keys) = found?;
        println!("database   ok, {head} log entries, {shown}");
        println!("keys       ok, {}", signs(&keys, &secret, files.len())?);
        Ok(ExitCode::SUCCESS)
    }
}

/// Opens what an authority would serve from, and answers what people call it.
fn open(config: &Config, data_dir: &DataDir) -> anyhow::Result<(String, Arc<dyn Store>)> {
    if let Some(Database::Postgres(url)) = &config.database {
        let shared = open_shared(url, config.gate(), data_dir, Box::new(|_| {}))?;
        return Ok(("on its server".to_owned(), shared.store));
    }
    let file = sqlite_file(config, data_dir);
    anyhow::ensure!(file.is_file(), "{} does not exist", file.display());
    let store = open_sqlite(config, data_dir, Box::new(|_| {}))?;
    Ok((file.display().to_string(), Arc::new(store)))
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

/// Reads every entry: one that cannot be read would keep the authority from starting.
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
