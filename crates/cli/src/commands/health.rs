//! `ntcli health`.

use nt_token::clock::Stopwatch;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Ask whether the authority answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli health
  ntcli health --format json | jq -r '.status'

The exit code is 6 when it does not answer.")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    status: &'a str,
    service: &'a str,
    version: &'a str,
    authority: &'a str,
    response_time_ms: u64,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let client = context.client()?;
    let running = Stopwatch::start();
    let health = client.health()?;
    let response_time_ms = u64::try_from(running.elapsed().as_millis()).unwrap_or(u64::MAX);
    let authority = context.authority()?.as_str();
    let (status, service, version) = (&health.status, &health.service, &health.version);
    if args.output.format == Format::Json {
        return ui::json(&Output { status, service, version, authority, response_time_ms });
    }
    ui::data(&format!(
        "Status:         {status}\n\
         Authority:      {authority}\n\
         Version:        {version}\n\
         Response time:  {response_time_ms} ms"
    ))
}
