//! What `ntd` can be told to do.

mod check;
pub(crate) mod database;
mod edge;
mod export;
mod keys;
mod nodes;
mod recover;
mod serve;

use std::process::ExitCode;

/// Signs, remembers and revokes workspace tokens, and answers whether one is good right now.
#[derive(Debug, clap::Parser)]
#[command(
    name = "ntd",
    version,
    about,
    after_help = "Examples:
  ntd serve --dev              try it out on this machine, with a development sign-in
  ntd serve --config ntd.toml  run with the settings of a file
  ntd check                    check keys, database and settings without serving
  ntd keys list                show the signing keys
  ntd nodes list               show the nodes that share a database
  ntd keys rotate              have another key sign; those before go on checking
  ntd export FILE              write everything to a file, to move it or to keep a copy
  ntd recover --dry-run        see what a database that lost a part of its history lacks
  ntd edge --help              check tokens beside a service, for an authority elsewhere

Every setting of the authority can stand in a configuration file (listen = \"…\") or in the
environment (NTD_LISTEN=…); flags win over the environment, and that over the file. An edge reads
no file, and each of its flags from the environment too (NTD_EDGE_LISTEN=…).

It exits with 0 when it has done what it was told, with 1 when it could not, and with 2 when the
command line was not understood."
)]
pub struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Serve(serve::Args),
    Check(check::Args),
    Edge(Box<edge::Args>),
    #[command(subcommand)]
    Keys(keys::Keys),
    Export(export::Export),
    Import(export::Import),
    #[command(subcommand)]
    Nodes(nodes::Nodes),
    Recover(recover::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Serve(args) => args.run(),
            What::Check(args) => args.run(),
            What::Edge(args) => args.run(),
            What::Keys(keys) => keys.run(),
            What::Export(args) => args.run(),
            What::Import(args) => args.run(),
            What::Nodes(nodes) => nodes.run(),
            What::Recover(args) => args.run(),
        }
    }
}
