//! What we give to those who verify in their own service, in front of which nothing of ours stands:
//! the files under `deploy/snippets`, run as they are.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::keys::{by_another, keys_ok, signed_by};
use crate::{OWNER, story};
use anyhow::{Context as _, Result, bail, ensure};
use nt_testkit::operator::Issued;
use nt_testkit::world::free_port;
use nt_testkit::{Connection, Request, Response, World, http, install, process, settings};

/// How long a service may take to start on a machine that is busy.
const START: Duration = Duration::from_secs(30);
/// How long it may accept what was revoked, where it fetches lists each second.
const STALE: Duration = Duration::from_secs(10);

/// A service that verifies by itself. It ends when dropped.
struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    /// Starts the snippet, which relies on a list for so many seconds.
    fn start(mut command: Command, world: &World, name: &str, age: &str) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let log = world.dir().join(format!("{name}.stderr"));
        command.env("ISSUER", world.url()).env("AUDIENCE", world.url()).env("LIST_MAX_AGE", age);
        command.env("PORT", address.port().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut service = Self { child, address };
        process::until(START, || {
            if let Some(status) = service.child.try_wait()? {
                bail!("it ended with {status}:\n{}", std::fs::read_to_string(&log)?);
            }
            Ok(Connection::open(address).is_ok().then_some(()))
        })?;
        Ok(service)
    }

    fn ask(&self, token: Option<&str>) -> Result<Response> {
        let request = Request::get("/");
        http::once(self.address, &token.map_or(request.clone(), |token| request.bearer(token)))
    }

    fn status(&self, token: &Issued) -> Result<u16> {
        Ok(self.ask(Some(&token.token))?.status)
    }

    fn until(&self, token: &Issued, status: u16) -> Result<()> {
        process::until(STALE, || Ok((self.status(token)? == status).then_some(())))
            .with_context(|| format!("never {status}"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything that a snippet must do.
fn tell(world: &mut World, name: &str, command: &dyn Fn() -> Result<Command>) -> Result<()> {
    let operator = world.operator(OWNER)?;
    // One of each algorithm.
    let good = operator.create_workspace("main")?;
    let gone = operator.create_workspace("gone")?;
    rotate(world, "ES256")?;
    let revoked = by_another(&operator, &good.workspace, &signed_by(&good)?.0)?;
    rotate(world, "RS256")?;
    let with_workspace = by_another(&operator, &gone.workspace, &signed_by(&revoked)?.0)?;
    let service = Service::start(command()?, world, name, "1")?;
    for (token, algorithm) in [(&good, "EdDSA"), (&revoked, "ES256"), (&with_workspace, "RS256")] {
        assert_eq!(signed_by(token)?.1, algorithm);
        let answer = service.ask(Some(&token.token))?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["workspace"], token.workspace.as_str());
    }
    // The last character may have bits that count for nothing.
    let (head, last) = good.token.split_at(good.token.len() - 3);
    let tampered = format!("{head}{}", if last == "AAA" { "BBB" } else { "AAA" });
    let session = operator.session.clone();
    for other in [Some(&*tampered), Some("wst_a.b.c"), Some(&*session), None] {
        let answer = service.ask(other)?;
        assert_eq!(answer.status, 401, "{other:?}");
        let challenge = answer.header("www-authenticate").context("a challenge")?;
        assert_eq!(challenge.contains("invalid_token"), other.is_some());
    }

    operator.revoke(&good.workspace, &revoked.jti)?;
    service.until(&revoked, 401).context("revoked, and its list is fetched again")?;
    let gone = format!("/v1/workspaces/{}", with_workspace.workspace);
    operator.expect(200, "DELETE", &gone, None)?;
    service.until(&with_workspace, 401).context("its workspace is gone")?;
    assert_eq!(service.status(&good)?, 200);
    // Who starts now has no list of before.
    let patient = Service::start(command()?, world, &format!("{name}-60"), "60")?;
    assert_eq!((patient.status(&revoked)?, patient.status(&good)?), (401, 200));

    world.stop()?;
    service.until(&good, 503).context("no list can be had")?;
    assert_eq!(patient.status(&good)?, 200, "it goes on by its list, as its header says");
    Ok(())
}

/// Has a new key sign.
fn rotate(world: &mut World, algorithm: &str) -> Result<()> {
    world.stop()?;
    keys_ok(world, &["rotate", "--algorithm", algorithm, "--now"])?;
    world.restart()
}

fn snippet(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/snippets").join(language)
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn the_snippet_for_node_refuses_what_its_header_says() {
    story(|world| {
        let installed = install::npm(&snippet("node"))?;
        tell(world, "node", &|| {
            let mut node = Command::new("node");
            node.arg(installed.join("server.mjs"));
            Ok(node)
        })
    });
}

#[test]
fn the_snippet_for_python_refuses_what_its_header_says() {
    story(|world| {
        let programs = install::pip(&snippet("python"))?;
        tell(world, "python", &|| {
            let mut python = Command::new(programs.join("python"));
            python.arg(snippet("python").join("server.py"));
            Ok(python)
        })
    });
}

#[test]
fn the_snippet_for_go_refuses_what_its_header_says() {
    story(|world| {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/go");
        let programs = install::pip(&sources)?;
        let program = world.dir().join("snippet-go");
        let mut build = Command::new(programs.join("go"));
        build.args(["build", "-o"]).arg(&program).arg(".").current_dir(snippet("go"));
        // Nothing is fetched: the snippet needs no module.
        build.env_clear().env("PATH", settings::path()).env("HOME", world.dir());
        build.env("GOCACHE", target().join("nt-go-cache")).env("GOPROXY", "off");
        build.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
        let done = build.output().context("go runs")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        tell(world, "go", &|| Ok(Command::new(&program)))
    });
}
