//! `ntcli`: workspaces and their tokens from the command line. Here the arguments become a command
//! and its outcome an exit code; what a command does is in [`commands`].

mod arguments;
mod claimed;
mod client;
mod commands;
mod config;
mod context;
mod credentials;
mod error;
mod file;
mod held;
mod keyring;
mod pinned;
mod provider;
mod refresh;
mod renewal;
mod settings;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let format = arguments::error_format(&arguments);
    let outcome = match arguments::parse(arguments.clone()) {
        Ok(cli) => commands::run(cli),
        Err(refused) => return ExitCode::from(arguments::report(&refused, &arguments, format)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(ui::report(&error, format)),
    }
}
