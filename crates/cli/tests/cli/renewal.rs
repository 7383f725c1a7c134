//! A session that goes on without a person: when it is renewed, once for many processes, and what
//! happens when the identity provider says no or nothing.

use std::process::Stdio;

use nt_token::clock::{Clock as _, SystemClock};

use crate::authority::Asked;
use crate::world::{Provider, World};
use crate::{Home, Run, WORKSPACE};

/// A home with the session `nts_0`, of which so many of its 1000 seconds are over.
fn home(url: &str, seconds_ago: i64) -> Home {
    let began_at = SystemClock.now().plus_seconds(-seconds_ago);
    Home::new().with_file("credentials.json", &credentials(url, began_at.unix()))
}

fn credentials(url: &str, began_at: i64) -> String {
    let expires_at = began_at + 1000;
    format!(
        r#"{{"authorities":{{"{url}":{{"session":{{"access_token":"nts_0","began_at":{began_at},
        "expires_at":{expires_at},"user":{{"id":"op_a","email":"a@example.com","name":null}},
        "grant":{{"issuer":"{url}","client_id":"cli","refresh_token":"rt_0"}}}}}}}}}}"#
    )
}

fn kept(home: &Home, url: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(home.file("credentials.json")).expect("is there");
    let all: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    all["authorities"][url]["session"].clone()
}

fn list(home: &Home, url: &str) -> Run {
    Run::of(home.ntcli(&["workspace", "list"]).env("NTCLI_API_URL", url))
}

const RENEWED: [&str; 4] = [
    "GET /.well-known/openid-configuration",
    "POST /token",
    "POST /api/v1/auth/token-exchange",
    "DELETE /v1/auth/session",
];

#[test]
fn a_session_is_renewed_in_the_second_half_of_its_life_and_not_before() {
    let world = World::new(Provider::Rotates);
    let young = home(world.url(), 400);
    assert_eq!(list(&young, world.url()).exit, Some(0));
    assert_eq!(world.lines(), ["GET /v1/workspaces"]);

    let home = home(world.url(), 600);
    let run = list(&home, world.url());
    assert_eq!((run.exit, run.stderr.contains("No workspaces")), (Some(0), true), "{}", run.stderr);
    let asked = world.asked();
    let lines: Vec<_> = asked.iter().map(Asked::path).collect();
    assert_eq!(lines[..4], RENEWED);
    assert_eq!(lines[4..], ["GET /v1/workspaces"]);
    assert_eq!(asked[3].header("authorization"), Some("Bearer nts_0"), "the old one is ended");
    let kept = kept(&home, world.url());
    assert_eq!(kept["access_token"], "nts_1");
    assert_eq!(kept["grant"]["refresh_token"], "rt_1");
    assert_eq!(list(&home, world.url()).exit, Some(0));
    assert_eq!(world.lines(), ["GET /v1/workspaces"], "once is enough");
}

#[test]
fn a_session_that_the_authority_does_not_know_is_renewed_and_the_request_made_again() {
    let world = World::new(Provider::Rotates);
    let old = home(world.url(), 400);
    let text = std::fs::read_to_string(old.file("credentials.json")).expect("is there");
    let home = Home::new().with_file("credentials.json", &text.replace("nts_0", "nts_gone"));
    let run = list(&home, world.url());
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let lines = world.lines();
    assert_eq!(lines[0], "GET /v1/workspaces");
    assert_eq!(lines[1..5], RENEWED);
    assert_eq!(lines[5..], ["GET /v1/workspaces"]);
    assert_eq!(kept(&home, world.url())["access_token"], "nts_1");
}

#[test]
fn eight_at_once_renew_once() {
    let world = World::new(Provider::Rotates);
    let home = home(world.url(), 600);
    let running: Vec<_> = (0..8)
        .map(|_| {
            let mut command = home.ntcli(&["workspace", "list"]);
            command.env("NTCLI_API_URL", world.url());
            let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            piped.spawn().expect("the program starts")
        })
        .collect();
    for process in running {
        let run = Run::from(process.wait_with_output().expect("it ends"));
        assert_eq!(run.exit, Some(0), "{}", run.stderr);
    }
    let lines = world.lines();
    let count = |line: &str| lines.iter().filter(|each| *each == line).count();
    assert_eq!(RENEWED.map(count), [1; 4], "{lines:?}");
    assert_eq!(count("GET /v1/workspaces"), 8);
    assert_eq!(kept(&home, world.url())["grant"]["refresh_token"], "rt_1");
}

