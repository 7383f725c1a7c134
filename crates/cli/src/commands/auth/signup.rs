//! `ntcli auth signup`: as signing in, at the page where accounts are made if the identity provider has
//! one that can be asked for.

use super::login::{self, Flow, Purpose};
use crate::context::Context;
use crate::error::Error;

/// Make an account at the authority's identity provider, and sign in
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli auth signup
  ntcli auth signup --no-browser")]
pub(crate) struct Args {
    #[command(flatten)]
    flow: Flow,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    login::run_flow(&args.flow, Purpose::SignUp, context)
}
