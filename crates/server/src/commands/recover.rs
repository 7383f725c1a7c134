//! `ntd recover`: begins a new epoch of a log that has lost a part of its history.
//!
//! Here is what is asked and said; what is done to the database stands in `nt_store`.

mod evidence;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use nt_revocation::Position;
use nt_store::{Findings, LeasesOut, PostgresOptions, Recovered, Recovery, SqliteOptions};
use nt_token::clock::{Clock as _, SystemClock};

use self::evidence::{Evidence, by_kind, place};
use crate::authority::entropy::entry_id;
use crate::authority::keys::by_itself;
use crate::commands::database::{postgres_options, settings, sqlite_options};
use crate::config::Database;
use crate::data_dir::DataDir;

/// Put a log together again whose database lost a part of it: after a fail-over that lost commits, or
/// a backup that was put back. Nothing that was revoked comes back to life.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  ntd recover --dry-run                            what the database lacks, and who knows it
  ntd recover --journal /mnt/b/ntd --journal /mnt/c/ntd
  ntd recover --assume-complete                    nobody else knows anything, you say
  ntd recover --revoke-issued-before-now           nobody knows: revoke all tokens there are

Stop the node of this data directory first, and copy the data directories of the other nodes here,
or at least their journal/ and node. While it recovers, no node gives verdicts; afterwards start
again those that do not come back by themselves. Verifiers come back by themselves.

Exits with 0 when the log is recovered, with 1 when it is not, and with 2 when the command line was
not understood.")]
pub(super) struct Args {
    /// Where this node keeps its journal [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, as sqlite:PATH or postgres://… [default: ntd.db in the data directory]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A copy of another node's data directory, or of the journal in it; may be repeated
    #[arg(long, value_name = "DIR")]
    journal: Vec<PathBuf>,
    /// The position file of a verifier: numbers that it knows are not used again; may be repeated
    #[arg(long, value_name = "FILE")]
    verifier_position: Vec<PathBuf>,
    #[command(flatten)]
    unknown: Unknown,
    /// Do not ask
    #[arg(long)]
    force: bool,
    /// Say what would be done, and change nothing
    #[arg(long, conflicts_with = "force")]
    dry_run: bool,
}

/// What is done about what nobody knows.
#[derive(Debug, clap::Args)]
struct Unknown {
    /// Go on where a node's journal is not at hand: nobody was answered that is not in the others
    #[arg(long, conflicts_with = "revoke_issued_before_now")]
    assume_complete: bool,
    /// Revoke every token that was issued so far: what was revoked is not known
    #[arg(long)]
    revoke_issued_before_now: bool,
}

