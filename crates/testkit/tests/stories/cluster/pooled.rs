//! PgBouncer stands before the database, and gives each transaction another session.

use anyhow::Result;
use nt_postgres_testing::{Bouncer, Cluster};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Wires};

use super::{NODES, fleet, tokens, until_all};

#[test]
fn nodes_that_share_sessions_of_the_database_revoke_as_others_do() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let bouncer = Bouncer::start(&cluster)?;
        let mut nodes = Nodes::start(NODES, Database::Bounced(&cluster, &bouncer), Wires::Proxies)?;
        let followers = fleet(&nodes, 2)?;
        let made = tokens(&nodes, 1 + usize::from(NODES))?;
        for doomed in &made[1..] {
            until_all(&followers, &doomed.token, 200)?;
        }
        // At each node, whichever issued it and whichever a verifier follows.
        for (owner, doomed) in nodes.owners().iter().zip(&made[1..]) {
            owner.revoke(&doomed.workspace, &doomed.jti)?;
            for follower in &followers {
                assert_eq!(super::said(&follower.service, &doomed.token), Some(401));
            }
            for node in &nodes.nodes {
                assert_eq!(super::said_at_door(&node.world, &doomed.token), Some(401));
            }
        }
        // What is prepared in one session is not looked for in another after a start either.
        for node in &mut nodes.nodes {
            node.world.stop_and_start()?;
        }
        until_all(&followers, &made[0].token, 200)?;
        until_all(&followers, &made[1].token, 401)
    })()
    .expect("the story holds");
}
