//! A large table of tokens: a page of one workspace's, and a workspace that is deleted with a million.

use anyhow::{Context as _, Result, ensure};
use nt_testkit::operator::Issued;
use nt_testkit::{Connection, Operator, Request};
use nt_token::clock::Stopwatch;

use super::bare::Plain;
use super::{Ground, NODES};
use crate::compare::compare_cold;
use crate::table::{Aim, Table};

/// So many workspaces, with a million tokens each.
const LARGE: usize = 8;
const MILLION: i64 = 1_000_000;
/// Rows of a statement that adds some.
const PART: i64 = 1_000_000;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let mut ground = Ground::make()?;
    let small = ground.add_tokens(i64::try_from(LARGE)?)?;
    let nodes = ground.nodes(NODES)?;
    let owner = ground.owner(nodes.first().context("a node")?);
    let large = (0..LARGE).map(|nth| owner.create_workspace(&format!("large-{nth}")));
    let large = large.collect::<Result<Vec<_>>>()?;
    let database = Plain::open(&ground.url)?;
    fill(&database, &large)?;
    println!("{}", plan(&database, &owner, &large[0])?);

    let mut connection = Connection::open(nodes[0].address())?;
    let mut delete = |path: String| {
        let request = Request::new("DELETE", &path).bearer(&ground.session);
        let request = request.header("idempotency-key", &path.replace('/', "-")).render();
        let watch = Stopwatch::start();
        let answer = connection.exchange(&request)?;
        let took = watch.elapsed().as_secs_f64() * 1e3;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        Ok(took)
    };
    // Both use the one connection: the samples are all taken, in turn, and then paired.
    let mut pairs = Vec::new();
    for (jti, workspace) in small.iter().zip(&large) {
        let control = delete(ground.path(jti))?;
        pairs.push((control, delete(format!("/v1/workspaces/{}", workspace.workspace))?));
    }
    let (mut controls, mut systems) = (pairs.iter().skip(1), pairs.iter().skip(1));
    let found = compare_cold(
        LARGE - 1,
        || Ok(controls.next().context("a pair")?.0),
        || Ok(systems.next().context("a pair")?.1),
    )?;
    let what = "PostgreSQL, 3 nodes: delete a workspace with 1,000,000 tokens";
    table.add(what, "revoke one token (7 times each)", "ms", Aim::AtMost(1.2), &found);
    Ok(())
}

/// A million tokens for each workspace, in turn, as if all were issued at the same time.
fn fill(database: &Plain, large: &[Issued]) -> Result<()> {
    database.run("SET session_replication_role = replica; SET synchronous_commit = off")?;
    let list = database.number("SELECT MAX(list) + 1 FROM lists")?;
    let jtis: Vec<String> = large.iter().map(|one| format!("'{}'", one.jti)).collect();
    let (first, workspaces) = (100_000_000_i64, i64::try_from(large.len())?);
    database.run(&format!(
        "INSERT INTO lists SELECT {list} + n, l.bucket, 1048576, 1048576
         FROM (SELECT bucket FROM lists LIMIT 1) l, generate_series(0, {workspaces}) n"
    ))?;
    database.run(&format!(
        "CREATE TEMP TABLE model AS SELECT row_number() OVER () - 1 AS turn, t.* FROM tokens t
         WHERE jti IN ({})",
        jtis.join(", ")
    ))?;
    for from in (0..MILLION * workspaces).step_by(usize::try_from(PART)?) {
        let to = from + PART - 1;
        database.run(&format!(
            "INSERT INTO tokens (jti, workspace, created_by, created_at, expires_at, never, scope,
                kid, audience, rv, list, idx, request_digest)
             SELECT 'jti_' || lpad(CAST({first} + n AS TEXT), 26, '0'), t.workspace, t.created_by,
                t.created_at - 1000000 + n / 100, t.expires_at, t.never, t.scope, t.kid,
                t.audience, t.rv, {list} + n / 1048576, n % 1048576, t.request_digest
             FROM generate_series(CAST({from} AS BIGINT), {to}) n
             JOIN model t ON t.turn = n % {workspaces}"
        ))?;
    }
    // By itself: several statements in one message are one transaction, in which nothing is vacuumed.
    database.run("VACUUM ANALYZE tokens")?;
    database.run("CHECKPOINT")
}

/// The plan of a page from the middle of a workspace's tokens, and how much there is.
fn plan(database: &Plain, owner: &Operator, large: &Issued) -> Result<String> {
    const SIZES: &str = "SELECT format('%s rows, table %s, indexes %s', reltuples::BIGINT,
        pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)))
        FROM pg_class WHERE relname = 'tokens'";
    let path = format!("/v1/workspaces/{}/tokens?limit=100", large.workspace);
    let watch = Stopwatch::start();
    owner.expect(200, "GET", &path, None)?;
    let took = watch.elapsed();
    let id = large.workspace.replace('-', "");
    let middle = database
        .number(&format!("SELECT created_at - 960000 FROM tokens WHERE jti = '{}'", large.jti))?;
    let page = database.text(&format!(
        "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM issued_tokens
         WHERE workspace = '\\x{id}' AND revoked_at IS NULL AND expires_at > 1764000000
           AND (created_at, jti) < ({middle}, 'jti_') ORDER BY created_at DESC, jti DESC LIMIT 101"
    ))?;
    let sizes = database.text(SIZES)?;
    Ok(format!("{sizes}GET …/tokens?limit=100 over HTTP: {took:?}\n{page}"))
}
