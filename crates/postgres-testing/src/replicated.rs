//! A primary and a standby, what may come between them, and the promotion of the standby.

use std::fs::File;

use anyhow::{Context as _, Result};

use crate::backup;
use crate::cluster::{Cluster, Writes};
use crate::programs;
use crate::server::until;

/// The standby's name, as the primary knows it.
const STANDBY: &str = "standby";

/// What a commit at the primary waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// The standby has it on its disk.
    Synchronous,
    /// Nobody: a promotion may lose it.
    Asynchronous,
}

/// A primary that streams to a standby. Both stay what they are here by name, also after a promotion.
#[derive(Debug)]
pub struct Replicated {
    primary: Cluster,
    standby: Cluster,
}

impl Replicated {
    /// Starts both, and waits until one follows the other.
    pub fn start(commit: Commit) -> Result<Self> {
        let primary = Cluster::start()?;
        // Enough of the log that a standby finds its place again after any cut of a test.
        primary.config("wal_keep_size", "256MB")?;
        let standby = Cluster::prepare(Writes::Synced)?;
        backup::base(&primary, &standby.data_dir())?;
        standby.configure()?;
        standby.config("wal_retrieve_retry_interval", "100ms")?;
        let signal = standby.data_dir().join("standby.signal");
        File::create(&signal).context("cannot make a standby")?;
        programs::give(&signal)?;
        let replicated = Self { primary, standby };
        replicated.standby.config("primary_conninfo", &replicated.source())?;
        replicated.standby.start_again()?;
        if commit == Commit::Synchronous {
            replicated.primary.config("synchronous_standby_names", STANDBY)?;
        }
        replicated.until_streaming()?;
        Ok(replicated)
    }

    /// The one that takes writes until a promotion. Its old self may live on as a zombie.
    pub fn primary(&self) -> &Cluster {
        &self.primary
    }

    /// The one that follows until a promotion.
    pub fn standby(&self) -> &Cluster {
        &self.standby
    }

    /// A fresh database, by a URL that names both servers and asks for the one that takes writes.
    pub fn database(&self) -> Result<String> {
        let url = self.primary.database()?;
        let (_, name) = url.rsplit_once('/').context("a URL names its database")?;
        Ok(self.url(name))
    }

    /// The URL of a database at whichever server takes writes.
    pub fn url(&self, database: &str) -> String {
        let (primary, standby) = (self.primary.address(), self.standby.address());
        format!(
            "postgres://postgres@{primary},{standby}/{database}?target_session_attrs=read-write"
        )
    }

    /// Ends the stream between them: the standby stays where it is, and a synchronous commit waits.
    pub fn cut(&self) -> Result<()> {
        self.standby.config("primary_conninfo", "")?;
        let count = || self.primary.sql("SELECT count(*) FROM pg_stat_replication");
        until(|| Ok((count()? == "0").then_some(()))).context("the stream does not end")
    }

    /// Lets the standby follow again.
    pub fn heal(&self) -> Result<()> {
        self.standby.config("primary_conninfo", &self.source())?;
        self.until_streaming()
    }

    /// Waits until the standby shows all that is committed now.
    pub fn until_equal(&self) -> Result<()> {
        let head = self.primary.sql("SELECT pg_current_wal_lsn()")?;
        let shown = format!("SELECT pg_last_wal_replay_lsn() >= '{head}'");
        until(|| Ok((self.standby.sql(&shown)? == "t").then_some(())))
            .context("the standby lags behind")
    }

    /// Makes the standby a primary, on a timeline of its own, and waits until it takes writes. The old
    /// one is not told.
    pub fn promote(&self) -> Result<()> {
        self.standby.sql("SELECT pg_promote()")?;
        let standby = || self.standby.sql("SELECT pg_is_in_recovery()");
        until(|| Ok((standby()? == "f").then_some(()))).context("it is not promoted")
    }

    /// Stops the primary, in order.
    pub fn stop_primary(&self) -> Result<()> {
        self.primary.stop()
    }

    fn source(&self) -> String {
        let at = self.primary.address();
        format!("host={} port={} user=postgres application_name={STANDBY}", at.ip(), at.port())
    }

    /// Until the standby follows, and is waited for where it is to be.
    fn until_streaming(&self) -> Result<()> {
        let wanted = match self.primary.sql("SHOW synchronous_standby_names")?.as_str() {
            "" => "async",
            _ => "sync",
        };
        let sql = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        until(|| Ok((self.primary.sql(sql)? == wanted).then_some(())))
            .with_context(|| format!("the standby does not follow:\n{}", self.standby.log()))
    }
}
