//! What stands before the database gives each transaction another session, or wakes nobody.

use anyhow::Result;
use nt_postgres_testing::{Bouncer, Cluster};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Wires};

use super::{NODES, fleet, said, said_at_door, tokens, until_all};

/// Nodes with such a database revoke as others do: at each of them, whichever issued the token and
/// whichever a verifier follows; and again after a start.
fn assert_revokes_everywhere(database: Database<'_>) -> Result<()> {
    let mut nodes = Nodes::start(NODES, database, Wires::Proxies)?;
    let followers = fleet(&nodes, 2)?;
    let made = tokens(&nodes, 1 + usize::from(NODES))?;
    for doomed in &made[1..] {
        until_all(&followers, &doomed.token, 200)?;
    }
    for (owner, doomed) in nodes.owners().iter().zip(&made[1..]) {
        owner.revoke(&doomed.workspace, &doomed.jti)?;
        for follower in &followers {
            assert_eq!(said(&follower.service, &doomed.token), Some(401));
        }
        for node in &nodes.nodes {
            assert_eq!(said_at_door(&node.world, &doomed.token), Some(401));
        }
    }
    for node in &mut nodes.nodes {
        node.world.stop_and_start()?;
    }
    until_all(&followers, &made[0].token, 200)?;
    until_all(&followers, &made[1].token, 401)
}

#[test]
fn nodes_that_share_sessions_of_the_database_revoke_as_others_do() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let bouncer = Bouncer::start(&cluster)?;
        assert_revokes_everywhere(Database::Bounced(&cluster, &bouncer))
    })()
    .expect("the story holds");
}

#[test]
fn nodes_that_the_database_does_not_wake_revoke_as_others_do() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        assert_revokes_everywhere(Database::Silent(&cluster))
    })()
    .expect("the story holds");
}
