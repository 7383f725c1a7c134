//! A node's data folder is cloned, and both run.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use nt_postgres_testing::Cluster;
use nt_testkit::nodes::{Database, Wires};
use nt_testkit::{Nodes, Request, World, process};
use nt_token::clock::Stopwatch;

use super::{NODES, SOON, WATCHED, fleet, tokens, until_all};

fn is_ready(world: &World) -> bool {
    world.send(&Request::get("/readyz")).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn of_a_node_and_its_clone_one_goes_on() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        // Nobody is woken by a commit: looking is enough.
        let nodes = Nodes::start(NODES, Database::Silent(&cluster), Wires::Proxies)?;
        let followers = fleet(&nodes, 1)?;
        let made = tokens(&nodes, 2)?;
        until_all(&followers, &made[0].token, 200)?;
        let mut twin = nodes.twin(0)?;
        twin.launch()?;
        let watch = Stopwatch::start();
        while watch.elapsed() < WATCHED {
            assert!(!(is_ready(&twin) && is_ready(&nodes.nodes[0].world)), "both go on");
            thread::sleep(Duration::from_millis(20));
        }
        nodes.owners()[1].revoke(&made[1].workspace, &made[1].jti)?;
        until_all(&followers, &made[1].token, 401)?;
        until_all(&followers, &made[0].token, 200)
    })()
    .expect("the story holds");
}

#[test]
fn a_frozen_node_whose_clone_took_its_place_accepts_nothing_when_it_goes_on() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let nodes = Nodes::start(NODES, Database::Cluster(&cluster), Wires::Proxies)?;
        let made = tokens(&nodes, 2)?;
        let frozen = &nodes.nodes[0].world;
        let mut twin = nodes.twin(0)?;
        frozen.signal(Signal::SIGSTOP)?;
        twin.launch()?;
        nodes.owners()[1].revoke(&made[1].workspace, &made[1].jti)?;
        frozen.signal(Signal::SIGCONT)?;
        let watch = Stopwatch::start();
        while watch.elapsed() < WATCHED {
            assert_ne!(super::said_at_door(frozen, &made[1].token), Some(200));
            assert!(!(is_ready(&twin) && is_ready(frozen)), "both go on");
            thread::sleep(Duration::from_millis(20));
        }
        let one = || is_ready(&twin) || is_ready(frozen) || is_ready(&nodes.nodes[1].world);
        process::until(SOON, || Ok(one().then_some(())))
    })()
    .expect("the story holds");
}
