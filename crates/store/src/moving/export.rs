//! Writing everything to a file, a table after the other and each by its key.

use std::io::Write;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_revocation::Position;
use serde::Serialize;

use super::tables::{Kind, TABLES, Table};
use super::{End, ExportKind, Header, Heading, Moved, Owned, PAGE, Sum, VERSION};
use crate::error::StoreError;
use crate::sql::Db;
use crate::sql::db::{Bind, Value, all, one};
use crate::sql::log;
use crate::sql::row::Row;

/// Writes everything. `db` is in a transaction, so all of it belongs to one moment.
pub(crate) fn export(
    db: Db<'_>,
    kind: ExportKind,
    to: &mut dyn Write,
) -> Result<Moved, StoreError> {
    let issuer = one(db, "SELECT issuer FROM meta WHERE one = 1", &[], |row| row.get(0))?.flatten();
    let head = log::head(db)?;
    let mut file = Output { to, sum: Context::new(&SHA256), rows: 0 };
    let entry = STANDARD.encode(head.entry.0);
    let Position { epoch, seq, .. } = head;
    let ntd_export = VERSION;
    let header = Header { ntd_export, kind, issuer: issuer.clone(), epoch, head: seq, entry };
    file.line(&header)?;
    for table in TABLES {
        file.table(db, table)?;
    }
    let rows = file.rows;
    file.end()?;
    Ok(Moved { kind, issuer, head, rows })
}

struct Output<'a> {
    to: &'a mut dyn Write,
    sum: Context,
    rows: u64,
}

impl Output<'_> {
    fn line(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|error| StoreError::Database(format!("writing JSON: {error}")))?;
        line.push(b'\n');
        self.sum.update(&line);
        self.to.write_all(&line).map_err(writing)
    }

    fn table(&mut self, db: Db<'_>, table: &Table) -> Result<(), StoreError> {
        let columns = table.columns.iter().map(|&column| column.to_owned()).collect();
        self.line(&Heading { table: table.name.to_owned(), columns })?;
        let mut after: Option<Vec<Owned>> = None;
        loop {
            let sql = page_sql(table, after.is_some());
            let key = after.unwrap_or_default();
            let params: Vec<&dyn Bind> = key.iter().map(|value| value as &dyn Bind).collect();
            let rows = all(db, &sql, &params, |row| values(row, table))?;
            for row in &rows {
                self.line(&row.iter().map(Owned::json).collect::<Vec<_>>())?;
            }
            self.rows += rows.len() as u64;
            match rows.into_iter().last() {
                Some(mut last) => {
                    last.truncate(table.key);
                    after = Some(last);
                }
                None => return Ok(()),
            }
        }
    }

    fn end(self) -> Result<(), StoreError> {
        let sha256 = STANDARD.encode(self.sum.finish());
        let end = End { end: Sum { rows: self.rows, sha256 } };
        serde_json::to_writer(&mut *self.to, &end).map_err(|error| writing(error.into()))?;
        self.to.write_all(b"\n").and_then(|()| self.to.flush()).map_err(writing)
    }
}

fn writing(source: std::io::Error) -> StoreError {
    StoreError::File { what: "writing the export", source }
}

fn page_sql(table: &Table, after: bool) -> String {
    let (name, columns) = (table.name, table.columns.join(", "));
    let key = table.columns[..table.key].join(", ");
    let holders: Vec<String> = (1..=table.key).map(|n| format!("?{n}")).collect();
    let holders = holders.join(", ");
    let further = if after { format!("WHERE ({key}) > ({holders})") } else { String::new() };
    format!("SELECT {columns} FROM {name} {further} ORDER BY {key} LIMIT {PAGE}")
}

fn values(row: Row<'_>, table: &Table) -> Result<Vec<Owned>, StoreError> {
    let column = |(at, column): (usize, &&str)| {
        Ok(match (row.value(at)?, table.kind(column)) {
            (Value::Int(number), Kind::Truth) => Owned::Bool(number != 0),
            (value, _) => Owned::of(value),
        })
    };
    table.columns.iter().enumerate().map(column).collect()
}