#[test]
fn a_sign_in_that_the_provider_ended_ends_here_too() {
    let world = World::new(Provider::Refuses);
    let home = home(world.url(), 600);
    let run = list(&home, world.url());
    let told = "error: Your sign-in has ended at the identity provider.\nhint: ntcli auth login\n";
    assert_eq!((run.exit, run.stderr.as_str()), (Some(3), told));
    let asked = world.asked();
    let last = asked.last().expect("something was asked");
    assert_eq!(last.line, "DELETE /v1/auth/session");
    assert_eq!(last.header("authorization"), Some("Bearer nts_0"));
    assert!(kept(&home, world.url()).is_null());
    let run = list(&home, world.url());
    assert_eq!(run.exit, Some(3));
    assert!(run.stderr.starts_with("error: Authentication required."), "{}", run.stderr);
}

#[test]
fn while_the_provider_does_not_answer_the_session_goes_on() {
    let world = World::new(Provider::IsDown);
    let home = home(world.url(), 600);
    let run = list(&home, world.url());
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(
        world.lines(),
        ["GET /.well-known/openid-configuration", "POST /token", "GET /v1/workspaces"]
    );
    let run = list(&home, world.url());
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(world.lines(), ["GET /v1/workspaces"], "it is left alone for a while");
    let kept = kept(&home, world.url());
    assert_eq!(
        (&kept["access_token"], &kept["grant"]["refresh_token"]),
        (&"nts_0".into(), &"rt_0".into())
    );
}

#[test]
fn a_session_of_the_environment_is_neither_renewed_nor_stored() {
    let world = World::new(Provider::Rotates);
    let home = home(world.url(), 600);
    let before = kept(&home, world.url());
    let mut command = home.ntcli(&["workspace", "list"]);
    command.env("NTCLI_API_URL", world.url()).env("NTCLI_SESSION_TOKEN", "nts_given");
    let run = Run::of(&mut command);
    assert_eq!(run.exit, Some(3), "{}", run.stderr);
    assert_eq!(world.lines(), ["GET /v1/workspaces"]);
    assert_eq!(kept(&home, world.url()), before);
}

#[test]
fn another_operators_refresh_is_not_finished_but_can_be_given_up() {
    let world = World::new(Provider::Rotates);
    let pending = |operator: &str| {
        format!(
            r#"{{"authorities":{{"{}":{{"session":{{"access_token":"nts_0","expires_at":4000000000,
            "user":{{"id":"op_a","email":null,"name":null}}}},"workspaces":{{"{WORKSPACE}":{{
            "pending_refresh":{{"operator":"{operator}","idempotency_key":"k","request":{{}},
            "old":"jti_old","created":null}}}}}}}}}}}}"#,
            world.url()
        )
    };
    let home = Home::new().with_file("credentials.json", &pending("op_b"));
    let run = |arguments: &[&str]| {
        let mut command = home.ntcli(arguments);
        Run::of(command.env("NTCLI_API_URL", world.url()).env("NTCLI_WORKSPACE", WORKSPACE))
    };
    let refused = run(&["token", "refresh"]);
    assert_eq!(refused.exit, Some(1), "{}", refused.stderr);
    assert_eq!(
        refused.stderr,
        "error: A refresh that op_b began was interrupted and is not finished.\n\
         hint: sign in as that operator and run ntcli token refresh, or give it up with: \
         ntcli token refresh --abandon\n"
    );
    assert_eq!(world.lines(), [""; 0], "nothing was asked for");
    let given_up = run(&["token", "refresh", "--abandon"]);
    assert_eq!(given_up.exit, Some(0), "{}", given_up.stderr);
    assert_eq!(
        given_up.stdout,
        "The refresh that op_b began is given up.\n\
         The old token (jti_old) may still be alive.\n\
         A new token may exist that is not stored here, created by op_b.\n"
    );
    let again = run(&["token", "refresh", "--abandon", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&again.stdout).expect("is JSON");
    assert_eq!((&told["abandoned"], &told["new_token_may_exist"]), (&false.into(), &false.into()));
    assert_eq!(world.lines(), [""; 0]);
}
