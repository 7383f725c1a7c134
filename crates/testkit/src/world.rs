//! A real `ntd serve` (with `--dev` where nothing else is said) in a temporary folder, and what can be done to it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::binaries::{Binaries, binaries};
use crate::cli::Cli;
use crate::http::{self, Request};
use crate::operator::Operator;
use crate::{process, settings};

/// How long `ntd` may take to be ready, and to stop.
const DEADLINE: Duration = Duration::from_secs(20);

/// How a world differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where `ntd` keeps its data, instead of a folder of the world's own.
    pub data_dir: Option<PathBuf>,
    /// A command that runs `ntd` (its last argument is followed by the program's path).
    pub wrapper: Vec<OsString>,
    /// Environment of `ntd` beyond `PATH`.
    pub env: Vec<(String, String)>,
    /// Its settings file, in TOML. One with an identity provider takes the place of `--dev`.
    pub settings: Option<String>,
    /// More of its arguments.
    pub args: Vec<String>,
    /// Where it listens, instead of a free port on loopback.
    pub listen: Option<SocketAddr>,
    /// How one signs in, where the settings name no identity provider.
    pub sign_in: SignIn,
}

/// How one signs in at an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignIn {
    /// As one likes: `--dev`.
    #[default]
    Development,
    /// Not here: sessions were won before, or at another.
    Elsewhere,
}

/// An authority on loopback with a folder of its own. Dropping it kills the process; a panicking
/// test also prints the authority's log.
#[derive(Debug)]
pub struct World {
    dir: TempDir,
    binaries: &'static Binaries,
    address: SocketAddr,
    options: Options,
    child: Option<Child>,
    starts: u32,
}

impl World {
    /// Starts an authority with an empty data folder.
    pub fn start() -> Result<Self> {
        Self::with(Options::default())
    }

    /// Starts an authority that differs from the usual one.
    pub fn with(options: Options) -> Result<Self> {
        let mut world = Self::prepare(options)?;
        world.restart()?;
        Ok(world)
    }

    /// The folder and the port, but no process yet.
    pub fn prepare(options: Options) -> Result<Self> {
        let binaries = binaries()?;
        let dir = tempfile::Builder::new().prefix("nt-world-").tempdir()?;
        let bin = dir.path().join("bin");
        fs::create_dir(&bin)?;
        std::os::unix::fs::symlink(&binaries.ntcli, bin.join("ntcli"))?;
        let free = || Ok::<_, anyhow::Error>((Ipv4Addr::LOCALHOST, free_port()?).into());
        let address = options.listen.map_or_else(free, Ok)?;
        Ok(Self { dir, binaries, address, options, child: None, starts: 0 })
    }

    /// Starts `ntd` on the same port and data folder (killing the one that runs, if one does) and
    /// waits until it is ready.
    pub fn restart(&mut self) -> Result<()> {
        self.launch()?;
        self.until_ready()
    }

    /// Starts `ntd` as [`Self::restart`] does, and waits for nothing.
    pub fn launch(&mut self) -> Result<()> {
        self.kill9()?;
        self.starts += 1;
        self.child = Some(self.spawn_ntd(&format!("ntd-{}", self.starts), self.address)?);
        Ok(())
    }

    /// Waits until the authority is ready.
    pub fn until_ready(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("ntd does not run")?;
        let address = self.address;
        process::until(DEADLINE, || {
            if let Some(status) = child.try_wait()? {
                bail!("ntd ended with {status} before it was ready");
            }
            let ready = http::once(address, &Request::get("/readyz"));
            Ok(ready.is_ok_and(|answer| answer.status == 200).then_some(()))
        })
        .with_context(|| format!("ntd is not ready; its log:\n{}", self.log()))
    }

