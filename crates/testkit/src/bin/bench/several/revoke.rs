//! How long a revoke takes with three nodes, and with verifiers that follow them.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{Connection, Request, World};
use nt_token::clock::Stopwatch;
use tokio::runtime::Runtime;

use super::bare::Bare;
use super::{Ground, NODES};
use crate::compare::{ROUNDS, compare, median, percentile};
use crate::followers::Followers;
use crate::promise::{Broadcaster, timed};
use crate::table::{Aim, Table};

/// How many revokes a sample is the median of.
const FEW: usize = 100;

pub(crate) fn measure(runtime: &Runtime, table: &mut Table) -> Result<()> {
    let mut ground = Ground::make()?;
    let tokens = ground.add_tokens(i64::try_from(2 * FEW * (ROUNDS + 1))?)?;
    let mut bare = Bare::open(&ground.copy()?)?;
    let mut journal = File::create(ground.cluster.dir().join("journal"))?;
    let mut echo = Broadcaster::start(runtime, 0)?;
    let nodes = ground.nodes(NODES)?;
    let mut requests = tokens
        .iter()
        .map(|jti| Request::new("DELETE", &ground.path(jti)).bearer(&ground.session).render());
    let first = nodes.first().context("a node")?;
    let mut connection = Connection::open(first.address())?;
    for verifiers in [0, 6] {
        let all: Vec<&World> = nodes.iter().collect();
        let followers = Followers::of_several(&all, &ground.issuer, runtime, verifiers)?;
        let mut each = Vec::new();
        let found = compare(
            || {
                timed(FEW, || {
                    bare.commit(1)?;
                    journal.write_all(&[7; 105])?;
                    journal.sync_data()?;
                    echo.ask()?;
                    echo.ask()
                })
            },
            || {
                let mut round = Vec::new();
                for _ in 0..FEW {
                    let request = requests.next().context("a token for each revoke")?;
                    let watch = Stopwatch::start();
                    let answer = connection.exchange(&request)?;
                    round.push(watch.elapsed().as_secs_f64() * 1e3);
                    ensure!(answer.status == 200, "{}", answer.text());
                }
                each.extend(&round);
                Ok(median(&round))
            },
        )?;
        ensure!(followers.with_a_lease(0) == verifiers, "a verifier was lost");
        let what =
            format!("PostgreSQL, 3 nodes: revoke until in force, p50, {verifiers} verifiers");
        let control =
            "bare commit of the same rows there, journal `fdatasync`, two TCP echoes, p50";
        table.add(&what, control, "ms", Aim::AtMost(1.5), &found);
        let what =
            format!("PostgreSQL, 3 nodes: revoke until in force, p99, {verifiers} verifiers");
        table.note(&what, percentile(&each, 0.99), "ms", None);
        followers.stop(runtime);
    }
    Ok(())
}
