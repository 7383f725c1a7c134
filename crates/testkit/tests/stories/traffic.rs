//! Revoking under traffic, with the checker watching.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nt_testkit::checker::{examine, with_answers_too_early};
use nt_testkit::{Check, Connection, Request, Revoke, Verdict, World, process, settings};
use nt_token::clock::Stopwatch;
use serde_json::json;

use crate::{OWNER, report, story};

/// How many clients hammer.
const CLIENTS: usize = 2;

/// What all clients share.
struct Arena {
    watch: Stopwatch,
    address: SocketAddr,
    /// Which token is tried now, and the request that tries it.
    current: RwLock<(usize, Arc<Vec<u8>>)>,
    /// How many verdicts each client has had.
    verdicts: [AtomicU64; CLIENTS],
    done: AtomicBool,
}

impl Arena {
    /// Waits until each client has had this many verdicts more.
    fn wait_for_verdicts(&self, more: u64) -> Result<()> {
        let goals: Vec<u64> =
            self.verdicts.iter().map(|count| count.load(Ordering::SeqCst) + more).collect();
        process::until(Duration::from_secs(20), || {
            let mut pairs = self.verdicts.iter().zip(&goals);
            let reached = pairs.all(|(count, goal)| count.load(Ordering::SeqCst) >= *goal);
            Ok(reached.then_some(()))
        })
    }

    /// One client: asks about the current token until it is told to stop.
    fn hammer(&self, client: usize) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut connection = None;
        while !self.done.load(Ordering::SeqCst) {
            let (token, request) =
                self.current.read().map(|current| current.clone()).expect("nobody panics with it");
            let start = self.watch.elapsed();
            let verdict = self.ask(&mut connection, &request);
            checks.push(Check {
                token,
                client,
                verifier: 0,
                start,
                end: self.watch.elapsed(),
                verdict,
            });
            match verdict {
                Verdict::Unknown => thread::sleep(Duration::from_millis(1)),
                Verdict::Accepted | Verdict::Refused => {
                    self.verdicts[client].fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        checks
    }

    fn ask(&self, connection: &mut Option<Connection>, request: &[u8]) -> Verdict {
        if connection.is_none() {
            *connection = Connection::open(self.address).ok();
        }
        let answer = connection.as_mut().map(|open| open.exchange(request));
        match answer {
            Some(Ok(answer)) if answer.status == 200 => Verdict::Accepted,
            Some(Ok(answer)) if answer.status == 401 => Verdict::Refused,
            Some(Ok(_)) => Verdict::Unknown,
            Some(Err(_)) | None => {
                *connection = None;
                Verdict::Unknown
            }
        }
    }
}

/// The rounds of a run: a token is created, tried by all clients, revoked through the API while
/// they go on, and tried by all again. Every so many rounds the authority is killed in the instant
/// after its answer, and started again.
fn revoke_rounds(
    world: &mut World,
    arena: &Arena,
    rounds: usize,
    kill_every: usize,
) -> Result<Vec<Revoke>> {
    let operator = world.operator(OWNER)?;
    let workspace = operator.create_workspace("main")?.workspace;
    let mut revokes = Vec::new();
    for token in 1..=rounds {
        let issued = operator.create_token(&workspace, &json!({}))?;
        let request = Request::get("/v1/token_auth").bearer(&issued.token).render();
        *arena.current.write().expect("nobody panics with it") = (token, Arc::new(request));
        arena.wait_for_verdicts(4)?;

        let path = format!("/v1/workspaces/{workspace}/tokens/{}", issued.jti);
        let request = Request::new("DELETE", &path).bearer(&operator.session).render();
        let mut connection = Connection::open(world.address())?;
        let start = arena.watch.elapsed();
        let answer = connection.exchange(&request)?;
        let end = arena.watch.elapsed();
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
        revokes.push(Revoke { token, start, end });
        if token % kill_every == 0 {
            world.kill9()?;
            world.restart()?;
        }
        arena.wait_for_verdicts(3)?;
    }
    Ok(revokes)
}

#[test]
fn no_request_that_starts_after_the_answer_is_accepted_even_across_kill_9() {
    // In every other round the authority is killed: 200 rounds of each kind.
    let (rounds, kill_every) = if settings::full() { (4_000, 2) } else { (400, 2) };
    story(|world| {
        let arena = Arena {
            watch: Stopwatch::start(),
            address: world.address(),
            current: RwLock::new((0, Arc::new(Request::get("/v1/token_auth").render()))),
            verdicts: [const { AtomicU64::new(0) }; CLIENTS],
            done: AtomicBool::new(false),
        };
        let (checks, revokes) = thread::scope(|scope| {
            let arena = &arena;
            let clients: Vec<_> =
                (0..CLIENTS).map(|client| scope.spawn(move || arena.hammer(client))).collect();
            let revokes = revoke_rounds(world, arena, rounds, kill_every);
            arena.done.store(true, Ordering::SeqCst);
            let checks = clients.into_iter().flat_map(|client| client.join().unwrap_or_default());
            (checks.filter(|check| check.token > 0).collect::<Vec<_>>(), revokes)
        });
        let revokes = revokes?;
        let seen = examine(&checks, &revokes);
        let control = examine(&checks, &with_answers_too_early(&checks, &revokes));
        report(&format!(
            "traffic: {rounds} revokes, {} followed by kill -9; {} checks ({} accepted, {} without \
             an answer), {} overlapped a revoke; {} violations; negative control: {} violations",
            rounds / kill_every,
            seen.checks,
            seen.accepted,
            seen.unknown,
            seen.overlapped,
            seen.violations.len(),
            control.violations.len(),
        ))?;
        assert!(seen.is_clean(), "{seen:#?}");
        assert_eq!((seen.revoked, seen.refused_after), (rounds, rounds));
        assert!(seen.overlapped >= rounds / 2, "the run has no power: {}", seen.overlapped);
        assert!(control.violations.len() >= rounds, "the checker is blind");
        Ok(())
    });
}
