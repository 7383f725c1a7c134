//! The commands: a file each, with what it takes at its top and what it does below.

mod audit;
mod auth;
mod clients;
mod completions;
mod config;
mod domain;
mod health;
mod help;
mod info;
mod man;
mod receipt;
mod token;
mod verifiers;
mod workspace;

use clap::Subcommand;

use crate::arguments::Cli;
use crate::context::Context;
use crate::error::Error;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(subcommand)]
    Auth(auth::Command),
    #[command(subcommand, visible_alias = "ws")]
    Workspace(workspace::Command),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Receipt(receipt::Command),
    #[command(subcommand)]
    Verifiers(verifiers::Command),
    #[command(subcommand)]
    Clients(clients::Command),
    #[command(subcommand)]
    Domain(domain::Command),
    #[command(subcommand)]
    Config(config::Command),
    Health(health::Args),
    Info(info::Args),
    Completions(completions::Args),
    Man(man::Args),
    Help(help::Args),
}

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> Result<(), Error> {
    let context = || Context::new(cli.global.verbose);
    match cli.command {
        Command::Auth(command) => auth::run(command, &context()?),
        Command::Workspace(command) => workspace::run(command, &context()?),
        Command::Token(command) => token::run(command, &context()?),
        Command::Audit(command) => audit::run(&command, &context()?),
        Command::Receipt(command) => receipt::run(&command, &context()?),
        Command::Verifiers(command) => verifiers::run(&command, &context()?),
        Command::Clients(command) => clients::run(&command, &context()?),
        Command::Domain(command) => domain::run(&command, &context()?),
        Command::Config(command) => config::run(&command, &context()?),
        Command::Health(args) => health::run(&args, &context()?),
        Command::Info(args) => info::run(&args, &context()?),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Help(args) => help::run(&args),
    }
}
