//! What a gateway does while nobody answers it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nt_testkit::gateway::{Answers, Gateway, Program, Recorder};
use nt_testkit::{Request, World, http, process, settings};
use nt_token::clock::Stopwatch;

use crate::OWNER;

/// For the machine that runs the test.
const SLACK: Duration = Duration::from_secs(3);

/// Stops the authority where it is, and waits until all its threads have.
fn stop(world: &World) -> Result<()> {
    world.signal(Signal::SIGSTOP)?;
    let threads = format!("/proc/{}/task", world.pid()?);
    process::until(Duration::from_secs(20), || {
        let mut all = true;
        for thread in fs::read_dir(&threads)? {
            let stat = fs::read_to_string(thread?.path().join("stat"))?;
            // The state follows the name, which is in brackets.
            all &= stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"));
        }
        Ok(all.then_some(()))
    })
}

pub(super) fn nothing_passes(world: &mut World, program: Program) -> Result<()> {
    let operator = world.operator(OWNER)?;
    let own = operator.create_workspace("away")?;
    let api = Recorder::start(Answers::Itself)?;
    let dir = world.dir().join("second");
    let gateway = Gateway::start(program, &dir, world.address(), api.address())?;
    let request = Request::get("/tools").bearer(&own.token);
    let passes = || {
        process::until(Duration::from_secs(20), || {
            Ok((http::once(gateway.address(), &request)?.status == 200).then_some(()))
        })
    };
    passes()?;
    let refuses = || -> Result<()> {
        let answer = http::once(gateway.address(), &request)?;
        assert_eq!(answer.status, program.cannot_say(), "{}", answer.text());
        assert_eq!(answer.header("retry-after").is_some(), answer.status == 503);
        assert_eq!(api.take(), []);
        Ok(())
    };
    api.take();
    // One that does not answer. Who waits for half a minute is seen to give up in the long form only.
    if program.patience() < Duration::from_secs(10) || settings::full() {
        stop(world)?;
        let watch = Stopwatch::start();
        let held = refuses();
        let waited = watch.elapsed();
        world.signal(Signal::SIGCONT)?;
        held.with_context(|| format!("stopped; its logs:\n{}", gateway.log()))?;
        assert!(waited < program.patience() + SLACK, "{waited:?}");
        passes()?;
        api.take();
    }
    world.kill9()?;
    for _ in 0..2 {
        refuses().with_context(|| format!("killed; its logs:\n{}", gateway.log()))?;
    }
    world.restart()?;
    passes()
}
