//! `ntcli token revoke` as a whole process, beside `curl` making the same request.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use nt_testkit::operator::Issued;
use nt_testkit::{World, settings};
use nt_token::clock::Stopwatch;
use serde_json::json;

use crate::compare::{ROUNDS, compare, median};
use crate::table::{Aim, Table};

/// How many revokes a sample is the median of.
const RUNS: usize = 9;

pub(crate) fn measure(world: &World, table: &mut Table) -> Result<()> {
    let cli = world.signed_in("owner@example.com")?;
    let operator = world.operator("owner@example.com")?;
    let workspace = operator.create_workspace("process")?.workspace;
    cli.ok(&["workspace", "switch", "process"])?;
    let new = || operator.create_token(&workspace, &json!({}));
    let mut tokens = (0..2 * RUNS * (ROUNDS + 1)).map(|_| new()).collect::<Result<Vec<_>>>()?;
    let mut take = || tokens.split_off(tokens.len() - RUNS);
    let batches: Vec<Vec<Issued>> = (0..2 * (ROUNDS + 1)).map(|_| take()).collect();
    let batches = std::cell::RefCell::new(batches);
    let next = || batches.borrow_mut().pop().unwrap_or_default();

    let by_curl = |token: &Issued| {
        let path = format!("/v1/workspaces/{}/tokens/{}", token.workspace, token.jti);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--request", "DELETE", "--header"]);
        curl.arg(format!("Authorization: Bearer {}", operator.session));
        curl.arg(format!("{}{path}", world.url())).env_clear().env("PATH", settings::path());
        curl
    };
    let by_ntcli = |token: &Issued| cli.command(&["token", "revoke", &token.jti, "--force"]);
    let found = compare(|| sample(&next(), by_curl), || sample(&next(), by_ntcli))?;
    let what = "`ntcli token revoke`, the whole process";
    table.add(what, "`curl` making the same request", "ms", Aim::AtMost(1.5), &found);
    Ok(())
}

/// The median time of one run, in milliseconds.
fn sample(tokens: &[Issued], command: impl Fn(&Issued) -> Command) -> Result<f64> {
    let mut took = Vec::new();
    for token in tokens {
        let mut command = command(token);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = Stopwatch::start();
        let status = command.status()?;
        took.push(watch.elapsed().as_secs_f64() * 1e3);
        ensure!(status.success(), "{command:?}: {status}");
    }
    Ok(median(&took))
}
