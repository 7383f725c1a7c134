//! Starting with many revocations in the log, until the first token is accepted.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{World, process};
use nt_token::clock::Stopwatch;

use super::bare::Plain;
use super::{Ground, float, node};
use crate::compare::compare_cold;
use crate::promise::resident_kib;
use crate::table::{Aim, Table};

const SOON: Duration = Duration::from_mins(5);
/// Reading ten million takes its time.
const ROUNDS: usize = 7;
const REVOKED: i64 = 10_000_000;
const PART: i64 = 1_000_000;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let ground = Ground::make()?;
    let database = Plain::open(&ground.url)?;
    fill(&database)?;
    drop(database);
    let reader = Plain::open(&ground.url)?;
    let mut memory = 0.0;
    let found = compare_cold(
        ROUNDS,
        || {
            let watch = Stopwatch::start();
            let bytes = reader.read_log()?;
            ensure!(i64::try_from(bytes)? > REVOKED * 62, "the log has them all");
            Ok(watch.elapsed().as_secs_f64())
        },
        || {
            let mut world = World::prepare(node(&ground.url))?;
            let watch = Stopwatch::start();
            world.launch()?;
            process::until(SOON, || {
                let answer = world.check(&ground.first.token);
                Ok(answer.is_ok_and(|answer| answer.status == 200).then_some(()))
            })?;
            let took = watch.elapsed().as_secs_f64();
            memory = resident_kib(world.pid()?.as_raw())? / 1024.0;
            world.stop()?;
            Ok(took)
        },
    )?;
    let millions = float(usize::try_from(REVOKED / PART)?)?;
    let what = format!("PostgreSQL: start with {millions:.0} M revocations to the first verdict");
    let control = "bare `tokio-postgres` reading the same rows (7 times each)";
    table.add(&what, control, "s", Aim::None, &found);
    table.note(&format!("{what}: memory of `ntd` then"), memory, "MiB", None);
    Ok(())
}

/// Revocations of every tenth token, as many as that.
fn fill(database: &Plain) -> Result<()> {
    database.run("ALTER TABLE log DROP CONSTRAINT log_id_key; SET synchronous_commit = off")?;
    let head = database.number("SELECT head FROM meta")?;
    let exp = database.number("SELECT MAX(expires_at) FROM tokens")?;
    for from in (1..=REVOKED).step_by(usize::try_from(PART).context("a count")?) {
        let to = from + PART - 1;
        database.run(&format!(
            "INSERT INTO log (seq, id, kind, body)
             SELECT {head} + n, decode(md5(CAST(n AS TEXT)), 'hex'), 1,
                int4send(CAST(1000 + (n * 10) / 1048576 AS INT))
                || int4send(CAST((n * 10 * 2654435769) % 1048576 AS INT))
                || int8send({exp}) || convert_to('jti_' || lpad(CAST(n AS TEXT), 26, '0'), 'UTF8')
             FROM generate_series(CAST({from} AS BIGINT), {to}) n"
        ))?;
    }
    database.run("ALTER TABLE log ADD UNIQUE (id)")?;
    database.run("ANALYZE log; CHECKPOINT")?;
    database.run(&format!("SET synchronous_commit = on; UPDATE meta SET head = head + {REVOKED}"))
}
