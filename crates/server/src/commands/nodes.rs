//! `ntd nodes`: the nodes that share a database.

use std::path::PathBuf;
use std::process::ExitCode;

use nt_store::{KnownNode, Standing};

use crate::authority::cluster::join::shown;
use crate::commands::database::{Tool, settings};

/// Show the nodes that share a database.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:
  NTD_DATABASE=postgres://ntd:…@db/tokens ntd nodes list")]
pub(super) enum Nodes {
    /// List the nodes that revokes wait for: where each is reached, up to which entry it knows that its
    /// verifiers have applied the log, and when it last renewed its lease, by its own clock.
    List(List),
}

/// Which nodes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  ntd nodes list --database postgres://ntd@db/tokens")]
pub(super) struct List {
    /// The database, as postgres://USER:PASSWORD@HOST/NAME
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the database is kept that is a file [default: ./ntd-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Nodes {
    /// Does it.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::List(List { database, data_dir, config }) = self;
        let config = settings(data_dir.as_deref(), database.as_deref(), config.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let tool = Tool::open(&config)?;
        let nodes = runtime.block_on(async {
            let nodes = tool.store.nodes().await;
            tool.store.close().await;
            nodes
        })?;
        if nodes.is_empty() {
            println!("There are no nodes.");
        }
        for node in &nodes {
            println!("{}", line(node));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn line(node: &KnownNode) -> String {
    let standing = match node.standing {
        Standing::Active => "active",
        Standing::Fenced => "fenced",
    };
    let KnownNode { address, version, acked, last_seen, .. } = node;
    let member = shown(node.member);
    format!("{member}  {standing}  {address}  ntd {version}  complete to {acked}  {last_seen}")
}

#[cfg(test)]
mod tests {
    use nt_revocation::protocol::{Incarnation, Member, NodeId};
    use nt_store::Home;
    use nt_token::Timestamp;

    use super::*;

    #[test]
    fn a_node_is_listed_with_all_that_tells_who_holds_revokes_up() {
        let node = KnownNode {
            member: Member { node: NodeId(0xab), incarnation: Incarnation(1) },
            address: "https://one".to_owned(),
            home: Home([0; 16]),
            version: "0.1.0".to_owned(),
            standing: Standing::Fenced,
            renewals: 9,
            acked: 41,
            last_seen: Timestamp::from_unix(0),
        };
        let listed = line(&node);
        for told in ["00000000000000ab", "fenced", "https://one", "to 41", "1970-01-01"] {
            assert!(listed.contains(told), "{listed}");
        }
    }
}
