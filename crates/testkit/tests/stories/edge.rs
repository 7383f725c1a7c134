//! The real `ntd edge` beside the real `ntd serve`: whoever asks the edge is told what the authority
//! would tell, and what nobody can know is never said.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_testkit::http::{Response, once};
use nt_testkit::world::{Options, free_port};
use nt_testkit::{Request, World, process};
use nt_token::clock::Stopwatch;

use crate::{OWNER, owner_with_workspace, report, story, text_of};

const SOON: Duration = Duration::from_secs(10);
const OTHER: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";
/// How long a verifier may say "good" without its authority.
const LEASE: Duration = Duration::from_secs(2);
/// For the machine that runs the test.
const SLACK: Duration = Duration::from_millis(200);

pub(crate) struct Edge {
    child: Child,
    address: SocketAddr,
}

impl Edge {
    /// One that listens on a port of its own, whether or not the authority is there.
    fn spawn(world: &World, more: &[&str]) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let child = spawn(world, &address.to_string(), more)?;
        let edge = Self { child, address };
        process::until(SOON, || Ok(edge.get("/livez").ok()))?;
        Ok(edge)
    }

    /// The same, when it can answer.
    pub(crate) fn start(world: &World, more: &[&str]) -> Result<Self> {
        let edge = Self::spawn(world, more)?;
        edge.until(200, "/readyz")?;
        Ok(edge)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn get(&self, target: &str) -> Result<Response> {
        once(self.address, &Request::get(target))
    }

    pub(crate) fn check(&self, token: &str) -> Result<Response> {
        once(self.address, &Request::get("/v1/token_auth").bearer(token))
    }

    fn until(&self, status: u16, target: &str) -> Result<()> {
        process::until(SOON, || Ok((self.get(target)?.status == status).then_some(())))
    }

    /// Checks until the answer has this status; all the statuses, and how long it took.
    fn checks_until(&self, token: &str, status: u16) -> Result<(Vec<u16>, Duration)> {
        let (watch, mut seen) = (Stopwatch::start(), Vec::new());
        process::until(SOON, || {
            seen.push(self.check(token)?.status);
            Ok((seen.last() == Some(&status)).then_some(()))
        })
        .with_context(|| format!("{seen:?}"))?;
        Ok((seen, watch.elapsed()))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, signal).context("cannot send a signal")
    }

    fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        process::wait(&mut self.child, SOON)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

pub(crate) fn spawn(world: &World, listen: &str, more: &[&str]) -> Result<Child> {
    let mut command = Command::new(&world.binaries().ntd);
    command.args(["edge", "--authority", &world.url(), "--listen", listen]).args(more);
    command.env_clear().current_dir(world.dir()).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(File::create(world.dir().join("edge.stderr"))?);
    command.spawn().context("ntd runs")
}

fn log(world: &World) -> Result<String> {
    Ok(fs::read_to_string(world.dir().join("edge.stderr"))?)
}

#[test]
fn an_edge_says_what_the_authority_would_and_a_revoke_is_in_force_there_when_it_is_answered() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let edge = Edge::start(world, &[])?;
        for _ in 0..5 {
            let made = cli.json(&["token", "create"])?;
            let (jti, token) = (text_of(&made, "jti"), text_of(&made, "token"));
            let (here, there) = (edge.check(token)?, world.check(token)?);
            assert_eq!((here.status, &here.body), (200, &there.body));
            let named = ["x-auth-workspace", "x-auth-jti", "x-auth-scope", "x-auth-expires"];
            for name in named.into_iter().chain(["content-type", "cache-control"]) {
                assert!(here.header(name).is_some(), "{name}");
                assert_eq!(here.header(name), there.header(name), "{name}");
            }
            assert_eq!(here.header("x-auth-jti"), Some(jti));
            let bound = |workspace: &str| {
                let uri = format!("/api/{workspace}/things");
                let request = Request::get("/v1/token_auth").header("x-original-uri", &uri);
                once(edge.address, &request.bearer(token))
            };
            assert_eq!(bound(OTHER)?.status, 403);
            assert_eq!(bound(here.header("x-auth-workspace").unwrap_or_default())?.status, 200);
            cli.ok(&["token", "revoke", jti, "--force"])?;
            let (here, there) = (edge.check(token)?, world.check(token)?);
            assert_eq!((here.status, there.status), (401, 401));
            assert_eq!(here.header("www-authenticate"), there.header("www-authenticate"));
            assert_eq!(here.error_code(), there.error_code());
        }
        Ok(())
    });
}

