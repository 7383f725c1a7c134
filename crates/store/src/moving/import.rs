//! Reading everything from a file, into a database that is empty.

use std::io::{BufRead, Read as _};

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_revocation::Position;
use nt_token::EntryId;
use serde::Deserialize;
use serde_json::Value as Json;

use super::tables::{TABLES, Table};
use super::{End, Header, Heading, ImportError, LONGEST_LINE, Moved, Owned, PAGE, Sum, VERSION};
use crate::error::StoreError;
use crate::sql::Db;
use crate::sql::db::{Bind, change, one};
use crate::sql::log;
use crate::sql::row::{number, signed};

/// Reads everything into a database that is empty. `db` is in a transaction: an error leaves it empty,
/// if the caller rolls back.
pub(crate) fn import(db: Db<'_>, from: &mut dyn BufRead) -> Result<Moved, ImportError> {
    const SQL: &str = "UPDATE meta SET epoch = ?1, head = ?2, issuer = ?3 WHERE one = 1";
    if !is_empty(db)? {
        return Err(ImportError::NotEmpty);
    }
    let mut file = Input { from, sum: Context::new(&SHA256), line: 0, rows: 0 };
    let header: Header = file.next("no export of ntd")?;
    if header.ntd_export != VERSION {
        return Err(ImportError::Later(header.ntd_export));
    }
    let mut ended = None;
    let mut tables = TABLES.iter();
    let mut heading = Some(file.next::<Heading>("a table was expected")?);
    while let Some(head) = heading {
        let known = tables.find(|table| table.name == head.table);
        let table = known.ok_or(file.wrong("a table that this version does not know"))?;
        // A later version has columns that this one would lose.
        if head.columns != table.columns {
            return Err(file.wrong("a table with other columns than this version's"));
        }
        (heading, ended) = file.rows_of(db, table)?;
    }
    if tables.next().is_some() {
        return Err(file.wrong("a table is missing"));
    }
    let end: Sum = ended.ok_or(file.wrong("the file was cut short"))?;
    if end.rows != file.rows || end.sha256 != STANDARD.encode(file.sum.clone().finish()) {
        return Err(file.wrong("the checksum is not that of the lines before it"));
    }
    let entry = STANDARD.decode(&header.entry).ok().and_then(|id| id.try_into().ok());
    let entry = EntryId(entry.ok_or(file.wrong("the header's entry"))?);
    let stated = Position { epoch: header.epoch, seq: header.head, entry };
    let (epoch, seq) = (signed(stated.epoch), signed(stated.seq));
    change(db, SQL, &[&epoch, &seq, &header.issuer])?;
    // The log must be readable, and end where the header says.
    let mut last = 0;
    while let Some(entry) = log::entries_after(db, last, 10_000)?.last() {
        last = entry.seq;
    }
    if last != stated.seq || log::head(db)? != stated {
        return Err(file.wrong("the log does not end where the header says"));
    }
    let (kind, rows) = (header.kind, file.rows);
    Ok(Moved { kind, issuer: header.issuer, head: stated, rows })
}

/// Whether nothing was ever kept.
fn is_empty(db: Db<'_>) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT CASE WHEN head = 0 AND issuer IS NULL
            AND NOT EXISTS (SELECT 1 FROM operators) AND NOT EXISTS (SELECT 1 FROM nodes)
        THEN 1 ELSE 0 END FROM meta WHERE one = 1";
    let empty: Option<i64> = one(db, SQL, &[], |row| number(row, 0))?;
    Ok(empty == Some(1))
}

struct Input<'a> {
    from: &'a mut dyn BufRead,
    sum: Context,
    line: u64,
    rows: u64,
}

/// What a line can be within a table.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Row(Vec<Json>),
    Table(Heading),
    End(End),
}

impl Input<'_> {
    fn wrong(&self, what: &'static str) -> ImportError {
        ImportError::Malformed { line: self.line, what }
    }

    fn read(&mut self) -> Result<Vec<u8>, ImportError> {
        let mut line = Vec::new();
        self.line += 1;
        let mut limited = (&mut *self.from).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(self.wrong("the file was cut short"));
        }
        Ok(line)
    }

    fn next<T: for<'d> Deserialize<'d>>(&mut self, what: &'static str) -> Result<T, ImportError> {
        let line = self.read()?;
        self.sum.update(&line);
        serde_json::from_slice(&line).map_err(|_| self.wrong(what))
    }

    /// Reads a table's rows, and what comes behind them: another table, or the end.
    fn rows_of(
        &mut self,
        db: Db<'_>,
        table: &Table,
    ) -> Result<(Option<Heading>, Option<Sum>), ImportError> {
        let mut waiting: Vec<Owned> = Vec::new();
        let behind = loop {
            let line = self.read()?;
            let known = serde_json::from_slice(&line);
            match known.map_err(|_| self.wrong("neither a row, nor a table, nor the end"))? {
                Line::Row(row) => {
                    self.sum.update(&line);
                    self.take(table, &row, &mut waiting)?;
                    if waiting.len() == PAGE * table.columns.len() {
                        insert(db, table, &std::mem::take(&mut waiting))?;
                    }
                }
                Line::Table(heading) => {
                    self.sum.update(&line);
                    break (Some(heading), None);
                }
                Line::End(End { end }) => break (None, Some(end)),
            }
        };
        waiting.chunks(table.columns.len()).try_for_each(|row| insert(db, table, row))?;
        Ok(behind)
    }

    fn take(
        &mut self,
        table: &Table,
        row: &[Json],
        waiting: &mut Vec<Owned>,
    ) -> Result<(), ImportError> {
        if row.len() != table.columns.len() {
            return Err(self.wrong("a row with more or fewer values than columns"));
        }
        self.rows += 1;
        for value in row {
            waiting.push(Owned::read(value).ok_or(self.wrong("a value that is none"))?);
        }
        Ok(())
    }
}

/// Inserts one row or several.
fn insert(db: Db<'_>, table: &Table, values: &[Owned]) -> Result<(), StoreError> {
    let width = table.columns.len();
    let row = |at: usize| {
        let holders: Vec<String> = (1..=width).map(|n| format!("?{}", at * width + n)).collect();
        format!("({})", holders.join(", "))
    };
    let rows: Vec<String> = (0..values.len() / width).map(row).collect();
    let (name, columns) = (table.name, table.columns.join(", "));
    let sql = format!("INSERT INTO {name} ({columns}) VALUES {}", rows.join(", "));
    let params: Vec<&dyn Bind> = values.iter().map(|value| value as &dyn Bind).collect();
    change(db, &sql, &params)?;
    Ok(())
}
