//! A real nginx: with the configuration that we ship, in front of `ntd` and in front of a backend that knows
//! nothing and says 200, and with whatever else a comparison needs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_testkit::world::free_port;
use nt_testkit::{Connection, process};

const SHIPPED: &str = include_str!("../../../../../deploy/nginx/ntd.conf");

/// A running nginx; dropping it ends it.
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// One that says 200 to everything.
    pub(crate) fn static_200(dir: &Path) -> Result<Self> {
        Self::start(dir, |_, at| {
            Ok(format!("server {{ listen {at}; location / {{ return 200; }} }}"))
        })
    }

    /// One by the file that we ship, with these in the place of the three addresses.
    pub(crate) fn shipped(dir: &Path, ntd: SocketAddr, api: SocketAddr) -> Result<Self> {
        let addresses = ["127.0.0.1:8480;", "127.0.0.1:9000;", "127.0.0.1:8080;"];
        for shipped in addresses {
            ensure!(SHIPPED.matches(shipped).count() == 1, "the shipped file has no {shipped}");
        }
        Self::start(dir, |_, at| {
            let own = [ntd, api, at].map(|address| format!("{address};"));
            let pairs = addresses.iter().zip(&own);
            Ok(pairs.fold(SHIPPED.to_owned(), |file, (shipped, own)| file.replace(shipped, own)))
        })
    }

    /// One with what these settings say of its folder and its address, in a folder of its own in this one.
    pub(crate) fn start(
        within: &Path,
        settings: impl FnOnce(&Path, SocketAddr) -> Result<String>,
    ) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let dir = within.join(format!("nginx-{}", address.port()));
        fs::create_dir(&dir)?;
        fs::write(dir.join("nginx.conf"), around(&dir, &settings(&dir, address)?))?;
        // Workers of a master that was started by root are somebody else, who must get in.
        for way in [within, &dir] {
            fs::set_permissions(way, fs::Permissions::from_mode(0o755))?;
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

/// As many workers as cores, connections that are kept, no log.
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

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM reaches the worker through the master; a kill would leave it behind.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ended = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        drop(process::wait(&mut self.child, Duration::from_secs(10)));
    }
}
