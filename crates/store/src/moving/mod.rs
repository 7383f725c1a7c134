//! Everything that the authority remembers, in one file: for moving to another database, and for
//! keeping a copy that no version of a database's own format binds.
//!
//! ```text
//! {"ntd_export":1,"kind":"move","issuer":…,"epoch":1,"head":7,"entry":"…"}     JSON, a line each
//! {"table":"log","columns":["seq","id",…]}
//! [1,{"b":"…"},3,{"b":"…"}]                                          bytes are base64 in {"b":…}
//! …
//! {"end":{"rows":123,"sha256":"…"}}                                  of all lines before this one
//! ```
//!
//! The file holds no secret in the clear, but hashes of credentials, and signing keys encrypted under
//! the key secret, which has to be brought along.

mod export;
mod import;
mod tables;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_revocation::Position;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub(crate) use self::export::export;
pub(crate) use self::import::import;
use crate::error::StoreError;
use crate::sql::db::{Bind, Value};

/// The format's version.
const VERSION: u32 = 1;

/// How many rows are read at once, and written with one statement.
const PAGE: usize = 200;

/// The longest line that is read: a log entry with its exceptions is far below.
const LONGEST_LINE: u64 = 1 << 20;

/// What an export is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// The authority goes on elsewhere, and not here any more: nothing can be missing.
    Move,
    /// A copy. The authority went on after it, and what it revoked since is not in it.
    Copy,
}

/// What was exported or imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// What it is for.
    pub kind: ExportKind,
    /// The authority's `iss`, if it was ever started.
    pub issuer: Option<String>,
    /// Where the log ends.
    pub head: Position,
    /// How many rows there are.
    pub rows: u64,
}

/// Why a file is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is no export, or one that is damaged or was cut short.
    #[error("line {line} of the file: {what}")]
    Malformed {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It was written by a later version.
    #[error("the file has version {0} of the format, and this program knows only {VERSION}")]
    Later(u32),
    /// The database is not empty.
    #[error("the database is not empty: an export is imported into a new one")]
    NotEmpty,
    /// The file or what it is read from.
    #[error("reading the file: {0}")]
    Read(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Header {
    ntd_export: u32,
    kind: ExportKind,
    issuer: Option<String>,
    epoch: u64,
    head: u64,
    entry: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Heading {
    table: String,
    columns: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct End {
    end: Sum,
}

#[derive(Serialize, Deserialize)]
struct Sum {
    rows: u64,
    sha256: String,
}

/// A column's value that outlives its row.
#[derive(Debug, Clone, PartialEq)]
enum Owned {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Blob(Vec<u8>),
}

impl Owned {
    fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(number),
            Value::Bool(truth) => Self::Bool(truth),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Blob(bytes) => Self::Blob(bytes.to_owned()),
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Int(number) => (*number).into(),
            Self::Bool(truth) => (*truth).into(),
            Self::Text(text) => text.as_str().into(),
            Self::Blob(bytes) => serde_json::json!({ "b": STANDARD.encode(bytes) }),
        }
    }

    fn read(value: &Json) -> Option<Self> {
        match value {
            Json::Null => Some(Self::Null),
            Json::Bool(truth) => Some(Self::Bool(*truth)),
            Json::Number(number) => number.as_i64().map(Self::Int),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Object(bytes) if bytes.len() == 1 => {
                STANDARD.decode(bytes.get("b")?.as_str()?).ok().map(Self::Blob)
            }
            Json::Object(_) | Json::Array(_) => None,
        }
    }
}

impl Bind for Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}
