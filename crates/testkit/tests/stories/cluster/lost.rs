//! A standby that lacks an answered revocation becomes the primary, and an operator recovers what the
//! nodes remember.

use anyhow::{Context as _, Result, ensure};
use nt_postgres_testing::{Commit, Replicated};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Follower, Wires};
use nt_testkit::operator::Issued;

use super::{NODES, assert_all_refuse, assert_stays_revoked, fleet, tokens, until_all};

/// How a process ends that goes on when it is started anew.
const START_ANEW: i32 = 75;

#[test]
fn after_a_promotion_that_lost_a_revocation_all_refuse_until_it_is_recovered_and_it_stays_in_force()
{
    (|| -> Result<()> {
        let pair = Replicated::start(Commit::Asynchronous)?;
        let database = Database::Replicated(&pair);
        let lossy = ["--allow-lossy-failover"];
        let mut nodes = Nodes::with(NODES, database, Wires::Proxies, &lossy)?;
        let followers = fleet(&nodes, 3)?;
        let made = tokens(&nodes, 3)?;
        let (kept, doomed, later) = (&made[0], &made[1], &made[2]);
        until_all(&followers, &doomed.token, 200)?;
        pair.until_equal()?;
        pair.cut()?;
        nodes.owners()[1].revoke(&doomed.workspace, &doomed.jti)?;
        until_all(&followers, &kept.token, 200)?;
        until_all(&followers, &doomed.token, 401)?;
        pair.primary().kill()?;
        pair.promote()?;
        assert_all_refuse(&nodes, &followers, kept, doomed)?;
        // A plain start changes nothing: only an operator decides what was lost.
        for node in &mut nodes.nodes[..2] {
            node.world.launch()?;
        }
        assert_all_refuse(&nodes, &followers, kept, doomed)?;
        recover(&mut nodes)?;
        assert_lives_on(&mut nodes, &followers, kept, doomed)?;
        nodes.owners()[2].revoke(&later.workspace, &later.jti)?;
        until_all(&followers, &later.token, 401)?;
        until_all(&followers, &kept.token, 200)
    })()
    .expect("the story holds");
}

/// What an operator does who reads what is said: at the first node, with copies of the others' folders.
fn recover(nodes: &mut Nodes) -> Result<()> {
    nodes.nodes[0].world.kill9()?;
    let alone = nodes.recover(0, &["--force"])?.expect_code(1)?;
    ensure!(alone.stderr.contains("--journal"), "{}", alone.stderr);
    let copies = [nodes.copy(1, "copy")?, nodes.copy(2, "copy")?];
    let mut args = Vec::new();
    for copy in &copies {
        args.extend(["--journal", copy.to_str().context("a path in ASCII")?]);
    }
    let looked = nodes.recover(0, &[&args[..], &["--dry-run"]].concat())?.expect_code(0)?;
    ensure!(looked.stdout.contains("revoked tokens: 1"), "{}", looked.stdout);
    let done = nodes.recover(0, &[&args[..], &["--force"]].concat())?.expect_code(0)?;
    ensure!(done.stdout.contains("recovered  epoch 2"), "{}", done.stdout);
    Ok(())
}

/// A node in quarantine ends for its supervisor to start it anew, the operator starts the others, and
/// everybody comes back who forgets nothing.
fn assert_lives_on(
    nodes: &mut Nodes,
    followers: &[Follower],
    kept: &Issued,
    doomed: &Issued,
) -> Result<()> {
    let status = nodes.nodes[2].world.wait()?;
    ensure!(status.code() == Some(START_ANEW), "a node in quarantine ended with {status}");
    for node in &mut nodes.nodes {
        node.world.launch()?;
    }
    nodes.nodes.iter_mut().try_for_each(|node| node.world.until_ready())?;
    until_all(followers, &kept.token, 200)?;
    assert_stays_revoked(nodes, followers, doomed)
}
