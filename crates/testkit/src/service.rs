//! Processes that check tokens themselves: `ntd edge`, and services that embed the library.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::hammer::Target;
use crate::http::{Request, Response, once};
use crate::operator::Issued;
use crate::process;
use crate::world::{World, free_port};

/// How long a process may take until it answers.
const SOON: Duration = Duration::from_secs(20);

/// One process, in all its lives. Dropping it kills the process.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    /// Where it is asked about a token.
    target: &'static str,
    command: Command,
    child: Option<Child>,
}

impl Service {
    /// An `ntd edge`, told that the authority is there.
    pub fn edge(world: &World, name: &str, authority: SocketAddr) -> Result<Self> {
        let mut command = Command::new(&world.binaries().ntd);
        command.arg("edge");
        Self::start(world.dir(), name, &[authority], command, "/v1/token_auth")
    }

    /// Any program that takes the options of an edge, told that these are nodes of the authority, its
    /// output in this folder; `target` is where it is asked about a token.
    pub fn start(
        dir: &Path,
        name: &str,
        authorities: &[SocketAddr],
        mut command: Command,
        target: &'static str,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        for authority in authorities {
            command.args(["--authority", &format!("http://{authority}")]);
        }
        command.args(["--name", name, "--listen", &address.to_string()]);
        command.env_clear().current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(dir.join(format!("{name}.stderr")))?);
        let mut service = Self { address, target, command, child: None };
        service.restart()?;
        Ok(service)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it (again), without waiting for anything.
    pub fn restart(&mut self) -> Result<()> {
        self.kill9()?;
        self.child = Some(self.command.spawn().with_context(|| format!("{:?}", self.command))?);
        Ok(())
    }

    /// Kills it as a power cut would.
    pub fn kill9(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Waits until an edge can give verdicts: before its first lease it knows nothing.
    pub fn until_ready(&self) -> Result<()> {
        let looked = process::until(SOON, || {
            let ready = once(self.address, &Request::get("/readyz"));
            Ok(ready.is_ok_and(|answer| answer.status == 200).then_some(()))
        });
        looked.with_context(|| format!("{} is ready", self.address))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it runs")?;
        kill(Pid::from_raw(i32::try_from(child.id())?), signal).context("cannot send a signal")
    }

    /// The request that asks it about a token.
    pub fn question(&self, token: &str) -> Request {
        Request::get(self.target).bearer(token)
    }

    /// Its address, and the questions about all these tokens.
    pub fn asked_about(&self, tokens: &[Issued]) -> Target {
        let questions = tokens.iter().map(|made| self.question(&made.token).render()).collect();
        Target { address: self.address, questions }
    }

    /// Asks it about a token.
    pub fn check(&self, token: &str) -> Result<Response> {
        once(self.address, &self.question(token))
    }

    /// Waits until it answers so about a token.
    pub fn until(&self, token: &str, status: u16) -> Result<()> {
        let looked = process::until(SOON, || {
            Ok(self.check(token).is_ok_and(|answer| answer.status == status).then_some(()))
        });
        looked.with_context(|| format!("{} says {status}", self.address))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ended = self.kill9();
    }
}
