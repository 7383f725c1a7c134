//! The programs of these stories.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context as _, Result};
use nt_testkit::http::once;
use nt_testkit::world::free_port;
use nt_testkit::{Request, World, install, process};

use super::SOON;

/// A script of ours on Node. It ends when dropped.
pub(super) struct Node {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Node {
    /// Any script.
    pub(super) fn run(name: &str, arguments: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/mcp");
        let directory = install::npm(&sources)?;
        let mut command = Command::new("node");
        command.arg(name).args(arguments).current_dir(&directory).envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("node is needed for this test")?;
        let output = BufReader::new(child.stdout.take().context("piped")?);
        let input = child.stdin.take().context("piped")?;
        let (line, lines) = channel();
        std::thread::spawn(move || {
            for each in output.lines().map_while(Result::ok) {
                if line.send(each).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, lines })
    }

    /// The next line that it prints.
    pub(super) fn line(&self) -> Result<String> {
        self.lines.recv_timeout(SOON).context("it prints a line")
    }

    /// Lets it go on.
    pub(super) fn go_on(&mut self) -> Result<()> {
        Ok(writeln!(self.input)?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// One that listens.
pub(super) struct Server {
    pub(super) node: Node,
    pub(super) port: u16,
}

impl Server {
    pub(super) fn start(name: &str, env: &[(&str, &str)]) -> Result<Self> {
        let node = Node::run(name, &[], env)?;
        let port = node.line()?.parse()?;
        Ok(Self { node, port })
    }
}

/// `ntd edge --upstream`. It ends when dropped.
pub(super) struct Proxy {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Proxy {
    /// One that is ready, in front of this port.
    pub(super) fn start(world: &World, port: u16, more: &[&str]) -> Result<Self> {
        let on = || Ok::<_, anyhow::Error>(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)));
        Self::start_on(world, on()?, port, more)
    }

    pub(super) fn start_on(
        world: &World,
        address: SocketAddr,
        port: u16,
        more: &[&str],
    ) -> Result<Self> {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut command = Command::new(&world.binaries().ntd);
        command.args(["edge", "--authority", &world.url(), "--listen", &address.to_string()]);
        command.args(["--upstream", &format!("http://127.0.0.1:{port}")]);
        command.args(["--admin-listen", &admin.to_string()]).args(more);
        command.env_clear().current_dir(world.dir()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(world.dir().join("proxy.stderr"))?);
        let proxy = Self { child: command.spawn().context("ntd runs")?, address };
        let ready = Request::get("/readyz");
        process::until(SOON, || {
            Ok(once(admin, &ready).is_ok_and(|answer| answer.status == 200).then_some(()))
        })
        .with_context(|| {
            fs::read_to_string(world.dir().join("proxy.stderr")).unwrap_or_default()
        })?;
        Ok(proxy)
    }

    /// The most memory that it has had so far.
    pub(super) fn peak_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.context("a line")?.trim().trim_end_matches(" kB");
        kib.parse().context("a number")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
