//! Negative controls: a verifier that breaks a rule is caught, and the one beside it that does not is
//! found to be without fault by the same history.

use std::slice;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::checker::examine;
use nt_testkit::hammer::Hammer;
use nt_testkit::operator::{Issued, Operator};
use nt_testkit::proxy::Proxy;
use nt_testkit::{Report, Revoke};
use serde_json::json;

use super::verifier;
use crate::{OWNER, report, story};

/// Which of the two verifiers is the mutant.
const MUTANT: usize = 1;
/// How long a token is asked about before it is revoked, and after.
const AROUND: Duration = Duration::from_millis(300);

/// What is done to the connections of both verifiers while a token is revoked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    Flow,
    Stall,
}

fn revoke_each(
    hammer: &Hammer,
    owner: &Operator,
    tokens: &[Issued],
    lines: Lines,
    proxies: &[Proxy],
) -> Result<Vec<Revoke>> {
    let mut revokes = Vec::new();
    for (token, made) in tokens.iter().enumerate() {
        hammer.heat(token);
        thread::sleep(AROUND);
        if lines == Lines::Stall {
            proxies.iter().for_each(Proxy::stall);
        }
        revokes.push(hammer.revoke(slice::from_ref(owner), made, token)?);
        thread::sleep(AROUND);
        proxies.iter().for_each(Proxy::heal);
        thread::sleep(AROUND);
        hammer.cool(token);
    }
    Ok(revokes)
}

/// Two verifiers, of which the second is this mutant, and this many revokes.
fn run(name: &str, mutant: Option<&str>, lines: Lines, count: usize) {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let workspace = owner.create_workspace("main")?.workspace;
        let made = |_| owner.create_token(&workspace, &json!({}));
        let tokens = (0..count).map(made).collect::<Result<Vec<_>>>()?;
        let proxies = [Proxy::before(world.address())?, Proxy::before(world.address())?];
        let services = [
            verifier(world, "good", proxies[0].address(), None)?,
            verifier(world, "second", proxies[MUTANT].address(), mutant)?,
        ];
        for service in &services {
            service.until(&tokens[0].token, 200)?;
        }
        let targets = services.iter().map(|service| service.asked_about(&tokens)).collect();
        let hammer = Hammer::new(targets);
        let (revokes, checks) =
            hammer.during(|| revoke_each(&hammer, &owner, &tokens, lines, &proxies));
        let seen: Report = examine(&checks, &revokes?);
        report(&format!(
            "control, {name}: {count} revokes, {} checks, {} overlapped a revoke; {} violations",
            seen.checks,
            seen.overlapped,
            seen.violations.len()
        ))?;
        assert!(seen.overlapped > 0, "the run has no power");
        assert_eq!((seen.revoked, seen.refused_after), (count, count));
        assert!(seen.refused_for_nothing.is_empty(), "{:?}", seen.refused_for_nothing);
        if mutant.is_none() {
            assert!(seen.is_clean(), "{seen:#?}");
            return Ok(());
        }
        assert!(!seen.violations.is_empty(), "the checker is blind");
        assert!(seen.violations.iter().all(|check| check.verifier == MUTANT), "{seen:#?}");
        Ok(())
    });
}

#[test]
fn a_verifier_that_caches_verdicts_is_caught() {
    run("verdicts cached", Some("verdict-cached"), Lines::Flow, 3);
}

#[test]
fn a_verifier_that_acknowledges_before_it_applies_is_caught() {
    run("acknowledged before applied", Some("ack-before-apply"), Lines::Flow, 3);
}

#[test]
fn a_verifier_that_goes_on_without_a_lease_is_caught() {
    run("lease ignored", Some("ignores-lease"), Lines::Stall, 2);
}

#[test]
fn the_same_runs_with_verifiers_that_keep_the_rules_are_clean() {
    run("none, connections flow", None, Lines::Flow, 3);
    run("none, connections stall", None, Lines::Stall, 2);
}
