//! The description of the API, held against what the real `ntd` answers by `schemathesis`, which makes
//! requests from it: proper ones, odd ones and wrong ones.
//!
//! No answer may be a fault (5xx), have a status, a content type or a body that is not described, or
//! let somebody in without the credential that is said to be needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::operator::Issued;
use nt_testkit::{Operator, Options, World, install, settings};
use serde_json::json;

use crate::OWNER;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,ignored_auth";

/// What ends what other requests need: a session, a workspace, its token. Those in a row need nothing
/// that another one of it ends.
const ENDS: [&[&str]; 3] = [
    &["DELETE /v1/auth/session"],
    &["DELETE /v1/workspaces/{workspace}"],
    &[
        "DELETE /v1/auth/sessions",
        "DELETE /v1/workspaces/{workspace}/tokens/{jti}",
        "POST /v1/workspaces/{workspace}/tokens/{jti}/refresh",
    ],
];

/// Which part of the API is tried.
#[derive(Clone, Copy)]
enum Part {
    /// All of it, by somebody whom hardly any of it is for.
    Everything,
    /// What has this tag.
    Tag(&'static str),
    /// Without [`ENDS`].
    WhatLasts,
    /// These.
    Ends(&'static [&'static str]),
}

/// Runs `schemathesis`, which must have nothing to complain of. `credential` is the operator's
/// session, or a token; real identifiers stand where the paths want some.
fn try_out(
    world: &World,
    name: &str,
    part: Part,
    credential: Option<&str>,
    of: &Issued,
) -> Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/schemathesis");
    let programs = install::pip(&sources)?;
    let directory = world.dir().join(name);
    fs::create_dir(&directory)?;
    let config = directory.join("schemathesis.toml");
    let Issued { workspace, jti, .. } = of;
    let member = OWNER;
    fs::write(
        &config,
        format!(
            "[parameters]\n\"path.workspace\" = \"{workspace}\"\n\"path.jti\" = \"{jti}\"\n\
             \"path.list\" = 0\n\"path.member\" = \"{member}\"\n"
        ),
    )?;
    let mut command = Command::new(programs.join("schemathesis"));
    command
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("{}/openapi.json", world.url()));
    let examples = if settings::full() { "200" } else { "4" };
    command.args(["--seed", &settings::seed().unwrap_or(1).to_string(), "-n", examples]);
    command.args(["--no-shrink", "--checks", CHECKS]);
    command.args(["--request-timeout", "30", "--continue-on-failure"]);
    if let Some(credential) = credential {
        command.arg("--header").arg(format!("Authorization: Bearer {credential}"));
    }
    let mut phases = "coverage,fuzzing";
    match part {
        Part::Everything if settings::full() => {}
        Part::Everything => phases = "coverage",
        Part::Tag(tag) => {
            command.args(["--include-tag", tag]);
        }
        Part::WhatLasts => {
            for name in ENDS.into_iter().flatten() {
                command.args(["--exclude-name", name]);
            }
        }
        Part::Ends(names) => {
            for name in names {
                command.args(["--include-name", name]);
            }
        }
    }
    command.args(["--phases", phases]);
    let output = command.current_dir(&directory).env("NO_COLOR", "1").output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    let cases = said.lines().find(|line| line.contains(" generated, "));
    let cases = cases.context("it says how many cases it tried")?;
    crate::report(&format!("{name}: {}", cases.trim()))
}

fn world() -> Result<World> {
    let settings = format!("admins = [\"{OWNER}\"]\n");
    World::with(Options { settings: Some(settings), ..Options::default() })
}

#[test]
fn an_operator_is_answered_as_the_description_says() {
    let world = world().expect("an authority starts");
    let tell = || -> Result<()> {
        let operator = world.operator(OWNER)?;
        let made = operator.create_workspace("main")?;
        let revoked = operator.create_token(&made.workspace, &json!({}))?;
        operator.revoke(&made.workspace, &revoked.jti)?;
        try_out(&world, "lasts", Part::WhatLasts, Some(&operator.session), &revoked)
    };
    tell().expect("the story holds");
}

#[test]
fn what_ends_a_session_a_workspace_or_a_token_is_answered_as_the_description_says() {
    let world = world().expect("an authority starts");
    let tell = || -> Result<()> {
        for (number, names) in ENDS.into_iter().enumerate() {
            // Each ends what it is called with.
            let operator = Operator::sign_in(world.address(), OWNER)?;
            let made = operator.create_workspace(&format!("main-{number}"))?;
            let (name, session) = (format!("end-{number}"), Some(&*operator.session));
            try_out(&world, &name, Part::Ends(names), session, &made)?;
        }
        Ok(())
    };
    tell().expect("the story holds");
}

#[test]
fn who_has_no_session_is_answered_as_the_description_says() {
    let world = world().expect("an authority starts");
    let tell = || -> Result<()> {
        let operator = world.operator(OWNER)?;
        let made = operator.create_workspace("main")?;
        try_out(&world, "nobody", Part::Everything, None, &made)?;
        // A token is no session, and opens only the doors that are for it.
        let doors = if settings::full() { Part::Everything } else { Part::Tag("verification") };
        try_out(&world, "token", doors, Some(&made.token), &made)?;
        ensure!(world.check(&made.token)?.status == 200, "nothing was ended");
        Ok(())
    };
    tell().expect("the story holds");
}
