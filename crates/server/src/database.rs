//! Which database the authority runs on, and opening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nt_store::{
    Condition, Follower, Gate, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store,
    StoreError,
};
use nt_token::Secret;
use tokio::sync::watch;

use crate::data_dir::DataDir;

/// Where the authority remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file on SQLite, of one process.
    Sqlite(PathBuf),
    /// A URL of PostgreSQL, shared by several nodes. It may hold a password.
    Postgres(Secret),
}

/// A database by a name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown database '{0}': use sqlite:PATH, postgres://USER@HOST/NAME, or leave it out for a file \
     in the data directory"
)]
pub struct UnknownDatabase(String);

impl Database {
    /// Reads `sqlite:PATH` or `postgres://…`. What is told of one that cannot be read shows no password.
    pub fn parse(url: &str) -> Result<Self, UnknownDatabase> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(Secret::from(url.to_owned())));
        }
        let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
        let path = path.filter(|path| !path.is_empty());
        let scheme = || UnknownDatabase(url.split(':').next().unwrap_or_default().to_owned());
        path.map(|path| Self::Sqlite(path.into())).ok_or_else(scheme)
    }

    /// The one that is named, or the file in the data directory.
    pub fn or_file(named: Option<&Self>, data_dir: &DataDir) -> Self {
        named.cloned().unwrap_or_else(|| Self::Sqlite(data_dir.database()))
    }

    /// Whether several nodes may run on it.
    pub fn is_of_several(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// For people: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => without_password(url.expose()),
        }
    }
}

/// A database that is open.
pub enum Opened {
    /// On SQLite.
    Sqlite(Arc<SqliteStore>),
    /// On PostgreSQL.
    Postgres(Arc<PostgresStore>),
}

impl Opened {
    /// Opens the database; `follower` is told of what is committed from now on.
    pub fn open(
        database: &Database,
        data_dir: &DataDir,
        gate: Gate,
        follower: Follower,
    ) -> Result<Self, StoreError> {
        Ok(match database {
            Database::Sqlite(path) => {
                let store = SqliteStore::open(sqlite(path, data_dir), follower)?;
                Self::Sqlite(Arc::new(store))
            }
            Database::Postgres(url) => {
                let store = PostgresStore::open(postgres(url, data_dir, gate)?, follower)?;
                Self::Postgres(Arc::new(store))
            }
        })
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Postgres(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// How a store that can come into doubt is, now and later.
    pub fn condition(&self) -> Option<watch::Receiver<Condition>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(store) => Some(store.condition()),
        }
    }
}

/// Where a store on SQLite has its files.
pub fn sqlite(path: &Path, data_dir: &DataDir) -> SqliteOptions {
    SqliteOptions { database: path.to_owned(), high_water: data_dir.high_water() }
}

/// How a store on PostgreSQL is used.
pub fn postgres(
    url: &Secret,
    data_dir: &DataDir,
    gate: Gate,
) -> Result<PostgresOptions, StoreError> {
    let mut options = PostgresOptions::new(url.expose(), &data_dir.journal())?;
    options.gate = gate;
    Ok(options)
}

fn without_password(url: &str) -> String {
    let (url, _) = url.split_once('?').unwrap_or((url, ""));
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres".to_owned() };
    match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_named_by_urls() {
        let file = Database::parse("sqlite:/x/y.db").expect("a path");
        assert_eq!(file, Database::Sqlite("/x/y.db".into()));
        assert!(!file.is_of_several());
        for url in ["postgres://localhost/ntd", "postgresql://a:b@c,d:5433/ntd?x=y"] {
            assert!(Database::parse(url).expect("a URL").is_of_several(), "{url}");
        }
        for wrong in ["mysql://user:secret@host/db", "sqlite:", "/x/y.db", ""] {
            let refused = Database::parse(wrong).expect_err(wrong).to_string();
            assert!(refused.contains("sqlite:PATH") && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            (
                "postgres://ntd:se@cret@db-1,db-2:5433/ntd?password=secret",
                "postgres://ntd@db-1,db-2:5433/ntd",
            ),
            ("postgres://ntd@db/ntd", "postgres://ntd@db/ntd"),
            ("postgres://db/ntd", "postgres://db/ntd"),
        ] {
            let database = Database::parse(url).expect("a URL");
            assert_eq!(database.shown(), shown);
            assert!(!format!("{database:?}").contains("cret"), "{database:?}");
        }
    }
}
