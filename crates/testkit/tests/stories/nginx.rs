//! A real nginx in front of an API, with the configuration that we ship.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_testkit::gate::{Api, Guard};
use nt_testkit::world::free_port;
use nt_testkit::{Connection, Request, World, http, process};
use serde_json::json;

use crate::{OWNER, story};

const SHIPPED: &str = include_str!("../../../../deploy/nginx/ntd.conf");

/// A running nginx; dropping it stops it.
struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Starts nginx with the shipped configuration, whose three addresses are replaced.
    fn start(world: &World, api: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let dir = world.dir().join("nginx");
        fs::create_dir(&dir)?;
        let mut ours = SHIPPED.to_owned();
        let addresses = [
            ("server 127.0.0.1:8480;", format!("server {};", world.address())),
            ("server 127.0.0.1:9000;", format!("server {api};")),
            ("listen 127.0.0.1:8080;", format!("listen {address};")),
        ];
        for (shipped, own) in addresses {
            assert_eq!(ours.matches(shipped).count(), 1, "{shipped}");
            ours = ours.replace(shipped, &own);
        }
        fs::write(dir.join("ntd.conf"), ours)?;
        fs::write(dir.join("nginx.conf"), around(&dir))?;
        let log = File::create(dir.join("stderr"))?;
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let program = program.into_iter().find(|file| Path::new(file).is_file());
        let mut command = Command::new(program.context("nginx is not installed")?);
        command.arg("-p").arg(&dir).arg("-e").arg(dir.join("error.log"));
        command.arg("-c").arg(dir.join("nginx.conf")).args(["-g", "daemon off;"]);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut nginx = Self { child: command.spawn()?, address };
        process::until(Duration::from_secs(10), || {
            if let Some(status) = nginx.child.try_wait()? {
                let said = fs::read_to_string(dir.join("stderr"))?;
                bail!("nginx ended with {status}:\n{said}");
            }
            Ok(Connection::open(address).is_ok().then_some(()))
        })?;
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM reaches the workers through the master; a kill would leave them behind.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        let _ = kill(pid, Signal::SIGTERM);
        let _ = process::wait(&mut self.child, Duration::from_secs(10));
    }
}

/// What a distribution's nginx.conf has around the file that we ship.
fn around(dir: &Path) -> String {
    let dir = dir.display();
    let temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temps: String = temps.map(|kind| format!("    {kind}_temp_path {dir}/{kind};\n")).concat();
    format!(
        "pid {dir}/pid;\nworker_processes 2;\nevents {{ worker_connections 256; }}\n\
         http {{\n    access_log {dir}/access.log;\n{temps}    include {dir}/ntd.conf;\n}}\n"
    )
}

#[test]
fn nginx_lets_good_tokens_in_and_a_revoked_one_not_in_the_very_next_request() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let api = Api::start(Guard::InFront)?;
        let nginx = Nginx::start(world, api.address())?;
        let mut client = Connection::open(nginx.address)?;
        for _ in 0..20 {
            let issued = operator.create_token(&first.workspace, &json!({}))?;
            let request = Request::get("/tools").bearer(&issued.token).render();
            for _ in 0..3 {
                assert_eq!(client.exchange(&request)?.status, 200);
            }
            operator.revoke(&first.workspace, &issued.jti)?;
            let refused = client.exchange(&request)?;
            assert_eq!(refused.status, 401, "the very next request");
            let challenge = refused.header("www-authenticate").unwrap_or_default();
            assert!(
                challenge.starts_with("Bearer") && challenge.contains("invalid_token"),
                "{challenge}"
            );
        }
        for request in [Request::get("/tools"), Request::get("/tools").bearer("wst_nonsense")] {
            let answer = http::once(nginx.address, &request)?;
            assert_eq!(answer.status, 401);
            assert!(
                answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer"))
            );
        }
        Ok(())
    });
}

#[test]
fn the_api_learns_who_it_is_from_ntd_and_never_from_the_client() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let other = operator.create_workspace("other")?;
        let api = Api::start(Guard::InFront)?;
        let nginx = Nginx::start(world, api.address())?;
        let forged = |request: Request| {
            request
                .header("X-Auth-Workspace", &other.workspace)
                .header("x-auth-workspace", &other.workspace)
                .header("X_Auth_Workspace", &other.workspace)
                .header("X-Auth-Jti", "jti_forged")
                .header("X-Auth-Scope", "everything")
                .header("X-Auth-Expires", "1")
                .header("X-Forwarded-Uri", &format!("/{}/x", other.workspace))
        };
        let answer =
            http::once(nginx.address, &forged(Request::get("/tools").bearer(&first.token)))?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = answer.json()["headers"].clone();
        assert_eq!(seen["x-auth-workspace"], *first.workspace);
        assert_eq!(seen["x-auth-jti"], *first.jti);
        let identity = seen.as_object().expect("headers").iter();
        let mut identity = identity.filter(|(name, _)| name.contains("auth"));
        assert!(identity.all(|(_, value)| *value != *other.workspace), "{}", answer.text());
        assert!(!answer.text().contains("jti_forged"), "{}", answer.text());
        assert_eq!(seen["authorization"], json!(null), "the API does not get the token");

        // A path that names another workspace is not for this token, whatever headers say.
        let theirs =
            forged(Request::get(&format!("/{}/tools", other.workspace)).bearer(&first.token));
        assert_eq!(http::once(nginx.address, &theirs)?.status, 403);
        let own = Request::get(&format!("/{}/tools", first.workspace)).bearer(&first.token);
        assert_eq!(http::once(nginx.address, &own)?.status, 200);
        // A body goes to the API, not to ntd.
        let post = Request::new("POST", "/tools").bearer(&first.token).json(&json!({ "x": 1 }));
        assert_eq!(http::once(nginx.address, &post)?.status, 200);
        Ok(())
    });
}

#[test]
fn when_ntd_is_away_nothing_passes_and_nothing_was_remembered() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let api = Api::start(Guard::InFront)?;
        let nginx = Nginx::start(world, api.address())?;
        let request = Request::get("/tools").bearer(&first.token);
        assert_eq!(http::once(nginx.address, &request)?.status, 200);
        world.kill9()?;
        for _ in 0..3 {
            let answer = http::once(nginx.address, &request)?;
            assert_eq!(answer.status, 503);
            assert!(answer.header("retry-after").is_some());
        }
        world.restart()?;
        process::until(Duration::from_secs(20), || {
            let answer = http::once(nginx.address, &request)?;
            Ok((answer.status == 200).then_some(()))
        })
    });
}
