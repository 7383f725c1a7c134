//! Signing in and out.

mod ci_job;
mod keep;
mod login;
mod logout;
mod sessions;
mod signup;
mod status;

use clap::Subcommand;

use crate::context::Context;
use crate::error::Error;

/// Sign in, sign out, and see who is signed in
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli auth login
  ntcli auth status
  ntcli auth logout")]
pub(crate) enum Command {
    Login(login::Args),
    Signup(signup::Args),
    Logout(logout::Args),
    Status(status::Args),
}

pub(super) fn run(command: Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Login(args) => login::run(&args, context),
        Command::Signup(args) => signup::run(&args, context),
        Command::Logout(args) => logout::run(&args, context),
        Command::Status(args) => status::run(&args, context),
    }
}
