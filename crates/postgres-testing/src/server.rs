//! One `postgres` on one data folder: its processes and what signals do to them.
//!
//! Its processes each have a session of their own, so no process group names them all; what they
//! share is the folder they run in.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::programs;
use crate::session::Session;

/// How often something is looked at, and how many times before we give up (20 s).
const LOOK_EVERY: Duration = Duration::from_millis(10);
const LOOKS: u32 = 2_000;

/// How PostgreSQL is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Sessions are ended, everything is written.
    Fast,
    /// Sessions are ended, and the next start recovers from the log.
    Immediate,
    /// Each process is killed, at once, with no word to anybody.
    Kill,
}

/// A server that runs or does not.
#[derive(Debug)]
pub(crate) struct Server {
    data: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn new(data: PathBuf, address: SocketAddr) -> Self {
        Self { data, address, child: None }
    }

    /// Starts it and waits until it lets somebody in.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = self.log_file();
        let log = File::options().create(true).append(true).open(log).context("its log")?;
        let mut command = programs::command("postgres")?;
        command.arg("-D").arg(&self.data).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let child = self.child.insert(child);
        let address = self.address;
        let started = until(|| {
            if let Some(status) = child.try_wait()? {
                bail!("postgres ended with {status}");
            }
            Ok(Session::open(address, "postgres").is_ok().then_some(()))
        });
        started.with_context(|| format!("PostgreSQL does not start:\n{}", self.log()))
    }

    /// Stops it, if it runs, and waits until no process of it is left.
    pub(crate) fn stop(&mut self, how: Stop) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let signal = match how {
            Stop::Fast => Signal::SIGINT,
            Stop::Immediate => Signal::SIGQUIT,
            Stop::Kill => Signal::SIGKILL,
        };
        // A frozen one would not hear.
        self.signal(Signal::SIGCONT)?;
        match how {
            Stop::Kill => self.signal(signal)?,
            Stop::Fast | Stop::Immediate => {
                send(Pid::from_raw(i32::try_from(child.id())?), signal)?;
            }
        }
        until(|| Ok(child.try_wait()?)).context("PostgreSQL does not stop")?;
        until(|| {
            let left = family(&self.data)?;
            if how == Stop::Kill {
                left.iter().try_for_each(|pid| send(*pid, signal))?;
            }
            Ok(left.is_empty().then_some(()))
        })
        .context("a process of PostgreSQL does not end")
    }

    /// Sends each of its processes a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        family(&self.data)?.into_iter().try_for_each(|pid| send(pid, signal))
    }

    /// Lets it read its settings again.
    pub(crate) fn reload(&self) -> Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        send(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGHUP)
    }

    /// Whether it was started and not stopped.
    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// What it wrote, in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

/// Everybody who runs in this folder.
fn family(dir: &Path) -> Result<Vec<Pid>> {
    let entries = fs::read_dir("/proc").context("cannot list processes")?.flatten();
    let processes = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let at = fs::read_link(entry.path().join("cwd")).ok()?;
        (at == dir).then_some(Pid::from_raw(pid))
    });
    Ok(processes.collect())
}

/// Sends a signal to who may have ended meanwhile.
fn send(pid: Pid, signal: Signal) -> Result<()> {
    match kill(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal} to {pid}")),
    }
}

/// Looks until there is something; an error after a while.
pub(crate) fn until<T>(mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..LOOKS {
        if let Some(found) = look()? {
            return Ok(found);
        }
        thread::sleep(LOOK_EVERY);
    }
    bail!("nothing after {:?}", LOOK_EVERY * LOOKS)
}
