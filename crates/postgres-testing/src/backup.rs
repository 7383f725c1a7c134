//! Copies of a cluster and of a database, and how they come back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cluster::{Cluster, Writes};
use crate::folder::Folder;
use crate::programs;

/// All files of a cluster as they were at a moment. What is started from it has the cluster's identity
/// and timeline: nothing but its contents tells that it is old.
#[derive(Debug)]
pub struct Backup {
    folder: Folder,
    writes: Writes,
}

impl Backup {
    /// Copies one that runs as `pg_basebackup` does, and one that does not by its files.
    pub fn of(cluster: &Cluster) -> Result<Self> {
        let backup = Self { folder: Folder::make()?, writes: cluster.writes() };
        let data = backup.folder.path().join("data");
        if cluster.runs() {
            base(cluster, &data)?;
        } else {
            copy(&cluster.data_dir(), &data)?;
        }
        Ok(backup)
    }

    /// Starts another cluster from it, on a port of its own.
    pub fn start(&self) -> Result<Cluster> {
        let cluster = Cluster::prepare(self.writes)?;
        cluster.return_to(self)?;
        Ok(cluster)
    }
}

impl Cluster {
    /// Puts an old copy in the place of this cluster, on its port, as an operator restores a backup.
    pub fn return_to(&self, backup: &Backup) -> Result<()> {
        self.stop()?;
        let data = self.data_dir();
        if data.exists() {
            fs::remove_dir_all(&data).context("cannot remove the data")?;
        }
        copy(&backup.folder.path().join("data"), &data)?;
        self.configure()?;
        self.start_again()
    }
}

/// Copies a cluster that runs to a folder that is not there yet.
pub(crate) fn base(cluster: &Cluster, to: &Path) -> Result<()> {
    let mut command = programs::command("pg_basebackup")?;
    command.arg("-d").arg(cluster.url("")).arg("-D").arg(to);
    command.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"]);
    programs::run(&mut command)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    programs::run(Command::new("cp").arg("-a").arg(from).arg(to))?;
    // A copy of one that was killed is not the one that ran.
    let pid = to.join("postmaster.pid");
    if pid.exists() {
        fs::remove_file(pid)?;
    }
    Ok(())
}

/// What `pg_dump` wrote of a database: its contents, without the cluster around it.
#[derive(Debug)]
pub struct Dump(Folder);

impl Dump {
    /// Dumps the database at a URL.
    pub fn of(url: &str) -> Result<Self> {
        let dump = Self(Folder::make()?);
        let mut command = programs::command("pg_dump")?;
        command.args(["--format=custom", "--dbname", url, "--file"]).arg(dump.file());
        programs::run(&mut command)?;
        Ok(dump)
    }

    /// Restores it into the empty database at a URL.
    pub fn restore(&self, url: &str) -> Result<()> {
        let mut command = programs::command("pg_restore")?;
        command.args(["--exit-on-error", "--dbname", url]).arg(self.file());
        programs::run(&mut command)?;
        Ok(())
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("dump")
    }
}
