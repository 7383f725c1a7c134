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
            || bare.borrow_mut().inserts(requests, clients),
            || {
                let watch = Stopwatch::start();
                let run = load::answers(world.address(), clients, Arc::clone(&creates), 201);
                let answers = runtime.block_on(run)?;
                let took = watch.elapsed();
                issued.borrow_mut().push(answers);
                Ok(per_second(requests, took))
            },
        )?;
        let control = format!("bare SQLite inserts of two rows, {clients} in a transaction");
        let what = format!("create tokens over HTTP, {clients} at once");
        table.add(&what, &control, "/s", Aim::None, &found);

        let mut batches = Vec::new();
        for answers in issued.into_inner() {
            batches.push(Arc::new(revokes(&operator, &workspace, &answers)?));
        }
        debug_assert_eq!(batches.len(), ROUNDS + 1);
        let found = compare(
            || bare.borrow_mut().inserts(requests, clients),
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

fn create(operator: &Operator, workspace: &str) -> Vec<u8> {
    let path = format!("/v1/workspaces/{workspace}/tokens");
    Request::new("POST", &path).bearer(&operator.session).json(&json!({})).render()
}

fn revokes(operator: &Operator, workspace: &str, created: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
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

/// A database with two tables and the durability of the authority's, on the same file system.
struct Bare {
    db: Connection,
    next: i64,
}

impl Bare {
    fn open(world: &World) -> Result<Self> {
        let db = Connection::open(world.dir().join("bare.db"))?;
        db.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE log (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                               kind INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
             CREATE TABLE audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL,
                                 action TEXT NOT NULL, jti TEXT NOT NULL) STRICT;",
        )?;
        Ok(Self { db, next: 0 })
    }

    /// Pairs of rows a second, this many pairs in a transaction.
    fn inserts(&mut self, count: usize, batch: usize) -> Result<f64> {
        let watch = Stopwatch::start();
        let mut left = count;
        while left > 0 {
            let pairs = left.min(batch);
            let step = self.db.transaction()?;
            for _ in 0..pairs {
                self.next += 1;
                let id = i128::from(self.next).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
                step.prepare_cached(
                    "INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, 1, ?3)",
                )?
                .execute(params![self.next, id, [7_u8; 48]])?;
                step.prepare_cached(
                    "INSERT INTO audit (at, who, action, jti) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    self.next,
                    "op_01j00000000000000000000000",
                    "token.revoked",
                    "jti_01j00000000000000000000000"
                ])?;
            }
            step.commit()?;
            left -= pairs;
        }
        Ok(per_second(count, watch.elapsed()))
    }
}
