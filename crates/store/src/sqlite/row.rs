//! From columns to the types of the domain, and back.

use std::net::IpAddr;
use std::str::FromStr;

use nt_token::{Timestamp, WorkspaceId};
use rusqlite::{Connection, Params, Row};

use crate::error::StoreError;
use crate::record::{Identity, Operator, Role};

/// The first row of an answer.
pub(super) fn one<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows of an answer.
pub(super) fn all<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}

/// Runs a statement and answers how many rows it changed.
pub(super) fn change(db: &Connection, sql: &str, params: impl Params) -> Result<usize, StoreError> {
    Ok(db.prepare_cached(sql)?.execute(params)?)
}

/// A text that parses as what it should be.
pub(super) fn parsed<T: FromStr>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    text(row, column)?.parse().map_err(|_| StoreError::Corrupt(what))
}

/// The same, or nothing.
pub(super) fn parsed_or_null<T: FromStr>(
    row: &Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<Option<T>, StoreError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|_| StoreError::Corrupt(what))?;
    text.map(|text| text.parse().map_err(|_| StoreError::Corrupt(what))).transpose()
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, StoreError> {
    row.get_ref(column)?.as_str().map_err(|_| StoreError::Corrupt("a text"))
}

/// A number that is not negative.
pub(super) fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    T::try_from(row.get::<_, i64>(column)?).map_err(|_| StoreError::Corrupt("a number"))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    Ok(Timestamp::from_unix(row.get(column)?))
}

pub(super) fn time_or_null(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_unix))
}

pub(super) fn workspace_id(row: &Row<'_>, column: usize) -> Result<WorkspaceId, StoreError> {
    Ok(WorkspaceId::from_bytes(row.get(column)?))
}

pub(super) fn role(row: &Row<'_>, column: usize) -> Result<Role, StoreError> {
    Role::named(text(row, column)?).ok_or(StoreError::Corrupt("a role"))
}

/// An operator's five columns, from this one on: `id, issuer, subject, email, name`.
pub(super) fn operator(row: &Row<'_>, first: usize) -> Result<Operator, StoreError> {
    let identity = Identity {
        issuer: row.get(first + 1)?,
        subject: row.get(first + 2)?,
        email: row.get(first + 3)?,
        name: row.get(first + 4)?,
    };
    Ok(Operator { id: parsed(row, first, "an operator's ID")?, identity })
}

/// A number as the database has them. Positions and counts stay far below its largest.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn address(from: Option<IpAddr>) -> Option<String> {
    from.map(|from| from.to_string())
}