    /// `ntd serve` with this world's options on this address, its output in files of this name, as
    /// a child that nobody waits for yet.
    pub fn spawn_ntd(&self, name: &str, address: SocketAddr) -> Result<Child> {
        let mut wrapper = self.options.wrapper.iter();
        let mut command = match wrapper.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(wrapper).arg(&self.binaries.ntd);
                command
            }
            None => Command::new(&self.binaries.ntd),
        };
        command.args(["serve", "--listen", &address.to_string(), "--data-dir"]);
        command.arg(self.data_dir()).current_dir(self.dir.path());
        let settings = self.options.settings.as_deref().unwrap_or_default();
        let provided = settings.lines().any(|line| matches!(line, "[oidc]" | "[clerk]"));
        if !provided && self.options.sign_in == SignIn::Development {
            command.arg("--dev");
        }
        command.args(&self.options.args);
        if self.options.settings.is_some() {
            let file = self.dir.path().join(format!("{name}.toml"));
            fs::write(&file, settings)?;
            command.arg("--config").arg(file);
        }
        command.env_clear().env("PATH", settings::path());
        command.envs(self.options.env.iter().map(|(name, value)| (name, value)));
        let file = |kind: &str| File::create(self.dir.path().join(format!("{name}.{kind}")));
        command.stdin(Stdio::null()).stdout(file("stdout")?).stderr(file("stderr")?);
        command.spawn().with_context(|| format!("cannot run {command:?}"))
    }

    /// Where the authority listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The authority's URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The world's folder, for files of a test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The programs that run here.
    pub fn binaries(&self) -> &'static Binaries {
        self.binaries
    }

    /// How it differs from the usual one.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Where `ntd` keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.options.data_dir.clone().unwrap_or_else(|| self.dir.path().join("data"))
    }

    /// The process of the authority that runs.
    pub fn pid(&self) -> Result<Pid> {
        let child = self.child.as_ref().context("ntd does not run")?;
        Ok(Pid::from_raw(i32::try_from(child.id())?))
    }

    /// Everything that `ntd` wrote, in all its lives.
    pub fn log(&self) -> String {
        let names =
            (1..=self.starts).flat_map(|n| [format!("ntd-{n}.stdout"), format!("ntd-{n}.stderr")]);
        names.filter_map(|name| fs::read_to_string(self.dir.path().join(name)).ok()).collect()
    }

    /// Kills the authority as a power cut would, and waits until it is gone.
    pub fn kill9(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks the authority to stop and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.wait()
    }

    /// Sends the authority a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid()?, signal).context("cannot send a signal")
    }

    /// Waits until the authority, which was told to stop, has ended.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("ntd runs")?;
        process::wait(&mut child, DEADLINE).context("ntd does not stop")
    }

    /// Stops the authority in order and starts it again on the same data.
    pub fn stop_and_start(&mut self) -> Result<()> {
        let status = self.stop()?;
        ensure!(status.success(), "ntd stopped with {status}:\n{}", self.log());
        self.restart()
    }

    /// Lets the process and its folder be, for a person to go on with.
    pub fn leave_running(mut self) {
        self.child = None;
        self.dir.disable_cleanup(true);
    }

    /// Stops the authority in order and starts it again on the same data with these settings.
    pub fn restart_with(&mut self, settings: String) -> Result<()> {
        self.options.settings = Some(settings);
        self.stop_and_start()
    }

    /// An `ntcli` with a home of its own, signed out.
    pub fn ntcli(&self, name: &str) -> Result<Cli> {
        Cli::new(
            &self.dir.path().join("bin"),
            &self.dir.path().join("home").join(name),
            &self.url(),
        )
    }

    /// An `ntcli` with a home of its own, signed in.
    pub fn signed_in(&self, email: &str) -> Result<Cli> {
        let cli = self.ntcli(email)?;
        cli.sign_in(email)?;
        Ok(cli)
    }

    /// An operator's session, won through the development provider without `ntcli`.
    pub fn operator(&self, email: &str) -> Result<Operator> {
        Operator::sign_in(self.address, email)
    }

    /// Asks whether a token is good.
    pub fn check(&self, token: &str) -> Result<http::Response> {
        http::once(self.address, &Request::get("/v1/token_auth").bearer(token))
    }

    /// Sends one request.
    pub fn send(&self, request: &Request) -> Result<http::Response> {
        http::once(self.address, request)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- what ntd wrote ---\n{}--- end ---", self.log());
        }
        if let Err(error) = self.kill9() {
            eprintln!("ntd could not be killed: {error:#}");
        }
    }
}

/// A loopback port that nobody listens on. It is below the range that the system picks outgoing
/// ports from, so that nobody takes it while an authority that must come back to it is down.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(COUNT))?;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = (u32::from(own) * 61 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
