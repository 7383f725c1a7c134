//! From columns to the types of the domain, and back.

use std::net::IpAddr;
use std::str::FromStr;

use nt_token::{Timestamp, WorkspaceId};
use rusqlite::types::ValueRef;
use tokio_postgres::types::{FromSql, Type};

use super::db::Value;
use crate::error::StoreError;
use crate::record::{Identity, Operator, Role};

/// A row of an answer.
#[derive(Clone, Copy)]
pub(crate) enum Row<'r> {
    /// From SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// From PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

/// What a column can be read as.
pub(crate) trait Column: Sized {
    fn read(value: Value<'_>) -> Option<Self>;
}

impl<'r> Row<'r> {
    /// What a column holds.
    pub(crate) fn value(self, column: usize) -> Result<Value<'r>, StoreError> {
        match self {
            Self::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Null => Ok(Value::Null),
                ValueRef::Integer(number) => Ok(Value::Int(number)),
                ValueRef::Blob(bytes) => Ok(Value::Blob(bytes)),
                ValueRef::Text(text) => {
                    str::from_utf8(text).map(Value::Text).map_err(|_| StoreError::Corrupt("a text"))
                }
                ValueRef::Real(_) => Err(StoreError::Corrupt("a number")),
            },
            Self::Postgres(row) => row.try_get(column).map_err(|_| StoreError::Corrupt("a column")),
        }
    }

    /// A column as what it should be.
    pub(crate) fn get<T: Column>(self, column: usize) -> Result<T, StoreError> {
        T::read(self.value(column)?).ok_or(StoreError::Corrupt("a column"))
    }

    /// A column's bytes, where they are.
    pub(crate) fn blob(self, column: usize, what: &'static str) -> Result<&'r [u8], StoreError> {
        match self.value(column)? {
            Value::Blob(bytes) => Ok(bytes),
            _ => Err(StoreError::Corrupt(what)),
        }
    }
}

impl<'r> FromSql<'r> for Value<'r> {
    fn from_sql(
        ty: &Type,
        raw: &'r [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match *ty {
            Type::INT8 => Ok(Value::Int(i64::from_sql(ty, raw)?)),
            Type::INT4 => Ok(Value::Int(i64::from(i32::from_sql(ty, raw)?))),
            Type::BOOL => Ok(Value::Bool(bool::from_sql(ty, raw)?)),
            Type::BYTEA => Ok(Value::Blob(raw)),
            _ => Ok(Value::Text(<&str>::from_sql(ty, raw)?)),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(ty: &Type) -> bool {
        let taken = [Type::INT8, Type::INT4, Type::BOOL, Type::BYTEA, Type::TEXT, Type::VARCHAR];
        taken.contains(ty)
    }
}

impl Column for i64 {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Int(number) = value { Some(number) } else { None }
    }
}

impl Column for bool {
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(truth) => Some(truth),
            // SQLite has no other.
            Value::Int(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl Column for String {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl Column for Vec<u8> {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes.to_vec()) } else { None }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { bytes.try_into().ok() } else { None }
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::read(value).map(Some) }
    }
}

/// A text that parses as what it should be.
pub(crate) fn parsed<T: FromStr>(
    row: Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    text(row, column)?.parse().map_err(|_| StoreError::Corrupt(what))
}

/// The same, or nothing.
pub(crate) fn parsed_or_null<T: FromStr>(
    row: Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<Option<T>, StoreError> {
    match row.value(column)? {
        Value::Null => Ok(None),
        Value::Text(text) => text.parse().map(Some).map_err(|_| StoreError::Corrupt(what)),
        _ => Err(StoreError::Corrupt(what)),
    }
}

fn text(row: Row<'_>, column: usize) -> Result<&str, StoreError> {
    match row.value(column)? {
        Value::Text(text) => Ok(text),
        _ => Err(StoreError::Corrupt("a text")),
    }
}

/// A number that is not negative.
pub(crate) fn number<T: TryFrom<i64>>(row: Row<'_>, column: usize) -> Result<T, StoreError> {
    T::try_from(row.get::<i64>(column)?).map_err(|_| StoreError::Corrupt("a number"))
}

pub(crate) fn time(row: Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_unix(row.get(column)?))
}

pub(crate) fn time_or_null(row: Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_unix))
}

pub(crate) fn workspace_id(row: Row<'_>, column: usize) -> Result<WorkspaceId, StoreError> {
    Ok(WorkspaceId::from_bytes(row.get(column)?))
}

pub(crate) fn role(row: Row<'_>, column: usize) -> Result<Role, StoreError> {
    Role::named(text(row, column)?).ok_or(StoreError::Corrupt("a role"))
}

/// An operator's five columns, from this one on: `id, issuer, subject, email, name`.
pub(crate) fn operator(row: Row<'_>, first: usize) -> Result<Operator, StoreError> {
    let identity = Identity {
        issuer: row.get(first + 1)?,
        subject: row.get(first + 2)?,
        email: row.get(first + 3)?,
        name: row.get(first + 4)?,
    };
    Ok(Operator { id: parsed(row, first, "an operator's ID")?, identity })
}

/// A number as the database has them. Positions and counts stay far below its largest.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn address(from: Option<IpAddr>) -> Option<String> {
    from.map(|from| from.to_string())
}
