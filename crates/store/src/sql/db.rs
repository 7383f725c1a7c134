//! Asking a database, whichever it is.
//!
//! A statement is one text for all of them, with parameters `?1`, `?2`, …; where they differ, the
//! text is chosen by [`Db`] where it is used.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::row::Row;
use crate::error::StoreError;
use crate::postgres::link::Link;

/// A database, inside a transaction.
#[derive(Clone, Copy)]
pub(crate) enum Db<'a> {
    /// SQLite.
    Sqlite(&'a rusqlite::Connection),
    /// PostgreSQL.
    Postgres(&'a Link),
}

/// A value as it goes to a database, or as it came from one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What can be a statement's parameter.
pub(crate) trait Bind {
    fn value(&self) -> Value<'_>;
}

impl Bind for i64 {
    fn value(&self) -> Value<'_> {
        Value::Int(*self)
    }
}

impl Bind for u32 {
    fn value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl Bind for u16 {
    fn value(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
}

impl Bind for bool {
    fn value(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl Bind for str {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for String {
    fn value(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for [u8] {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl Bind for Vec<u8> {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<const N: usize> Bind for [u8; N] {
    fn value(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Bind> Bind for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, Bind::value)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match *self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(number),
            Value::Bool(truth) => ValueRef::Integer(i64::from(truth)),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

/// The first row of an answer.
pub(crate) fn one<T>(
    db: Db<'_>,
    sql: &str,
    params: &[&dyn Bind],
    read: impl FnOnce(Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    match db {
        Db::Sqlite(db) => {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(bound(params))?;
            rows.next()?.map(|row| read(Row::Sqlite(row))).transpose()
        }
        Db::Postgres(link) => {
            let rows = link.rows(sql, params)?;
            rows.first().map(|row| read(Row::Postgres(row))).transpose()
        }
    }
}

/// All rows of an answer.
pub(crate) fn all<T>(
    db: Db<'_>,
    sql: &str,
    params: &[&dyn Bind],
    mut read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut items = Vec::new();
    first(db, sql, params, |row| {
        items.push(read(row)?);
        Ok(None::<()>)
    })?;
    Ok(items)
}

/// The first thing that is found in the rows of an answer.
pub(crate) fn first<T>(
    db: Db<'_>,
    sql: &str,
    params: &[&dyn Bind],
    mut find: impl FnMut(Row<'_>) -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    match db {
        Db::Sqlite(db) => {
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(bound(params))?;
            while let Some(row) = rows.next()? {
                if let Some(found) = find(Row::Sqlite(row))? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        Db::Postgres(link) => {
            for row in &link.rows(sql, params)? {
                if let Some(found) = find(Row::Postgres(row))? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
    }
}

/// Runs a statement and answers how many rows it changed.
pub(crate) fn change(db: Db<'_>, sql: &str, params: &[&dyn Bind]) -> Result<u64, StoreError> {
    match db {
        Db::Sqlite(db) => Ok(db.prepare_cached(sql)?.execute(bound(params))? as u64),
        Db::Postgres(link) => link.change(sql, params),
    }
}

fn bound(params: &[&dyn Bind]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(params.iter().map(|param| param.value()))
}
