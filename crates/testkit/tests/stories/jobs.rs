//! CI jobs, which sign in with what their platform issues to them, and without a stored secret.

use std::fs;

use anyhow::Result;
use nt_testkit::{Cli, Output, World};
use nt_token::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::issuer::{Issuer, Keys};
use crate::{owner_with_workspace, story, text_of};

/// The audience that jobs ask their platform for.
pub(crate) const AUDIENCE: &str = "https://tokens.example.com";

/// A rule that lets the jobs of this repository into this workspace.
pub(crate) fn rule(issuer: &Issuer, repository: &str, workspace: &str, grant: &str) -> String {
    let url = &issuer.url;
    format!(
        "[[trust]]\nname = \"{repository}\"\nissuer = \"{url}\"\naudience = \"{AUDIENCE}\"\n\
         claims = {{ repository = \"{repository}\" }}\nworkspace = \"{workspace}\"\n{grant}\n"
    )
}

/// What the platform says of a job of this repository.
pub(crate) fn claims(repository: &str) -> Value {
    json!({
        "sub": format!("repo:{repository}:ref:refs/heads/main"), "aud": AUDIENCE,
        "repository": repository,
    })
}

fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// `ntcli auth login` with this token.
fn sign_in(cli: &Cli, token: &str) -> Result<Output> {
    let file = cli.config_dir().with_file_name("job-token");
    fs::write(&file, format!("{token}\n"))?;
    cli.run(&["auth", "login", "--oidc-token-file", &file.display().to_string()])
}

/// An owner's `ntcli`, the workspace, and a platform whose jobs of `acme/app` may issue there.
fn platform(world: &mut World, keys: Keys) -> Result<(Cli, String, Issuer)> {
    let owner = owner_with_workspace(world)?;
    let workspace = text_of(&owner.json(&["token", "show"])?, "workspace_id").to_owned();
    let issuer = Issuer::start()?;
    issuer.answer_for_keys(keys);
    world.restart_with(rule(&issuer, "acme/app", &workspace, "role = \"developer\""))?;
    Ok((owner, workspace, issuer))
}

#[test]
fn a_job_that_a_rule_lets_in_issues_and_lists_and_does_not_revoke() {
    story(|world| {
        let (owner, workspace, issuer) = platform(world, Keys::Given)?;
        let token = issuer.sign(&claims("acme/app"))?;
        let job = world.ntcli("job")?;
        let said = sign_in(&job, &token)?.expect_code(0)?;
        assert!(said.stdout.starts_with("✅ Authenticated as"), "{said:#?}");
        assert!(job.ok(&["auth", "status"])?.starts_with("✅ Authenticated as"));
        let made = job.json(&["token", "create", "-w", &workspace])?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 200);
        let list = job.json(&["token", "list", "-w", &workspace])?;
        assert_eq!(list["total_active"], 2);
        let revoke = ["token", "revoke", text_of(&made, "jti"), "--force", "-w", &workspace];
        job.run(&revoke)?.expect_code(4)?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 200);
        job.run(&["workspace", "create", "another"])?.expect_code(4)?;
        // The owner sees what it did, and takes it back.
        let audit = owner.json(&["audit", "list", "--jti", text_of(&made, "jti")])?;
        assert_eq!(audit["records"][0]["action"], "token.created");
        owner.ok(&revoke)?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 401);
        // Whoever finds the platform's token in a log comes too late.
        refused(world, &token, "a CI job's token was used twice")
    });
}

/// The token does not sign in: `ntcli` says so plainly, and the reason is in the log alone.
fn refused(world: &World, token: &str, reason: &str) -> Result<()> {
    let times = || world.log().lines().filter(|line| line.contains(reason)).count();
    let (cli, before) = (world.ntcli("nobody")?, times());
    let output = sign_in(&cli, token)?.expect_code(3)?;
    let wanted = "error: The sign-in was not accepted\n\
                  hint: ask the CI platform for a new token, and check the rule\n";
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", wanted));
    assert_eq!(times(), before + 1, "'{reason}' in\n{}", world.log());
    cli.run(&["auth", "status"])?.expect_code(3).map(drop)
}

#[test]
fn a_job_that_no_rule_lets_in_learns_only_that() {
    story(|world| {
        let (_, _, issuer) = platform(world, Keys::Given)?;
        let (ours, now) = (claims("acme/app"), SystemClock.now().unix());
        let stranger = Issuer::start()?;
        for (token, reason) in [
            (issuer.sign(&claims("evil/app"))?, "no trust rule matches the claims"),
            (issuer.sign(&claims("acme/app-2"))?, "no trust rule matches the claims"),
            (issuer.sign(&with(ours.clone(), "exp", now - 60))?, "job token has expired"),
            (issuer.sign(&with(ours.clone(), "iat", now + 60))?, "job token is not valid yet"),
            (
                issuer.sign(&with(ours.clone(), "aud", "https://other.example.com"))?,
                "no trust rule of the issuer has this audience",
            ),
            (
                stranger.sign(&with(ours.clone(), "iss", issuer.url.as_str()))?,
                "job token is not the issuer's",
            ),
            // The operators' provider has not heard of it either.
            (stranger.sign(&ours)?, "ID token is not the provider's"),
        ] {
            refused(world, &token, reason)?;
        }
        assert!(!stranger.asked().iter().any(|path| path == "/jwks"), "a stranger's keys");
        Ok(())
    });
}

#[test]
fn while_the_platform_gives_no_keys_a_job_is_told_to_try_again() {
    story(|world| {
        let (_, _, issuer) = platform(world, Keys::Broken)?;
        let token = issuer.sign(&claims("acme/app"))?;
        let cli = world.ntcli("job")?;
        let output = sign_in(&cli, &token)?.expect_code(6)?;
        assert!(
            output
                .stderr
                .starts_with("error: The identity provider cannot be reached; try again\nhint: "),
            "{output:#?}"
        );
        assert!(!output.stderr.contains(&issuer.url), "{output:#?}");
        let log = world.log();
        assert!(log.contains("the identity provider gives no answer"), "{log}");
        assert!(log.contains(&format!("{}/jwks", issuer.url)), "{log}");
        Ok(())
    });
}
