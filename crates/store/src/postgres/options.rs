//! Where the database is, and how it is used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use super::tls::Trust;
use crate::error::StoreError;

/// What stands between this process and the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Nothing: a connection is a session.
    Direct,
    /// A pooler that may give each transaction another session, such as PgBouncer in transaction mode:
    /// statements have no names there, and nobody listens.
    Transactions,
}

/// Whether other nodes are woken by `NOTIFY` after a commit. They look for themselves all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WakeUps {
    /// They are.
    Notify,
    /// They are not, and nobody listens.
    Off,
}

/// Which databases are accepted at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Those that lose nothing of what they have acknowledged, also in a fail-over.
    Safe,
    /// Also those that may lose it in a fail-over: somebody has decided so.
    AllowLossyFailover,
    /// Also those that lose it with their machine: for throw-away databases.
    AllowLoss,
}

/// Where a store on PostgreSQL is, and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The directory of this node's journal: on this machine, and no part of the database's backups.
    pub journal: PathBuf,
    /// What stands before the database.
    pub pooling: Pooling,
    /// Whether commits wake other nodes.
    pub wake_ups: WakeUps,
    /// How often the log is looked at for what other nodes have appended, woken or not.
    pub poll: Duration,
    /// Which databases are accepted.
    pub gate: Gate,
    pub(super) config: Config,
    pub(super) trust: Trust,
}

impl PostgresOptions {
    /// Reads a URL: `postgres://user:password@host:port/database`, several hosts with commas, and
    /// after `?` what the client library knows, with `sslmode=verify-full`, `sslrootcert=FILE`,
    /// `pooling=transaction` and `notify=off` beside it.
    pub fn new(url: &str, journal: &Path) -> Result<Self, StoreError> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut options = Self {
            journal: journal.to_owned(),
            pooling: Pooling::Direct,
            wake_ups: WakeUps::Notify,
            poll: Duration::from_millis(200),
            gate: Gate::Safe,
            config: Config::new(),
            trust: Trust::Anybody,
        };
        let mut left = Vec::new();
        let mut root = None;
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            match setting.split_once('=').unwrap_or((setting, "")) {
                ("pooling", "transaction") => options.pooling = Pooling::Transactions,
                ("pooling", "session" | "none") => options.pooling = Pooling::Direct,
                ("notify", "off") => options.wake_ups = WakeUps::Off,
                ("notify", "on") => options.wake_ups = WakeUps::Notify,
                ("sslmode", "verify-full") => {
                    options.trust = Trust::System;
                    left.push("sslmode=require");
                }
                ("sslrootcert", file) if !file.is_empty() => root = Some(PathBuf::from(file)),
                ("pooling" | "notify" | "sslrootcert", _) => {
                    return Err(StoreError::Url(format!("{setting:?} is not understood")));
                }
                _ => left.push(setting),
            }
        }
        if let (Trust::System, Some(file)) = (&options.trust, root) {
            options.trust = Trust::File(file);
        }
        let url = format!("{place}?{}", left.join("&"));
        options.config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            StoreError::Url(cause.unwrap_or_else(|| error.to_string()))
        })?;
        options.complete();
        Ok(options)
    }

    /// What the URL does not say: only a server that takes writes will do, and one that has gone
    /// silent is noticed in seconds.
    fn complete(&mut self) {
        let config = &mut self.config;
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(2));
        config.keepalives_retries(3);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(2));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(6));
        }
        if config.get_application_name().is_none() {
            config.application_name("ntd");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;

    fn read(url: &str) -> Result<PostgresOptions, StoreError> {
        PostgresOptions::new(url, Path::new("journal"))
    }

    #[test]
    fn a_url_says_where_and_how() {
        let plain = read("postgres://ntd:secret@db1:5433,db2/tokens").expect("understood");
        assert_eq!((plain.pooling, plain.wake_ups), (Pooling::Direct, WakeUps::Notify));
        assert_eq!(plain.config.get_dbname(), Some("tokens"));
        assert_eq!(plain.config.get_hosts().len(), 2);
        assert_eq!(plain.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert!(!format!("{plain:?}").contains("secret"), "{plain:?}");

        let url = "postgres://db/tokens?pooling=transaction&notify=off&sslmode=verify-full\
                   &sslrootcert=/ca.pem&connect_timeout=9";
        let full = read(url).expect("understood");
        assert_eq!((full.pooling, full.wake_ups), (Pooling::Transactions, WakeUps::Off));
        assert_eq!(full.config.get_ssl_mode(), SslMode::Require);
        assert!(matches!(&full.trust, Trust::File(file) if file == Path::new("/ca.pem")));
        assert_eq!(full.config.get_connect_timeout(), Some(&Duration::from_secs(9)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for url in [
            "postgres://db?pooling=statement",
            "postgres://db?notify=maybe",
            "postgres://db?sslmode=verify-none",
            "postgres://db?sslrootcert=",
            "postgres://db?what=ever",
            "mysql://db",
        ] {
            assert!(matches!(read(url), Err(StoreError::Url(_))), "{url}");
        }
    }
}
