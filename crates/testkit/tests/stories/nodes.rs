//! What the stories of several nodes are told with, shown with one node on its own: what is cut is cut,
//! and what is healed works again.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::nodes::{Database, Wires};
use nt_testkit::proxy::Proxy;
use nt_testkit::{Nodes, process};

const SOON: Duration = Duration::from_secs(20);

/// A verifier follows a node, is cut off from it, and hears of it again.
fn one_node(wires: Wires) -> Result<()> {
    let mut nodes = Nodes::start(1, Database::Sqlite, wires)?;
    let owner = nodes.owners().remove(0);
    let made = owner.create_workspace("main")?;
    let follower = nodes.verifier("follower", Command::new(env!("CARGO_BIN_EXE_verifier")))?;
    let says = |status| follower.service.until(&made.token, status);
    says(200)?;
    follower.proxies.iter().for_each(Proxy::cut);
    says(503)?;
    follower.proxies.iter().for_each(Proxy::heal);
    says(200)?;
    nodes.nodes[0].world.restart()?;
    process::until(SOON, || {
        let revoked = owner.revoke(&made.workspace, &made.jti);
        Ok(revoked.is_ok().then_some(()))
    })?;
    assert_eq!(follower.service.check(&made.token)?.status, 401);
    Ok(())
}

#[test]
fn a_node_behind_proxies_is_followed_cut_off_and_followed_again() {
    one_node(Wires::Proxies).expect("the story holds");
}

#[test]
fn the_twin_of_a_node_knows_what_the_node_knew() {
    (|| -> Result<()> {
        let nodes = Nodes::start(1, Database::Sqlite, Wires::Proxies)?;
        let made = nodes.owners()[0].create_workspace("main")?;
        let mut twin = nodes.twin(0)?;
        twin.restart()?;
        assert_eq!(twin.check(&made.token)?.status, 200);
        assert_ne!(twin.address(), nodes.nodes[0].world.address());
        Ok(())
    })()
    .expect("the story holds");
}

#[test]
fn a_node_in_a_namespace_of_its_own_is_a_machine_in_production() {
    one_node(Wires::Namespaces).expect("the story holds, as root");
}
