//! Child processes with a deadline.

use std::io::Write as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nt_token::clock::Stopwatch;

use crate::cli::Output;

/// How long a command may take before we give up on it.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// How often a process or a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Runs a command to its end; what it wrote and its exit code. It is killed at the deadline.
pub fn run(command: &mut Command, input: Option<&[u8]>) -> Result<Output> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        let out = scope.spawn(move || read_all(stdout.as_mut()));
        let err = scope.spawn(move || read_all(stderr.as_mut()));
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            // A child that ends before it has read everything is no fault of the writer.
            let _ = stdin.write_all(input);
        }
        let status = wait(&mut child, DEADLINE).with_context(|| format!("{command:?}"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Output {
            stdout: text(out.join().unwrap_or_default()),
            stderr: text(err.join().unwrap_or_default()),
            code: status.code(),
        })
    })
}

/// Waits for a process to end; kills it at the deadline, which is an error.
pub fn wait(child: &mut Child, deadline: Duration) -> Result<ExitStatus> {
    let status = until(deadline, || child.try_wait().context("cannot wait for a child"));
    if status.is_err() {
        child.kill().context("cannot kill a child")?;
        child.wait().context("cannot wait for a child")?;
    }
    status.context("a process did not end in time")
}

/// Looks until there is something, or the deadline has passed, which is an error.
pub fn until<T>(deadline: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if watch.elapsed() >= deadline {
            bail!("nothing after {deadline:?}");
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn read_all(source: Option<&mut impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(source) = source {
        // What was read until the pipe broke is what there is to show.
        let _ = source.read_to_end(&mut bytes);
    }
    bytes
}
