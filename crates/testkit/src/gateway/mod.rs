//! Real gateways in front of an API, each with the configuration that we ship. Nothing of it is
//! changed but the addresses.
//!
//! What each of them must do is in the stories (`tests/stories/gateways.rs`).

mod files;
mod program;
mod recorder;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use program::{Asks, Program};
pub use recorder::{Answers, Recorder, Seen};

use crate::http::{self, Request};
use crate::process;
use crate::world::free_port;

/// How long a gateway may take to start, on a machine under load.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running gateway. Dropping it stops it; a panicking test also prints its logs.
#[derive(Debug)]
pub struct Gateway {
    program: Program,
    dir: PathBuf,
    address: SocketAddr,
    child: Child,
}

/// What a configuration is told: three addresses, and a secret where it has one.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// Where clients come in.
    pub clients: SocketAddr,
    /// Where the authority listens.
    pub ntd: SocketAddr,
    /// Where the API listens.
    pub api: SocketAddr,
    /// The secret by which a client of the authority's introspection is known.
    pub secret: String,
}

/// What more a gateway may be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras<'a> {
    /// The secret by which the client `gateway` is known where it asks by introspection.
    pub secret: &'a str,
    /// What is changed of its files: each of these texts, which is there once, to the other. For tests
    /// that show what a line is good for.
    pub edits: &'a [(&'a str, &'a str)],
}

impl Gateway {
    /// Starts a gateway, with its files in this new folder, between clients, an authority (which must
    /// run) and an API.
    pub fn start(program: Program, dir: &Path, ntd: SocketAddr, api: SocketAddr) -> Result<Self> {
        Self::start_with(program, dir, ntd, api, &Extras::default())
    }

    /// Starts one that is told more than two addresses.
    pub fn start_with(
        program: Program,
        dir: &Path,
        ntd: SocketAddr,
        api: SocketAddr,
        extras: &Extras<'_>,
    ) -> Result<Self> {
        let dir = dir.to_owned();
        fs::create_dir(&dir)?;
        let clients = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let addresses = Addresses { clients, ntd, api, secret: extras.secret.to_owned() };
        let files = program.files().iter();
        let mut files = files
            .map(|file| Ok((file.name, file.with(&addresses, &dir)?)))
            .collect::<Result<Vec<_>>>()?;
        for (from, to) in extras.edits {
            let times: usize = files.iter().map(|(_, text)| text.matches(from).count()).sum();
            ensure!(times == 1, "{from:?} is {times} times in the files of {program:?}");
            for (_, text) in &mut files {
                *text = text.replace(from, to);
            }
        }
        for (name, text) in files {
            fs::write(dir.join(name), text)?;
        }
        let mut command = program.command(&dir)?;
        command.env_clear().env("HOME", &dir).env("XDG_DATA_HOME", &dir).env("TMPDIR", &dir);
        command.current_dir(&dir).stdin(Stdio::null());
        command.stdout(File::create(dir.join("stdout.log"))?);
        command.stderr(File::create(dir.join("stderr.log"))?);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut gateway = Self { program, dir, address: clients, child };
        gateway.until_ready()?;
        Ok(gateway)
    }

    /// Ready is who asks the authority: it refuses a request without a token.
    fn until_ready(&mut self) -> Result<()> {
        let ready = process::until(DEADLINE, || {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            let answer = http::once(self.address, &Request::get("/"));
            Ok(answer.is_ok_and(|answer| answer.status == 401).then_some(()))
        });
        ready.with_context(|| format!("{:?} is not ready; its logs:\n{}", self.program, self.log()))
    }

    /// Where clients come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which one it is.
    pub fn program(&self) -> Program {
        self.program
    }

    /// Everything that it wrote.
    pub fn log(&self) -> String {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|file| file.path());
        let logs = files.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
        let texts = logs.map(|path| {
            let text = fs::read(&path).unwrap_or_default();
            format!("{}:\n{}\n", path.display(), String::from_utf8_lossy(&text))
        });
        texts.collect::<Vec<_>>().concat()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- what {:?} wrote ---\n{}--- end ---", self.program, self.log());
        }
        // SIGTERM reaches workers through their master; a kill would leave them behind.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        let _ = kill(pid, Signal::SIGTERM);
        let _ = process::wait(&mut self.child, Duration::from_secs(20));
    }
}
