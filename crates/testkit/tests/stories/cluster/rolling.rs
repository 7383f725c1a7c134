//! Each node is restarted in its turn, as a deployment does, and nobody notices.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nt_postgres_testing::Cluster;
use nt_testkit::checker::examine;
use nt_testkit::hammer::Hammer;
use nt_testkit::nodes::{Database, Wires};
use nt_testkit::{Nodes, settings};

use super::{NODES, fleet, tokens, until_all};
use crate::report;

/// How many tokens nobody revokes.
const KEPT: usize = 2;
/// No revoke takes longer, on a machine that does nothing else.
const SLOW: Duration = Duration::from_secs(1);
/// And none on any machine: a node that ended without a word is waited for for 12.7 s.
const WAITED: Duration = Duration::from_secs(10);
/// Whoever asks a verifier waits so long for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two restarts.
const BETWEEN: Duration = Duration::from_millis(500);

#[test]
fn a_rolling_restart_fails_no_verification_and_no_revoke_and_slows_none() {
    let count = if settings::full() { 200 } else { 40 };
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let mut nodes = Nodes::start(NODES, Database::Cluster(&cluster), Wires::Proxies)?;
        let followers = fleet(&nodes, 6)?;
        let made = tokens(&nodes, KEPT + count)?;
        until_all(&followers, &made[0].token, 200)?;
        // A node that stops answers nobody, as it should: only the verifiers are asked.
        let asked = followers.iter().map(|follower| follower.service.asked_about(&made)).collect();
        let hammer = Hammer::new(asked).patient(PATIENCE);
        let owners = nodes.owners();
        let (told, checks) = hammer.during(|| {
            hammer.revoke_all(&owners, &made, KEPT, 3, |go_on| {
                let mut restarts = 0;
                while go_on() || restarts < nodes.nodes.len() {
                    let turn = restarts % nodes.nodes.len();
                    let world = &mut nodes.nodes[turn].world;
                    let status = world.stop()?;
                    ensure!(status.success(), "a node stopped with {status}");
                    world.restart()?;
                    restarts += 1;
                    thread::sleep(BETWEEN);
                }
                Ok(restarts)
            })
        });
        let (revokes, restarts) = told?;
        let seen = examine(&checks, &revokes);
        let took = revokes.iter().map(|revoke| revoke.end.saturating_sub(revoke.start));
        let longest = took.max().unwrap_or_default();
        report(&format!(
            "cluster: {restarts} restarts, {count} revokes (longest {longest:?}), {} checks, {} \
             without a verdict, {} violations",
            seen.checks,
            seen.unknown,
            seen.violations.len()
        ))?;
        assert!(seen.is_clean(), "{seen:#?}");
        assert_eq!((seen.revoked, seen.refused_after), (count, count));
        assert_eq!(seen.unknown, 0, "a verification failed");
        let limit = if settings::full() { SLOW } else { WAITED };
        assert!(longest < limit, "a revoke took {longest:?}");
        Ok(())
    })()
    .expect("the story holds");
}