#[test]
fn without_its_authority_it_says_503_after_a_lease_at_most_and_comes_back_by_itself() {
    story(|world| {
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        let edge = Edge::start(world, &[])?;
        assert_eq!(edge.check(&token)?.status, 200);
        world.kill9()?;
        let (seen, ended) = edge.checks_until(&token, 503)?;
        assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
        assert!(ended <= LEASE + SLACK, "{ended:?}");
        let refused = edge.check(&token)?;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        edge.until(503, "/readyz")?;
        world.restart()?;
        let (seen, back) = edge.checks_until(&token, 200)?;
        assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
        assert!(back <= Duration::from_millis(300) + SLACK, "{back:?}");
        let log = log(world)?;
        assert!(log.lines().count() < 12, "each reason is told once, not at each attempt:\n{log}");
        report(&format!("an edge: 503 {ended:?} after the authority's end, back {back:?} after it"))
    });
}

#[test]
fn an_edge_may_start_before_its_authority() {
    story(|world| {
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        world.kill9()?;
        let edge = Edge::spawn(world, &[])?;
        assert_eq!(edge.check(&token)?.status, 503);
        assert_eq!((edge.get("/readyz")?.status, edge.get("/livez")?.status), (503, 204));
        world.restart()?;
        let (seen, _) = edge.checks_until(&token, 200)?;
        assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
        Ok(())
    });
}

#[test]
fn a_stopped_edge_delays_no_revoke() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let made = owner.create_workspace("main")?;
        let edge = Edge::start(world, &[])?;
        assert!(edge.stop()?.success(), "{}", log(world)?);
        let watch = Stopwatch::start();
        owner.revoke(&made.workspace, &made.jti)?;
        assert!(watch.elapsed() < LEASE / 2, "a lease was waited for: {:?}", watch.elapsed());
        Ok(())
    });
}

#[test]
fn a_registered_edge_shows_its_credential_from_a_file_and_nowhere_else() {
    let settings = "[oidc]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"ntcli\"\n".to_owned();
    let told = (|| -> Result<()> {
        let mut world = World::start()?;
        let admin = world.signed_in(OWNER)?;
        let credential = admin.ok(&["verifiers", "add", "gateway-1"])?;
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        let file = world.dir().join("edge.credential");
        fs::write(&file, &credential)?;
        // No longer with --dev: whoever shows nothing may not follow.
        let data_dir = Some(world.data_dir());
        world.stop()?;
        let issuer = format!("issuer = \"{}\"\n{settings}", world.url());
        let strict =
            World::with(Options { data_dir, settings: Some(issuer), ..Options::default() })?;
        let stranger = Edge::spawn(&strict, &[])?;
        process::until(SOON, || {
            Ok(log(&strict)?.contains("the credential is not known to the authority").then_some(()))
        })?;
        assert_eq!(stranger.check(&token)?.status, 503);
        drop(stranger);
        let path = file.to_str().context("UTF-8")?;
        let edge = Edge::start(&strict, &["--credential-file", path, "--log", "trace"])?;
        assert_eq!(edge.check(&token)?.status, 200);
        let log = log(&strict)?;
        assert!(log.contains("edge.credential can be read by others"), "{log}");
        assert!(!log.contains(credential.trim_end()), "the credential is in the log");
        assert!(!log.contains(&token), "the token is in the log");
        Ok(())
    })();
    told.expect("the story holds");
}

#[test]
fn an_edge_answers_on_a_unix_socket() {
    story(|world| {
        let token = world.operator(OWNER)?.create_workspace("main")?.token;
        let path = world.dir().join("edge.sock");
        let listen = format!("unix:{}", path.display());
        let child = spawn(world, &listen, &["--name", "by socket"])?;
        let _edge = Edge { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)) };
        let request = Request::get("/v1/token_auth").header("connection", "close").bearer(&token);
        let answer = process::until(SOON, || {
            let Ok(mut stream) = UnixStream::connect(&path) else { return Ok(None) };
            stream.write_all(&request.render())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.starts_with("HTTP/1.1 200 ").then_some(answer))
        })?;
        assert!(answer.contains("x-auth-workspace: "), "{answer}");
        Ok(())
    });
}
