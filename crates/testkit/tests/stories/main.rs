//! Stories: the real `ntcli`, the real `ntd`, and whoever stands between and around them.
//!
//! One binary, so that everything is built and linked once. Each test starts what it needs and
//! leaves nothing behind.

mod chromium;
mod clerk;
mod cluster;
mod crash;
mod edge;
mod ext_authz;
mod feed;
mod files;
mod forward_auth;
mod gateways;
mod graceful;
mod hostile;
mod isolation;
mod issuer;
mod jobs;
mod keys;
mod nodes;
mod oauth;
mod openapi;
mod outage;
mod page;
mod promise;
mod proxy;
mod published_client;
mod receipts;
mod records;
mod roles;
mod scopes;
#[path = "../../../identity/tests/peers/script.rs"]
mod script;
mod snippets;
mod status_lists;
mod storage;
mod text;
mod tls;
mod traffic;
mod transcripts;
mod verifiers;
mod watched;
mod webdriver;

use std::io::Write as _;

use anyhow::Result;
use nt_testkit::{Cli, World};
use serde_json::Value;

const OWNER: &str = "owner@example.com";
const MEMBER: &str = "member@example.com";
const OUTSIDER: &str = "outsider@example.com";

/// Tells a story in a world of its own, whose log is shown if it goes wrong.
fn story(tell: impl FnOnce(&mut World) -> Result<()>) {
    let mut world = World::start().expect("an authority starts");
    tell(&mut world).expect("the story holds");
}

/// An owner's `ntcli` with the workspace `main`, whose first token is the current one.
fn owner_with_workspace(world: &World) -> Result<Cli> {
    let cli = world.signed_in(OWNER)?;
    cli.ok(&["workspace", "create", "main"])?;
    Ok(cli)
}

/// A text field of a JSON answer.
fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("the answer has this text")
}

/// Shows a figure even where the test passes: the runner keeps back only what is printed.
fn report(figures: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "    {figures}")?)
}
