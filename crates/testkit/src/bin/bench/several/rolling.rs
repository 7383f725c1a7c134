//! Three nodes restarted in turn, as a deployment does, while tokens are revoked.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nt_testkit::World;
use nt_testkit::hammer::Hammer;
use nt_testkit::operator::Issued;
use tokio::runtime::Runtime;

use super::{Ground, NODES, float};
use crate::compare::percentile;
use crate::followers::Followers;
use crate::table::Table;

const REVOKES: usize = 1_000;
const AT_ONCE: usize = 8;
/// A revoke that takes longer waited for somebody.
const SLOW: Duration = Duration::from_secs(1);
const BETWEEN: Duration = Duration::from_millis(500);

pub(crate) fn measure(runtime: &Runtime, table: &mut Table) -> Result<()> {
    let mut ground = Ground::make()?;
    let tokens = ground.add_tokens(i64::try_from(REVOKES)?)?;
    let mut nodes = ground.nodes(NODES)?;
    let all: Vec<&World> = nodes.iter().collect();
    let followers = Followers::of_several(&all, &ground.issuer, runtime, 6)?;
    let owners: Vec<_> = nodes.iter().map(|node| ground.owner(node)).collect();
    let workspace = &ground.first.workspace;
    let made: Vec<Issued> = tokens
        .into_iter()
        .map(|jti| Issued { token: String::new(), jti, workspace: workspace.clone() })
        .collect();
    let hammer = Hammer::new(Vec::new());
    let (revokes, restarts) = hammer.revoke_all(&owners, &made, 0, AT_ONCE, |go_on| {
        let mut restarts = 0;
        while go_on() {
            let node = &mut nodes[restarts % NODES];
            let status = node.stop()?;
            ensure!(status.success(), "a node stopped with {status}");
            node.restart()?;
            restarts += 1;
            thread::sleep(BETWEEN);
        }
        Ok(restarts)
    })?;
    ensure!(followers.with_a_lease(0) == 6, "a verifier was lost");
    let took = revokes.iter().map(|revoke| revoke.end.saturating_sub(revoke.start));
    let took: Vec<f64> = took.map(|took| took.as_secs_f64() * 1e3).collect();
    let slow = took.iter().filter(|took| **took > SLOW.as_secs_f64() * 1e3).count();
    let of = format!("PostgreSQL, 3 nodes restarted in turn, 6 verifiers, {REVOKES} revokes:");
    table.note(&format!("{of} restarts"), float(restarts)?, "restarts", None);
    table.note(&format!("{of} longer than 1 s"), float(slow)?, "revokes", Some(0.0));
    table.note(&format!("{of} p50"), percentile(&took, 0.5), "ms", None);
    table.note(&format!("{of} the longest"), percentile(&took, 1.0 - 1e-9), "ms", None);
    followers.stop(runtime);
    Ok(())
}
