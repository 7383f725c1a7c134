//! nginx, as server and as proxy: as many workers as cores, connections that are kept, no log.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_testkit::world::free_port;
use nt_testkit::{Connection, World, process};

use super::LENGTH;

/// A running nginx; dropping it stops it.
pub(super) struct Nginx {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Nginx {
    /// One with what these settings say of its folder and its address.
    pub(super) fn start(
        world: &World,
        name: &str,
        settings: impl FnOnce(&Path, SocketAddr) -> String,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let dir = world.dir().join(format!("nginx-{name}"));
        fs::create_dir(&dir)?;
        fs::write(dir.join("small"), [b'x'; 128])?;
        fs::write(dir.join("large"), vec![b'x'; LENGTH])?;
        fs::write(dir.join("nginx.conf"), around(&dir, &settings(&dir, address)))?;
        // Workers of a master that was started by root are somebody else, who must get in.
        for way in [world.dir(), &dir] {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(way, open)?;
        }
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let program = program.into_iter().find(|file| Path::new(file).is_file());
        let mut command = Command::new(program.context("nginx is not installed")?);
        command.arg("-p").arg(&dir).arg("-e").arg(dir.join("error.log"));
        command.arg("-c").arg(dir.join("nginx.conf")).args(["-g", "daemon off;"]);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        let nginx = Self { child: command.spawn()?, address };
        process::until(Duration::from_secs(10), || {
            Ok(Connection::open(address).is_ok().then_some(()))
        })?;
        Ok(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM reaches the workers through the master; a kill would leave them behind.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        let _told = kill(pid, Signal::SIGTERM);
        let _ended = process::wait(&mut self.child, Duration::from_secs(10));
    }
}

fn around(dir: &Path, http: &str) -> String {
    let dir = dir.display();
    let temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temps: String = temps.map(|kind| format!("    {kind}_temp_path {dir}/{kind};\n")).concat();
    format!(
        "pid {dir}/pid;\nworker_processes auto;\nevents {{ worker_connections 1024; }}\nhttp {{\n\
         {temps}    access_log off;\n    sendfile on;\n    tcp_nopush on;\n\
             keepalive_requests 10000000;\n{http}}}\n"
    )
}

/// The server behind.
pub(super) fn files(dir: &Path, listen: SocketAddr) -> String {
    let dir = dir.display();
    format!("server {{ listen {listen}; root {dir}; open_file_cache max=8; }}\n")
}

fn upstreams(named: &[(&str, SocketAddr)]) -> String {
    let one = |(name, at): &(&str, SocketAddr)| {
        format!("upstream {name} {{ server {at}; keepalive 64; keepalive_requests 10000000; }}\n")
    };
    named.iter().map(one).collect()
}

const KEPT: &str = "proxy_http_version 1.1; proxy_set_header Connection \"\";";

/// A proxy that asks nobody.
pub(super) fn plain(_: &Path, listen: SocketAddr, files: SocketAddr) -> String {
    format!(
        "{}server {{ listen {listen}; location / {{ proxy_pass http://files; {KEPT}\n\
         proxy_set_header Host $host; proxy_set_header Authorization \"\"; }} }}\n",
        upstreams(&[("files", files)])
    )
}

/// A proxy that asks about each request, as `deploy/nginx` does.
pub(super) fn auth_request(
    _: &Path,
    listen: SocketAddr,
    files: SocketAddr,
    ntd: SocketAddr,
) -> String {
    let names = ["workspace", "jti", "scope", "expires"];
    let taken: String = names
        .map(|name| {
            format!(
                "auth_request_set $ntd_{name} $upstream_http_x_auth_{name};\n\
                 proxy_set_header X-Auth-{name} $ntd_{name};\n"
            )
        })
        .concat();
    format!(
        "{}server {{ listen {listen};\n\
         location = /_ntd {{ internal; proxy_pass http://ntd/v1/token_auth; {KEPT}\n\
         proxy_pass_request_body off; proxy_set_header Content-Length \"\";\n\
         proxy_set_header X-Original-URI $request_uri; }}\n\
         location / {{ auth_request /_ntd;\n{taken}\
         proxy_pass http://files; {KEPT} proxy_set_header Host $host;\n\
         proxy_set_header Authorization \"\"; }} }}\n",
        upstreams(&[("files", files), ("ntd", ntd)])
    )
}
