//! A standby that lacks an answered revocation becomes the primary; an operator puts it back.

use anyhow::Result;
use nt_postgres_testing::{Commit, Replicated};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Wires};

use super::{NODES, assert_all_refuse, fleet, said, said_at_door, tokens, until_all};

#[test]
fn what_a_promotion_lost_is_accepted_by_nobody_and_is_back_after_a_recovery_from_the_journals() {
    (|| -> Result<()> {
        let pair = Replicated::start(Commit::Asynchronous)?;
        let database = Database::Replicated(&pair);
        let lossy = ["--allow-lossy-failover"];
        let mut nodes = Nodes::with(NODES, database, Wires::Proxies, &lossy)?;
        let followers = fleet(&nodes, 3)?;
        let made = tokens(&nodes, 3)?;
        let (kept, doomed) = (&made[0], &made[1]);
        until_all(&followers, &doomed.token, 200)?;
        until_all(&followers, &made[2].token, 200)?;
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
        assert_all_refuse(&nodes, &followers, kept, doomed)?;
        let told = nodes.recover()?;
        assert!(told.contains("recovered  epoch 2"), "{told}");
        for node in &mut nodes.nodes {
            node.world.restart()?;
        }
        // The same verifiers, in all this time.
        until_all(&followers, &kept.token, 200)?;
        for node in &nodes.nodes {
            assert_eq!(said_at_door(&node.world, &kept.token), Some(200));
            assert_eq!(said_at_door(&node.world, &doomed.token), Some(401));
        }
        until_all(&followers, &doomed.token, 401)?;
        // It works as before.
        let next = &made[2];
        until_all(&followers, &next.token, 200)?;
        nodes.owners()[2].revoke(&next.workspace, &next.jti)?;
        for follower in &followers {
            assert_eq!(said(&follower.service, &next.token), Some(401));
        }
        Ok(())
    })()
    .expect("the story holds");
}
