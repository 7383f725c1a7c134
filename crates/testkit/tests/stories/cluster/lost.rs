//! A standby that lacks an answered revocation becomes the primary.

use anyhow::Result;
use nt_postgres_testing::{Commit, Replicated};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Wires};

use super::{NODES, assert_all_refuse, fleet, tokens, until_all};

#[test]
fn after_a_promotion_that_lost_a_revocation_every_node_and_verifier_refuses() {
    (|| -> Result<()> {
        let pair = Replicated::start(Commit::Asynchronous)?;
        let database = Database::Replicated(&pair);
        let lossy = ["--allow-lossy-failover"];
        let mut nodes = Nodes::with(NODES, database, Wires::Proxies, &lossy)?;
        let followers = fleet(&nodes, 3)?;
        let made = tokens(&nodes, 2)?;
        let (kept, doomed) = (&made[0], &made[1]);
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
        for node in &mut nodes.nodes {
            node.world.launch()?;
        }
        assert_all_refuse(&nodes, &followers, kept, doomed)
    })()
    .expect("the story holds");
}
