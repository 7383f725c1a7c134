//! A throw-away PostgreSQL: made, used, mistreated, removed.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use crate::folder::Folder;
use crate::programs;
use crate::server::{Server, Stop, until};
use crate::session::{Answer, Session};

/// Whether what is committed survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    /// As PostgreSQL comes.
    Synced,
    /// Nothing waits for the disk.
    Quick,
}

/// A PostgreSQL with a folder and a port of its own, on loopback and a socket in its folder, which
/// trusts everybody. Dropping it stops and removes it; so does the end of the process.
#[derive(Debug)]
pub struct Cluster {
    server: Mutex<Server>,
    address: SocketAddr,
    writes: Writes,
    databases: AtomicU32,
    folder: Folder,
}

impl Cluster {
    /// A server that keeps what it has committed, as one in production must.
    pub fn start() -> Result<Self> {
        Self::make(Writes::Synced)
    }

    /// A server that waits for no disk (`fsync=off`): for tests that no crash belongs to.
    pub fn quick() -> Result<Self> {
        Self::make(Writes::Quick)
    }

    /// The quick one that all tests of this process share.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: LazyLock<Result<Cluster>> = LazyLock::new(Cluster::quick);
        SHARED.as_ref().map_err(|error| anyhow::anyhow!("no shared PostgreSQL: {error:#}"))
    }

    fn make(writes: Writes) -> Result<Self> {
        let cluster = Self::prepare(writes)?;
        let mut init = programs::command("initdb")?;
        init.args(["--auth=trust", "--username=postgres", "--no-sync", "--no-instructions"]);
        init.args(["--encoding=UTF8", "--locale=C", "-D"]).arg(cluster.data_dir());
        programs::run(&mut init)?;
        cluster.configure()?;
        cluster.server().start()?;
        Ok(cluster)
    }

    /// The folder and the port, but no data yet.
    pub(crate) fn prepare(writes: Writes) -> Result<Self> {
        let folder = Folder::make()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let server = Mutex::new(Server::new(folder.path().join("data"), address));
        Ok(Self { server, address, writes, databases: AtomicU32::new(0), folder })
    }

    /// Writes the settings under which the data folder is this cluster's.
    pub(crate) fn configure(&self) -> Result<()> {
        let mut settings = vec![
            ("port", self.address.port().to_string()),
            ("listen_addresses", self.address.ip().to_string()),
            ("unix_socket_directories", self.folder.path().display().to_string()),
            ("shared_buffers", "32MB".to_owned()),
            ("max_connections", "200".to_owned()),
        ];
        if self.writes == Writes::Quick {
            settings.extend([("fsync", "off".to_owned()), ("full_page_writes", "off".to_owned())]);
        }
        settings.iter().try_for_each(|(name, value)| self.write_setting(name, value))
    }

    /// The URL of a fresh, empty database.
    pub fn database(&self) -> Result<String> {
        self.copy("template0")
    }

    /// The URL of a fresh database that begins as a copy of another, to which nobody is connected:
    /// what is slow to set up is set up once.
    pub fn copy_of(&self, url: &str) -> Result<String> {
        let (_, name) = url.rsplit_once('/').context("a URL names its database")?;
        self.copy(name)
    }

    fn copy(&self, template: &str) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        // Copying files demands two checkpoints, which cost nothing where nobody waits for a disk.
        let strategy = match self.writes {
            Writes::Synced => "wal_log",
            Writes::Quick => "file_copy",
        };
        self.sql(&format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy}"))?;
        Ok(self.url(&name))
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address)
    }

    /// Runs statements in the database `postgres`; the first column of what they answer.
    pub fn sql(&self, text: &str) -> Result<String> {
        Ok(self.ask(text)?.text())
    }

    /// Runs statements in the database `postgres`.
    pub fn ask(&self, text: &str) -> Result<Answer> {
        Session::open(self.address, "postgres")?.ask(text)
    }

    /// Stops it in order and starts it again.
    pub fn restart(&self) -> Result<()> {
        let mut server = self.server();
        server.stop(Stop::Fast)?;
        server.start()
    }

    /// Starts it again, after it was stopped or killed.
    pub fn start_again(&self) -> Result<()> {
        let mut server = self.server();
        if server.runs() { Ok(()) } else { server.start() }
    }

    /// Stops it in order.
    pub fn stop(&self) -> Result<()> {
        self.server().stop(Stop::Fast)
    }

    /// Stops it without writing anything more; the next start recovers from the log.
    pub fn stop_immediately(&self) -> Result<()> {
        self.server().stop(Stop::Immediate)
    }

    /// Kills all its processes.
    pub fn kill(&self) -> Result<()> {
        self.server().stop(Stop::Kill)
    }

    /// Freezes all its processes, until [`Self::resume`].
    pub fn pause(&self) -> Result<()> {
        self.server().signal(Signal::SIGSTOP)
    }

    /// Lets its processes go on.
    pub fn resume(&self) -> Result<()> {
        self.server().signal(Signal::SIGCONT)
    }

    /// Changes a setting; where it runs, at once for those that need no restart.
    pub fn config(&self, name: &str, value: &str) -> Result<()> {
        self.write_setting(name, value)?;
        if !self.server().runs() {
            return Ok(());
        }
        let loaded = || self.sql("SELECT pg_conf_load_time()");
        let before = loaded()?;
        self.server().reload()?;
        until(|| Ok((loaded()? != before).then_some(()))).context("settings are not read")
    }

    /// Listens on another address of this machine too, and trusts whoever reaches it there.
    pub fn also_listen(&self, at: IpAddr) -> Result<()> {
        let hba = self.data_dir().join("pg_hba.conf");
        let mut hba = fs::File::options().append(true).open(hba).context("whom it trusts")?;
        writeln!(hba, "host all all all trust")?;
        self.write_setting("listen_addresses", &format!("{},{at}", self.address.ip()))?;
        self.restart()
    }

    /// The last of a name counts.
    fn write_setting(&self, name: &str, value: &str) -> Result<()> {
        let file = self.data_dir().join("postgresql.conf");
        let mut file = fs::File::options().append(true).open(file).context("its settings")?;
        Ok(writeln!(file, "{name} = '{}'", value.replace('\'', "''"))?)
    }

    /// Which life of the data this is: a promotion begins the next. Known at once, unlike what the
    /// last checkpoint says; an error at a standby.
    pub fn timeline(&self) -> Result<u32> {
        let name = self.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")?;
        let timeline = name.get(..8).context("a file's name begins with the timeline")?;
        Ok(u32::from_str_radix(timeline, 16)?)
    }

    /// Whether it was started and not stopped.
    pub fn runs(&self) -> bool {
        self.server().runs()
    }

    pub(crate) fn writes(&self) -> Writes {
        self.writes
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of its data.
    pub fn data_dir(&self) -> PathBuf {
        self.server().data().to_owned()
    }

    /// The folder that goes with it; its socket is in it.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote, in all its lives.
    pub fn log(&self) -> String {
        self.server().log()
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("PostgreSQL could not be killed: {error:#}");
        }
    }
}

/// A loopback port that nobody listens on. It is below the range that the system picks outgoing ports
/// from, so that nobody takes it while a server that must come back to it is down.
pub(crate) fn free_port() -> Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = std::process::id() % u32::from(COUNT);
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((own * 61 + step) % u32::from(COUNT))?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
