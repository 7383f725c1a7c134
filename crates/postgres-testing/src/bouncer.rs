//! PgBouncer in front of a cluster, in the mode that shows most: a session is shared by transaction.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Child;

use anyhow::{Context as _, Result, bail};

use crate::cluster::{Cluster, free_port};
use crate::folder::Folder;
use crate::programs;
use crate::server::until;
use crate::session::Session;

/// A PgBouncer that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Bouncer {
    address: SocketAddr,
    child: Child,
    _folder: Folder,
}

impl Bouncer {
    /// Starts one and waits until it lets somebody through.
    pub fn start(cluster: &Cluster) -> Result<Self> {
        let folder = Folder::make()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let (settings, users) = (folder.path().join("ini"), folder.path().join("users"));
        fs::write(&users, "\"postgres\" \"\"\n")?;
        let (to, users) = (cluster.address(), users.display());
        let (ip, port) = (address.ip(), address.port());
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = {ip}\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = transaction\n\
             max_client_conn = 500\ndefault_pool_size = 20\n",
            to.ip(),
            to.port(),
        );
        fs::write(&settings, text)?;
        let mut command = programs::command("pgbouncer")?;
        command.arg(&settings).current_dir(folder.path());
        let log = folder.path().join("log");
        command.stderr(File::create(&log)?);
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut bouncer = Self { address, child, _folder: folder };
        let log = || fs::read_to_string(&log).unwrap_or_default();
        let started = until(|| {
            if let Some(status) = bouncer.child.try_wait()? {
                bail!("pgbouncer ended with {status}");
            }
            Ok(Session::open(address, "postgres").is_ok().then_some(()))
        });
        started.with_context(|| format!("PgBouncer does not start:\n{}", log()))?;
        Ok(bouncer)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a database, through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address)
    }

    /// A cluster's URL, led through it.
    pub fn through(&self, url: &str) -> Result<String> {
        let (_, database) = url.rsplit_once('/').context("a URL names its database")?;
        Ok(self.url(database))
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