impl Args {
    /// Recovers.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (data_dir, file) = (self.data_dir.as_deref(), self.config.as_deref());
        let config = settings(data_dir, self.database.as_deref(), file)?;
        let data_dir = DataDir::open(&config.data_dir)?;
        if let Some(Database::Postgres(url)) = &config.database {
            let options = postgres_options(url, config.gate(), &data_dir.journal())?;
            return self.shared(&options, &data_dir);
        }
        self.alone(&sqlite_options(&config, &data_dir))
    }

    /// A database of several nodes, each with a journal.
    fn shared(&self, options: &PostgresOptions, data_dir: &DataDir) -> anyhow::Result<ExitCode> {
        let mut journals = self.journal.clone();
        if options.journal.is_dir() {
            journals.insert(0, data_dir.root().to_owned());
        }
        let evidence = Evidence::gather(&journals, &self.verifier_position)?;
        let findings = options.look(evidence.entries())?;
        tell(&evidence, &findings);
        let absent = evidence.absent(&findings);
        for node in &absent {
            println!("node       {node:016x} is one of them, and its journal is not at hand");
        }
        if let Some((path, position)) = evidence.ahead(findings.head) {
            println!("missing    {} is known to {} alone", place(*position), path.display());
        }
        let is_incomplete = !absent.is_empty() || evidence.ahead(findings.head).is_some();
        if is_incomplete && !self.unknown.assume_complete && !self.unknown.revoke_issued_before_now
        {
            bail!(
                "what was answered may stand in a journal that is not at hand: give it with --journal. \
                 If it is lost for good, --revoke-issued-before-now revokes all tokens that there are; \
                 --assume-complete says that it has nothing which the others have not"
            );
        }
        if self.is_given_up()? {
            return Ok(ExitCode::SUCCESS);
        }
        println!("waiting    until no lease can run any more");
        let recovery = self.recovery(&evidence)?;
        done(
            &options.recover(&recovery, LeasesOut::MayRun)?,
            self.unknown.revoke_issued_before_now,
        );
        Ok(ExitCode::SUCCESS)
    }

    /// A database of one process. What it has not got is known to nobody but its verifiers.
    fn alone(&self, options: &SqliteOptions) -> anyhow::Result<ExitCode> {
        ensure!(self.journal.is_empty(), "an authority on SQLite has no journals");
        let evidence = Evidence::gather(&[], &self.verifier_position)?;
        let (head, witness) = options.look()?;
        println!("database   ends at {}", place(head));
        match witness {
            Some(witness) => println!("answered   up to {}", place(witness)),
            None => println!("answered   not known how far: the high-water file is missing"),
        }
        verifiers(&evidence);
        ensure!(
            self.unknown.assume_complete || self.unknown.revoke_issued_before_now,
            "an older database says nothing about what was revoked since. \
             --revoke-issued-before-now revokes all tokens that there are; --assume-complete says that \
             nothing was revoked that this database does not know"
        );
        if self.is_given_up()? {
            return Ok(ExitCode::SUCCESS);
        }
        let recovered = options.recover(&self.recovery(&evidence)?)?;
        done(&recovered, self.unknown.revoke_issued_before_now);
        Ok(ExitCode::SUCCESS)
    }

    fn recovery(&self, evidence: &Evidence) -> anyhow::Result<Recovery> {
        Ok(Recovery {
            entry: entry_id()?,
            witnessed: evidence.entries(),
            seen: evidence.seen(),
            revoke_before: self.unknown.revoke_issued_before_now.then(entry_id).transpose()?,
            act: by_itself(SystemClock.now(), Some("ntd recover")),
        })
    }

    /// Whether it is left at having looked; an error where it was to go on, and nobody says so.
    fn is_given_up(&self) -> anyhow::Result<bool> {
        const WORD: &str = "recover";
        if self.dry_run {
            println!("nothing was changed");
            return Ok(true);
        }
        if self.force {
            return Ok(false);
        }
        ensure!(
            std::io::stdin().is_terminal(),
            "nobody is there to be asked: say --force to do it"
        );
        eprint!("A new epoch of the log begins, and this cannot be undone. Type {WORD} to go on: ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        ensure!(answer.trim() == WORD, "nothing was changed");
        Ok(false)
    }
}

fn tell(evidence: &Evidence, findings: &Findings) {
    println!("database   ends at {}", place(findings.head));
    if let Some(why) = &findings.doubt {
        println!("doubt      {why}");
    }
    for found in &evidence.journals {
        let whose = found
            .node
            .map_or("a node that it does not name".to_owned(), |node| format!("node {node:016x}"));
        let last = found.witness.last.map_or("nowhere".to_owned(), place);
        println!("journal    of {whose} ends at {last}, {}", found.path.display());
    }
    verifiers(evidence);
    println!("to put back  {}", by_kind(&findings.missing));
}

fn verifiers(evidence: &Evidence) {
    for (path, position) in &evidence.verifiers {
        println!("verifier   was at {}, {}", place(*position), path.display());
    }
}

fn done(recovered: &Recovered, is_all_revoked: bool) {
    let Recovered { to: Position { epoch, .. }, put_back, records, .. } = recovered;
    println!("recovered  epoch {epoch}; entries put back: {put_back}; tokens revoked: {records}");
    println!("Start every node again that does not come back by itself. Verifiers do.");
    println!(
        "A journal that turns up later is not lost: its node puts back what it has as it starts."
    );
    if is_all_revoked {
        println!(
            "Every token has to be issued anew. Change the signing key, too: `ntd keys rotate`."
        );
    }
}
