//! Several nodes, one authority: the promise across them, whatever becomes of a node, a network or the
//! database, and no resurrection of what was revoked.

mod faults;
mod lost;
mod pooled;
mod restored;
mod rolling;
mod twin;
mod under_fire;

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::hammer::Target;
use nt_testkit::nodes::Follower;
use nt_testkit::operator::Issued;
use nt_testkit::{Nodes, Request, Service, World, process};
use nt_token::clock::Stopwatch;
use serde_json::json;

/// Of one authority.
const NODES: u8 = 3;
/// How long anything may take: a crashed node is waited for once, for 12.7 s.
const SOON: Duration = Duration::from_secs(30);
/// How long nobody may accept what was revoked, where a lost history would let them.
const WATCHED: Duration = Duration::from_secs(4);

/// Verifiers that know all nodes.
pub(crate) fn fleet(nodes: &Nodes, count: usize) -> Result<Vec<Follower>> {
    let verifier = |number| {
        let command = Command::new(env!("CARGO_BIN_EXE_verifier"));
        nodes.verifier(&format!("verifier-{number}"), command)
    };
    (0..count).map(verifier).collect()
}

/// Tokens of one workspace, issued by all nodes in turn.
pub(crate) fn tokens(nodes: &Nodes, count: usize) -> Result<Vec<Issued>> {
    let owners = nodes.owners();
    let first = owners.first().context("a node")?.create_workspace("main")?;
    let turns = owners.iter().cycle().take(count);
    turns.map(|owner| owner.create_token(&first.workspace, &json!({}))).collect()
}

/// The question at a node's own door.
fn door(token: &str) -> Request {
    Request::get("/v1/token_auth").bearer(token)
}

/// All who may be asked about tokens: verifiers, and the nodes themselves.
fn targets(nodes: &Nodes, followers: &[Follower], tokens: &[Issued]) -> Vec<Target> {
    let verifiers = followers.iter().map(|follower| follower.service.asked_about(tokens));
    let doors = nodes.nodes.iter().map(|node| Target {
        address: node.world.address(),
        questions: tokens.iter().map(|made| door(&made.token).render()).collect(),
    });
    verifiers.chain(doors).collect()
}

/// Waits until each verifier says so of a token.
pub(crate) fn until_all(followers: &[Follower], token: &str, status: u16) -> Result<()> {
    followers.iter().try_for_each(|follower| follower.service.until(token, status))
}

/// What a process says of a token; nothing where there is no answer.
fn said(service: &Service, token: &str) -> Option<u16> {
    service.check(token).ok().map(|answer| answer.status)
}

fn said_at_door(world: &World, token: &str) -> Option<u16> {
    world.send(&door(token)).ok().map(|answer| answer.status)
}

/// The database has lost a revocation: everybody comes to refuse what is good too, because nobody can
/// know, and nobody accepts what was revoked on the way there or in a while after.
fn assert_all_refuse(
    nodes: &Nodes,
    followers: &[Follower],
    kept: &Issued,
    revoked: &Issued,
) -> Result<()> {
    let accepts = |token: &str| {
        let verifiers = followers.iter().map(|follower| said(&follower.service, token));
        let doors = nodes.nodes.iter().map(|node| said_at_door(&node.world, token));
        verifiers.chain(doors).filter(|status| *status == Some(200)).count()
    };
    let none_revoked = || {
        ensure!(accepts(&revoked.token) == 0, "a revoked token is accepted again");
        Ok(())
    };
    process::until(SOON, || {
        none_revoked()?;
        Ok((accepts(&kept.token) == 0).then_some(()))
    })
    .context("somebody goes on accepting")?;
    let watch = Stopwatch::start();
    while watch.elapsed() < WATCHED {
        none_revoked()?;
        ensure!(accepts(&kept.token) == 0, "somebody accepts who cannot know");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Nobody accepts it, for a while: no verifier, and no node at its own door.
fn assert_stays_revoked(nodes: &Nodes, followers: &[Follower], revoked: &Issued) -> Result<()> {
    let watch = Stopwatch::start();
    while watch.elapsed() < WATCHED {
        for follower in followers {
            let said = said(&follower.service, &revoked.token);
            ensure!(said == Some(401), "a verifier says {said:?} of what was revoked");
        }
        for node in &nodes.nodes {
            let said = said_at_door(&node.world, &revoked.token);
            ensure!(said == Some(401), "a node says {said:?} of what was revoked");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
