//! Revoking while verifiers and the authority are stopped, killed and cut off.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use nt_testkit::checker::{examine, with_answers_too_early};
use nt_testkit::hammer::Hammer;
use nt_testkit::operator::{Issued, Operator};
use nt_testkit::proxy::Proxy;
use nt_testkit::{Revoke, Service, World, settings};
use serde_json::json;

use super::faults::{Dice, Tally, Victim, rage};
use super::verifier;
use crate::{OWNER, report, story};

const VERIFIERS: usize = 8;
const EDGES: usize = 2;
/// How many tokens nobody revokes.
const KEPT: usize = 2;
/// How many revokes are under way at once.
const REVOKERS: usize = 6;
/// How long a token is asked about before it is revoked, and after.
const AROUND: Duration = Duration::from_millis(200);
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

/// Takes one token after the other and revokes it.
fn revoke_in_turn(
    hammer: &Hammer,
    owner: &Operator,
    tokens: &[Issued],
    next: &AtomicUsize,
    revokes: &Mutex<Vec<Revoke>>,
) -> Result<()> {
    loop {
        let token = next.fetch_add(1, Ordering::SeqCst);
        let Some(made) = tokens.get(token) else { return Ok(()) };
        hammer.heat(token);
        thread::sleep(AROUND);
        let revoke = hammer.revoke(owner, made, token).with_context(|| format!("token {token}"))?;
        revokes.lock().map_err(|_| anyhow!("a revoker panicked"))?.push(revoke);
        thread::sleep(AROUND);
        hammer.cool(token);
    }
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
    let (next, revokes) = (AtomicUsize::new(KEPT), Mutex::default());
    let tally = thread::scope(|scope| {
        let workers: Vec<_> = (0..REVOKERS)
            .map(|_| scope.spawn(|| revoke_in_turn(hammer, &owner, tokens, &next, &revokes)))
            .collect();
        let tally = rage(world, victims, dice, || workers.iter().any(|one| !one.is_finished()));
        for worker in workers {
            worker.join().map_err(|_| anyhow!("a revoker panicked"))??;
        }
        tally
    })?;
    for victim in victims {
        victim.service.until(&kept[0].token, 200)?;
    }
    // Each refuses what it may not have heard of: they accept again, so they know.
    doomed.iter().enumerate().for_each(|(token, _)| hammer.heat(KEPT + token));
    thread::sleep(LAST_LOOK);
    Ok((revokes.into_inner().map_err(|_| anyhow!("a revoker panicked"))?, tally))
}

#[test]
fn no_verifier_accepts_what_was_revoked_whatever_is_done_to_it_and_to_the_authority() {
    let count = if settings::full() { 500 } else { 40 };
    let mut drawn = [0; 8];
    aws_lc_rs::rand::fill(&mut drawn).expect("the system has randomness");
    let chosen = settings::seed().unwrap_or(u64::from_le_bytes(drawn));
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
        let mut dice = Dice::new(chosen);
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
