//! Creating and revoking tokens with one client and with many, beside a bare loop that writes rows of
//! the same kind to SQLite with the same durability.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use nt_testkit::{Operator, Request, World, load};
use nt_token::clock::Stopwatch;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::compare::{ROUNDS, compare};
use crate::table::{Aim, Table};

/// Clients, and how many requests a sample has.
const LOADS: [(usize, usize); 2] = [(1, 150), (64, 3_000)];

pub(crate) fn measure(world: &World, runtime: &Runtime, table: &mut Table) -> Result<()> {
    let operator = world.operator("owner@example.com")?;
    let workspace = operator.create_workspace("writes")?.workspace;
    let bare = RefCell::new(Bare::open(world)?);
    for (clients, requests) in LOADS {
        let creates = Arc::new(vec![create(&operator, &workspace); requests]);
        let issued = RefCell::new(Vec::new());
        let found = compare(
            || bare.borrow_mut().creates(requests, clients),
            || {
                let watch = Stopwatch::start();
                let run = load::answers(world.address(), clients, Arc::clone(&creates), 201);
                let answers = runtime.block_on(run)?;
                let took = watch.elapsed();
                issued.borrow_mut().push(answers);
                Ok(per_second(requests, took))
            },
        )?;
        let control = format!("the same rows in bare SQLite, {clients} tokens a transaction");
        let what = format!("create tokens over HTTP, {clients} at once");
        table.add(&what, &control, "/s", Aim::None, &found);

        let mut batches = Vec::new();
        for answers in issued.into_inner() {
            batches.push(Arc::new(revokes(&operator, &workspace, &answers)?));
        }
        debug_assert_eq!(batches.len(), ROUNDS + 1);
        let found = compare(
            || bare.borrow_mut().revokes(requests, clients),
            || {
                let batch = batches.pop().context("a batch for each round")?;
                let run = load::each_once(world.address(), clients, batch, 200);
                Ok(runtime.block_on(run)?.per_second())
            },
        )?;
        let what = format!("revoke tokens over HTTP, {clients} at once");
        let aim = if clients == 1 { Aim::None } else { Aim::AtLeast(0.7) };
        table.add(&what, &control, "/s", aim, &found);
    }
    Ok(())
}

pub(crate) fn create(operator: &Operator, workspace: &str) -> Vec<u8> {
    let path = format!("/v1/workspaces/{workspace}/tokens");
    Request::new("POST", &path).bearer(&operator.session).json(&json!({})).render()
}

pub(crate) fn revokes(
    operator: &Operator,
    workspace: &str,
    created: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>> {
    let revoke = |answer: &Vec<u8>| -> Result<Vec<u8>> {
        let answer: Value = serde_json::from_slice(answer)?;
        let jti = answer["jti"].as_str().context("a created token")?;
        let path = format!("/v1/workspaces/{workspace}/tokens/{jti}");
        Ok(Request::new("DELETE", &path).bearer(&operator.session).render())
    };
    created.iter().map(revoke).collect()
}

fn per_second(count: usize, took: std::time::Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

/// A database with tables as the authority's and the same durability, on the same file system.
pub(crate) struct Bare {
    db: Connection,
    created: i64,
    revoked: i64,
}

impl Bare {
    pub(crate) fn open(world: &World) -> Result<Self> {
        let db = Connection::open(world.dir().join("bare.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE log (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                               kind INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
             CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL,
                                 action TEXT NOT NULL, jti TEXT NOT NULL) STRICT;
             CREATE TABLE tokens (jti TEXT PRIMARY KEY, workspace BLOB NOT NULL,
                                  who TEXT NOT NULL, created_at INTEGER NOT NULL,
                                  expires_at INTEGER NOT NULL, scope TEXT NOT NULL,
                                  revoked_at INTEGER) STRICT;",
        )?;
        Ok(Self { db, created: 0, revoked: 0 })
    }

    /// Tokens created a second: a token's row and an audit row for each.
    pub(crate) fn creates(&mut self, count: usize, batch: usize) -> Result<f64> {
        let watch = Stopwatch::start();
        for pairs in batches(count, batch) {
            let step = self.db.transaction()?;
            for _ in 0..pairs {
                const SQL: &str = "INSERT INTO tokens
                    (jti, workspace, who, created_at, expires_at, scope)
                    VALUES (?1, ?2, ?3, ?4, ?4, 'read write')";
                self.created += 1;
                let jti = jti(self.created);
                step.prepare_cached(SQL)?.execute(params![jti, [7_u8; 16], WHO, self.created])?;
                audit(&step, self.created, "token.created", &jti)?;
            }
            step.commit()?;
        }
        Ok(per_second(count, watch.elapsed()))
    }

    /// Tokens revoked a second: a log entry, the token's row changed, and an audit row for each.
    pub(crate) fn revokes(&mut self, count: usize, batch: usize) -> Result<f64> {
        let watch = Stopwatch::start();
        for pairs in batches(count, batch) {
            let step = self.db.transaction()?;
            for _ in 0..pairs {
                self.revoked += 1;
                let id = i128::from(self.revoked).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
                step.prepare_cached(
                    "INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, 1, ?3)",
                )?
                .execute(params![self.revoked, id, [7_u8; 48]])?;
                let jti = jti(self.revoked);
                step.prepare_cached("UPDATE tokens SET revoked_at = ?2 WHERE jti = ?1")?
                    .execute(params![jti, self.revoked])?;
                audit(&step, self.revoked, "token.revoked", &jti)?;
            }
            step.commit()?;
        }
        Ok(per_second(count, watch.elapsed()))
    }
}

const WHO: &str = "op_01j00000000000000000000000";

fn jti(number: i64) -> String {
    format!("jti_{number:026}")
}

fn audit(step: &Connection, at: i64, action: &str, jti: &str) -> Result<()> {
    step.prepare_cached("INSERT INTO audit (at, who, action, jti) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at, WHO, action, jti])?;
    Ok(())
}

/// How many go into each transaction.
fn batches(count: usize, batch: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(batch).map(move |done| batch.min(count - done))
}
