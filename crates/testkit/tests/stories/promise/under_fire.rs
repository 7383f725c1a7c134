//! Revoking while verifiers and the authority are stopped, killed and cut off.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::checker::{examine, with_answers_too_early};
use nt_testkit::dice::Dice;
use nt_testkit::hammer::Hammer;
use nt_testkit::operator::Issued;
use nt_testkit::proxy::Proxy;
use nt_testkit::{Revoke, Service, World, settings};
use serde_json::json;

use super::faults::{Tally, Victim, rage};
use super::verifier;
use crate::{OWNER, report, story};

const VERIFIERS: usize = 8;
const EDGES: usize = 2;
/// How many tokens nobody revokes.
const KEPT: usize = 2;
/// How many revokes are under way at once.
const REVOKERS: usize = 6;
/// Long enough for every client to ask about every token once more.
const LAST_LOOK: Duration = Duration::from_millis(1_500);

fn fleet(world: &World) -> Result<Vec<Victim>> {
    (0..VERIFIERS + EDGES)
        .map(|number| {
            let proxy = Proxy::before(world.address())?;
            let name = format!("follower-{number}");
            let service = if number < VERIFIERS {
                verifier(world, &name, proxy.address(), None)?
            } else {
                Service::edge(world, &name, proxy.address())?
            };
            Ok(Victim { service, proxy })
        })
        .collect()
}

/// Revokes all but the kept ones while things fail, and ends when everything is whole again.
fn revoke_under_fire(
    world: &mut World,
    victims: &mut [Victim],
    hammer: &Hammer,
    tokens: &[Issued],
    dice: &mut Dice,
) -> Result<(Vec<Revoke>, Tally)> {
    let owner = world.operator(OWNER)?;
    let (kept, doomed) = tokens.split_at(KEPT);
    let told = hammer
        .revoke_all(&[owner], tokens, KEPT, REVOKERS, |go_on| rage(world, victims, dice, go_on))?;
    for victim in victims {
        victim.service.until(&kept[0].token, 200)?;
    }
    // Each refuses what it may not have heard of: they accept again, so they know.
    doomed.iter().enumerate().for_each(|(token, _)| hammer.heat(KEPT + token));
    thread::sleep(LAST_LOOK);
    Ok(told)
}

#[test]
fn no_verifier_accepts_what_was_revoked_whatever_is_done_to_it_and_to_the_authority() {
    let count = if settings::full() { 500 } else { 40 };
    let (mut dice, chosen) = Dice::cast().expect("the system has randomness");
    story(|world| {
        report(&format!("promise: NT_TESTKIT_SEED={chosen}"))?;
        let owner = world.operator(OWNER)?;
        let workspace = owner.create_workspace("main")?.workspace;
        let made = |_| owner.create_token(&workspace, &json!({}));
        let tokens = (0..KEPT + count).map(made).collect::<Result<Vec<_>>>()?;
        let mut victims = fleet(world)?;
        for victim in &victims {
            victim.service.until(&tokens[0].token, 200)?;
        }
        let targets = victims.iter().map(|victim| victim.service.asked_about(&tokens)).collect();
        let hammer = Hammer::new(targets);
        let (told, checks) =
            hammer.during(|| revoke_under_fire(world, &mut victims, &hammer, &tokens, &mut dice));
        let (revokes, tally) = told?;
        let seen = examine(&checks, &revokes);
        let control = examine(&checks, &with_answers_too_early(&checks, &revokes));
        let mut took: Vec<_> =
            revokes.iter().map(|revoke| revoke.end.saturating_sub(revoke.start)).collect();
        took.sort();
        report(&format!(
            "promise: {count} revokes (median {:?}, longest {:?}) with {VERIFIERS} verifiers and \
             {EDGES} edges, {tally}; {} checks ({} accepted), {} without a verdict, {} overlapped \
             a revoke; {} violations, {} refused for nothing; negative control: {} violations",
            took[count / 2],
            took[count - 1],
            seen.checks,
            seen.accepted,
            seen.unknown,
            seen.overlapped,
            seen.violations.len(),
            seen.refused_for_nothing.len(),
            control.violations.len(),
        ))?;
        assert!(seen.is_clean(), "{seen:#?}");
        assert_eq!((seen.revoked, seen.refused_after), (count, count));
        assert!(seen.overlapped >= 10 * count, "the run has no power: {}", seen.overlapped);
        assert!(control.violations.len() >= count, "the checker is blind");
        assert!(tally.is_full(), "something never happened: {tally}");
        Ok(())
    });
}
