//! Bringing the database to the schema of this version.
//!
//! Nodes of several versions use one database while a new version is rolled out. So a migration only
//! adds what older programs can do without (it expands), and what they still use goes in a later
//! version (which contracts, and says so by raising `meta.oldest_program`): a program accepts a later
//! schema whose oldest program is not younger than itself.

use super::link::Link;
use crate::error::StoreError;
use crate::sql::row::{Row, number};

/// The migrations that there are, in order. Their numbers are those of SQLite's.
const MIGRATIONS: [(u64, &str, &str); 5] = [
    (5, "schema", include_str!("../../migrations/postgres/V5__schema.sql")),
    (6, "signing_keys", include_str!("../../migrations/postgres/V6__signing_keys.sql")),
    (7, "several_nodes", include_str!("../../migrations/postgres/V7__several_nodes.sql")),
    (8, "oauth_clients", include_str!("../../migrations/postgres/V8__oauth_clients.sql")),
    (9, "source_networks", include_str!("../../migrations/postgres/V9__source_networks.sql")),
];

/// Whichever node comes first migrates; the others wait for it.
const BEGIN: &str = "BEGIN;
    SET LOCAL synchronous_commit = on;
    SELECT pg_advisory_xact_lock(7305808871019148)";

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS refinery_schema_history (
    version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))";

/// Brings the schema up to this version's, in one transaction.
pub(super) fn migrate(link: &Link) -> Result<(), StoreError> {
    link.batch(BEGIN)?;
    let done = in_transaction(link);
    link.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn in_transaction(link: &Link) -> Result<(), StoreError> {
    link.batch("SET LOCAL client_min_messages = warning")?;
    link.batch(HISTORY)?;
    let found = asked(
        link,
        "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM refinery_schema_history",
    )?;
    let known = MIGRATIONS.last().map_or(0, |(version, ..)| *version);
    if found > known {
        let oldest = asked(link, "SELECT oldest_program FROM meta WHERE one = 1")?;
        return if oldest <= known {
            Ok(())
        } else {
            Err(StoreError::LaterSchema { found, known })
        };
    }
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        tracing::info!(from = found, to = version, "bringing the database's schema up to date");
        link.batch(sql)?;
        link.batch(&format!(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES ({version}, '{name}', CAST(now() AS TEXT), '')"
        ))?;
    }
    Ok(())
}

fn asked(link: &Link, sql: &str) -> Result<u64, StoreError> {
    let rows = link.rows(sql, &[])?;
    number(Row::Postgres(rows.first().ok_or(StoreError::Corrupt("no answer"))?), 0)
}
