//! A verifier that is stopped while a token is revoked, and goes on after the answer without knowing
//! that it ever stood still.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use nt_testkit::{Connection, process};
use nt_token::clock::Stopwatch;
use serde_json::json;

use super::{ANSWERED_WITHIN, BACK_WITHIN, SOON, verifier};
use crate::{OWNER, report, story};

/// Each with a token of its own.
const ROUNDS: usize = 2;
/// How many questions wait for it to go on.
const QUESTIONS: usize = 8;

#[test]
fn a_verifier_that_goes_on_after_the_answer_accepts_no_question_that_waited_for_it() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let kept = owner.create_workspace("main")?;
        let service = verifier(world, "stopped", world.address(), None)?;
        let (mut longest, mut latest) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..ROUNDS {
            let made = owner.create_token(&kept.workspace, &json!({}))?;
            service.until(&made.token, 200)?;
            let open = |_| Ok(Connection::open(service.address())?);
            let mut waiting = (0..QUESTIONS).map(open).collect::<Result<Vec<_>>>()?;
            service.signal(Signal::SIGSTOP)?;
            let began = Stopwatch::start();
            owner.revoke(&made.workspace, &made.jti)?;
            longest = longest.max(began.elapsed());
            // They start after the answer, and wait beside what the authority has said meanwhile.
            let question = service.question(&made.token).render();
            for connection in &mut waiting {
                connection.write(&question)?;
            }
            service.signal(Signal::SIGCONT)?;
            let went_on = Stopwatch::start();
            for connection in &mut waiting {
                let status = connection.read()?.status;
                assert!(matches!(status, 401 | 503), "accepted after its revoke: {status}");
            }
            process::until(SOON, || {
                let status = service.check(&kept.token)?.status;
                ensure!(matches!(status, 200 | 503), "a good token was refused: {status}");
                Ok((status == 200).then_some(()))
            })?;
            latest = latest.max(went_on.elapsed());
            assert_eq!(service.check(&made.token)?.status, 401, "it knows now");
        }
        assert!(longest <= ANSWERED_WITHIN, "{longest:?}");
        assert!(latest <= BACK_WITHIN, "{latest:?}");
        report(&format!(
            "stopped: {ROUNDS} revokes took {longest:?} at most; the verifier accepts {latest:?} \
             after it goes on at the latest, and refused all that waited for it"
        ))
    });
}
