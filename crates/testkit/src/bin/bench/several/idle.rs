//! What a node costs that does nothing, and a verifier that follows one.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::World;
use nt_token::clock::Stopwatch;
use tokio::runtime::Runtime;

use super::{Ground, NODES, float};
use crate::followers::Followers;
use crate::promise::{processor_seconds, raise_the_limit_of_files, resident_kib};
use crate::table::Table;

/// For so long they are left to themselves.
const IDLE: Duration = Duration::from_secs(15);
const VERIFIERS: usize = 500;

pub(crate) fn measure(runtime: &Runtime, table: &mut Table) -> Result<()> {
    raise_the_limit_of_files()?;
    let ground = Ground::make()?;
    let nobody = observe(&ground, &[])?;
    let nodes = ground.nodes(NODES)?;
    // What they do at their start is not to be counted.
    std::thread::sleep(Duration::from_secs(3));
    let alone = observe(&ground, &nodes)?;
    let each = |all: f64| Ok::<_, anyhow::Error>(all / float(NODES)?);
    let of = "PostgreSQL, 3 idle nodes:";
    table.note(
        &format!("{of} `ntd`'s processor time, each"),
        each(alone.nodes)? * 1e3,
        "ms a second",
        None,
    );
    let database = each((alone.database - nobody.database).max(0.0))? * 1e3;
    table.note(&format!("{of} the database's, for each"), database, "ms a second", None);
    let transactions = each(alone.transactions - nobody.transactions)?;
    table.note(&format!("{of} transactions, for each"), transactions, "/s", None);
    table.note(&format!("{of} statements, for each"), each(statements(&ground)?)?, "/s", None);
    let pid = nodes[0].pid()?.as_raw();
    let before = resident_kib(pid)?;
    table.note(&format!("{of} memory, each"), before / 1024.0, "MiB", None);

    let followers = Followers::of_several(&[&nodes[0]], &ground.issuer, runtime, VERIFIERS)?;
    let followed = observe(&ground, &nodes)?;
    let each = (followed.nodes - alone.nodes) / float(VERIFIERS)? * 1e6;
    let of = "PostgreSQL, 3 nodes: a verifier that follows:";
    table.note(&format!("{of} `ntd`'s processor time"), each, "µs a second", None);
    let more = (followed.database - alone.database) / float(VERIFIERS)? * 1e6;
    table.note(&format!("{of} the database's (0 but for noise)"), more, "µs a second", None);
    let memory = (resident_kib(pid)? - before) / float(VERIFIERS)?;
    table.note(&format!("{of} `ntd`'s memory"), memory, "KiB", None);
    followers.stop(runtime);
    Ok(())
}

/// What happened in a second.
struct Observed {
    nodes: f64,
    database: f64,
    transactions: f64,
}

fn observe(ground: &Ground, nodes: &[World]) -> Result<Observed> {
    let busy = || -> Result<(f64, f64, f64)> {
        let mut all = 0.0;
        for node in nodes {
            all += processor_seconds(node.pid()?.as_raw())?;
        }
        let commits = "SELECT SUM(xact_commit + xact_rollback) FROM pg_stat_database";
        let commits = ground.cluster.sql(commits)?.parse::<f64>()?;
        Ok((all, database_seconds(&ground.cluster.data_dir())?, commits))
    };
    let before = busy()?;
    let watch = Stopwatch::start();
    std::thread::sleep(IDLE);
    let after = busy()?;
    let span = watch.elapsed().as_secs_f64();
    Ok(Observed {
        nodes: (after.0 - before.0) / span,
        database: (after.1 - before.1) / span,
        transactions: (after.2 - before.2) / span,
    })
}

/// The processor time of all processes that run in the database's folder.
fn database_seconds(folder: &Path) -> Result<f64> {
    let mut all = 0.0;
    for process in fs::read_dir("/proc").context("cannot list processes")?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if fs::read_link(process.path().join("cwd")).is_ok_and(|at| at == folder) {
            // One that has ended since counts no more.
            all += processor_seconds(pid).unwrap_or_default();
        }
    }
    Ok(all)
}

/// How many statements all nodes send in a second, by the database's own log.
fn statements(ground: &Ground) -> Result<f64> {
    let count = || {
        let log = ground.cluster.log();
        log.lines().filter(|line| line.contains("statement: ") || line.contains("execute ")).count()
    };
    ground.cluster.config("log_statement", "all")?;
    let before = count();
    let watch = Stopwatch::start();
    std::thread::sleep(IDLE);
    let sent = count() - before;
    let span = watch.elapsed().as_secs_f64();
    ground.cluster.config("log_statement", "none")?;
    Ok(float(sent)? / span)
}
