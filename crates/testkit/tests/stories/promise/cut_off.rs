//! A verifier that is cut off: the revoke is answered when its lease has ended, and it refuses nobody
//! for good meanwhile.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nt_testkit::proxy::Proxy;
use nt_testkit::{Service, World, process};
use nt_token::clock::Stopwatch;
use serde_json::json;

use super::{ANSWERED_WITHIN, BACK_WITHIN, SOON, verifier};
use crate::{owner_with_workspace, report, story, text_of};

/// Lv and as much for the machine.
const REFUSES_WITHIN: Duration = Duration::from_millis(2_600);

/// What a verifier said of a good token from the cut on, and when it began to say 503.
struct CutOff {
    refused_from: Duration,
    statuses: Vec<u16>,
}

/// Asks about a good token until it is told to stop.
fn watch_until<T>(
    service: &Service,
    token: &str,
    watch: Stopwatch,
    done: impl FnOnce() -> Result<T> + Send,
) -> Result<(T, CutOff)>
where
    T: Send,
{
    thread::scope(|scope| {
        let worker = scope.spawn(done);
        let mut seen = CutOff { refused_from: Duration::MAX, statuses: Vec::new() };
        // Also after the work: from the lease's end on nothing else is said.
        while !worker.is_finished() || watch.elapsed() < ANSWERED_WITHIN {
            let status = service.check(token)?.status;
            seen.statuses.push(status);
            if status == 503 {
                seen.refused_from = seen.refused_from.min(watch.elapsed());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok((done, seen))
    })
}

fn tell(world: &World, name: &str, fail: impl FnOnce(&Proxy)) -> Result<()> {
    let cli = owner_with_workspace(world)?;
    let [bad, good] = [cli.json(&["token", "create"])?, cli.json(&["token", "create"])?];
    let (jti, bad, good) = (text_of(&bad, "jti"), text_of(&bad, "token"), text_of(&good, "token"));
    let proxy = Proxy::before(world.address())?;
    let service = verifier(world, name, proxy.address(), None)?;
    service.until(bad, 200)?;

    let watch = Stopwatch::start();
    fail(&proxy);
    let revoke = || {
        let began = Stopwatch::start();
        cli.ok(&["token", "revoke", jti, "--force"])?;
        let took = began.elapsed();
        ensure!(service.check(bad)?.status == 503, "it is known there, or it was answered early");
        Ok(took)
    };
    let (took, seen) = watch_until(&service, good, watch, revoke)?;
    let first_503 = seen.statuses.iter().position(|status| *status == 503).unwrap_or_default();
    let (before, after) = seen.statuses.split_at(first_503);
    assert!(before.iter().all(|status| *status == 200), "{before:?}");
    assert!(after.len() > 1 && after.iter().all(|status| *status == 503), "{after:?}");
    assert!(seen.refused_from <= REFUSES_WITHIN, "{:?}", seen.refused_from);
    assert!(took <= ANSWERED_WITHIN, "{took:?}");

    let receipt = cli.json(&["receipt", "show", jti])?;
    assert_eq!(receipt["verifiers"]["cut_off"][0]["name"], format!("dev:{name}"), "{receipt}");
    assert_eq!(receipt["verifiers"]["acknowledged"], json!(0), "{receipt}");

    let healed = Stopwatch::start();
    proxy.heal();
    process::until(SOON, || {
        let status = service.check(good)?.status;
        ensure!(matches!(status, 200 | 503), "a good token was refused: {status}");
        Ok((status == 200).then_some(()))
    })?;
    let back = healed.elapsed();
    assert_eq!(service.check(bad)?.status, 401, "it knows now");
    assert!(back <= BACK_WITHIN, "{back:?}");
    let from = seen.refused_from;
    report(&format!(
        "{name}: 503 from {from:?} after it was cut off, the revoke took {took:?}; it accepts \
         {back:?} after the heal"
    ))
}

#[test]
fn a_verifier_whose_connection_is_cut_holds_a_revoke_up_for_its_lease_and_says_503_from_then_on() {
    story(|world| tell(world, "cut", Proxy::cut));
}

#[test]
fn a_verifier_whose_connection_is_silent_holds_a_revoke_up_no_longer_than_one_that_is_cut() {
    story(|world| tell(world, "silent", Proxy::stall));
}
