//! A refresh that is killed at every step of its way. Only a debug build can be told to abort.

use crate::authority::{Asked, Prepared, answer};
use crate::{Home, Run, WORKSPACE};

fn created(jti: &str) -> String {
    let body = format!(
        r#"{{"access_token":"wst_{jti}","token_type":"Bearer","expires_in":null,"expires_at":null,
        "scope":[],"jti":"{jti}","workspace_id":"{WORKSPACE}","message":""}}"#
    );
    answer(201, "", &body)
}

fn revoked(jti: &str) -> String {
    let body = format!(
        r#"{{"workspace_id":"{WORKSPACE}","jti":"{jti}","token_jti":"{jti}","status":"revoked",
        "revoked_at":"2024-08-07T12:30:00Z","already_revoked":false,"message":""}}"#
    );
    answer(200, "", &body)
}

fn recorded(jti: &str, status: &str) -> String {
    let body = format!(
        r#"{{"jti":"{jti}","created_at":1,"expires_at":null,"revoked_at":null,"status":"{status}",
        "description":null,"scope":[],"created_by":"op_a","last_used_at":null}}"#
    );
    answer(200, "", &body)
}

/// Keeps a session of `op_a` and `jti_old` as the current token, as earlier runs would have.
fn keep_old(home: Home, url: &str) -> Home {
    let text = format!(
        r#"{{"authorities":{{"{url}":{{"session":{{"access_token":"nts_kept","expires_at":4000000000,
        "user":{{"id":"op_a","email":null,"name":null}}}},"workspaces":{{"{WORKSPACE}":{{"current":
        {{"token":"wst_jti_old","jti":"jti_old","expires_at":null}}}}}}}}}}}}"#
    );
    home.with_file("credentials.json", &text)
}

/// The program with the session that is kept.
fn signed_in(home: &Home, url: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = home.ntcli(arguments);
    command.env("NTCLI_API_URL", url).env("NTCLI_WORKSPACE", WORKSPACE);
    command
}

/// What is kept for the workspace.
fn kept(home: &Home, url: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(home.file("credentials.json")).expect("is there");
    let all: serde_json::Value = serde_json::from_str(&text).expect("is JSON");
    all["authorities"][url]["workspaces"][WORKSPACE].clone()
}

fn requests(asked: &[Asked]) -> Vec<String> {
    let folder = format!("/v1/workspaces/{WORKSPACE}/tokens");
    asked.iter().map(|asked| asked.line.replace(&folder, "")).collect()
}

/// Kills a first refresh at a step and runs a second one. Returns what the authority was asked.
fn killed_at(step: &str, answers: Vec<String>, expected_jti: &str) -> Vec<Asked> {
    let authority = Prepared::with(answers);
    let home = keep_old(Home::new(), &authority.url);
    let refresh = || signed_in(&home, &authority.url, &["token", "refresh"]);
    let killed = Run::of(refresh().env("NTCLI_TEST_CRASH_AT", step));
    assert_eq!((killed.exit, killed.stdout.as_str()), (None, ""), "{step}");
    let current = &kept(&home, &authority.url)["current"]["token"];
    assert!(current.as_str().is_some_and(|token| token.starts_with("wst_jti_")), "{step}");
    let finished = Run::of(&mut refresh());
    assert_eq!(finished.exit, Some(0), "{step}: {}", finished.stderr);
    let kept = kept(&home, &authority.url);
    assert_eq!(kept["current"]["jti"], expected_jti, "{step}");
    assert_eq!(kept["current"]["token"], format!("wst_{expected_jti}"), "{step}");
    assert!(kept["pending_refresh"].is_null(), "{step}");
    authority.asked()
}

#[test]
fn a_refresh_that_is_killed_at_any_step_is_finished_by_the_next() {
    let (create, delete, get) = ("POST ", "DELETE /jti_old?reason=refreshed", "GET /jti_new");
    let old = "GET /jti_old";
    let [created_new, revoked_old, active_new] =
        [created("jti_new"), revoked("jti_old"), recorded("jti_new", "active")];
    let active_old = recorded("jti_old", "active");
    let cases: [(&str, &[&String], &[&str]); 5] = [
        (
            "before-pending",
            &[&active_old, &active_old, &created_new, &revoked_old],
            &[old, old, create, delete],
        ),
        (
            "after-pending",
            &[&active_old, &created_new, &revoked_old, &active_new],
            &[old, create, delete, get],
        ),
        (
            "after-create",
            &[&active_old, &created_new, &created_new, &revoked_old, &active_new],
            &[old, create, create, delete, get],
        ),
        (
            "after-store",
            &[&active_old, &created_new, &revoked_old, &active_new],
            &[old, create, delete, get],
        ),
        (
            "after-revoke",
            &[&active_old, &created_new, &revoked_old, &revoked_old, &active_new],
            &[old, create, delete, delete, get],
        ),
    ];
    for (step, answers, expected) in cases {
        let asked = killed_at(step, answers.iter().map(ToString::to_string).collect(), "jti_new");
        assert_eq!(requests(&asked), expected, "{step}");
        let keys: Vec<_> = asked
            .iter()
            .filter(|asked| asked.line.starts_with("POST"))
            .map(|asked| asked.header("idempotency-key"))
            .collect();
        assert!(keys.iter().all(|key| key.is_some() && *key == keys[0]), "{step}: {keys:?}");
    }
}

#[test]
fn a_refresh_that_was_done_is_done_again() {
    let answers = vec![
        recorded("jti_old", "active"),
        created("jti_new"),
        revoked("jti_old"),
        recorded("jti_new", "active"),
        created("jti_newer"),
        revoked("jti_new"),
    ];
    let asked = killed_at("after-clear", answers, "jti_newer");
    assert!(asked[5].line.contains("DELETE") && asked[5].line.contains("/jti_new?"));
}

#[test]
fn a_token_that_has_died_meanwhile_is_replaced_once_more() {
    let dead = recorded("jti_new", "revoked");
    let answers = vec![
        recorded("jti_old", "active"),
        created("jti_new"),
        revoked("jti_old"),
        dead.clone(),
        dead,
        created("jti_newer"),
        revoked("jti_new"),
    ];
    killed_at("after-store", answers, "jti_newer");
}

#[test]
fn a_failed_revoke_is_a_failure_and_the_next_run_finishes() {
    let later = r#"{"error":{"code":"UNAVAILABLE","message":"later"}}"#;
    let authority = Prepared::with(vec![
        recorded("jti_old", "active"),
        created("jti_new"),
        answer(503, "retry-after: 3600\r\n", later),
        revoked("jti_old"),
        recorded("jti_new", "active"),
    ]);
    let home = keep_old(Home::new(), &authority.url);
    let failed = Run::of(&mut signed_in(&home, &authority.url, &["token", "refresh"]));
    assert_eq!((failed.exit, failed.stdout.as_str()), (Some(6), ""));
    let told =
        "error: The new token (jti_new) is stored, but the old one (jti_old) is not revoked: ";
    assert!(failed.stderr.starts_with(told), "{}", failed.stderr);
    assert_eq!(kept(&home, &authority.url)["current"]["jti"], "jti_new");
    let finished = Run::of(&mut signed_in(&home, &authority.url, &["token", "refresh"]));
    assert_eq!(finished.exit, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("Old token (jti_old) has been revoked."));
    assert_eq!(authority.asked().len(), 5);
}

#[test]
fn an_old_token_that_the_authority_does_not_know_is_gone() {
    let unknown = r#"{"error":{"code":"TOKEN_NOT_FOUND","message":"no"}}"#;
    let unknown = answer(404, "", unknown);
    let authority = Prepared::with(vec![unknown.clone(), created("jti_new"), unknown]);
    let home = keep_old(Home::new(), &authority.url);
    let line = ["token", "refresh", "--format", "json"];
    let run = Run::of(&mut signed_in(&home, &authority.url, &line));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
    assert_eq!(told["new_token"]["jti"], "jti_new");
    assert_eq!(told["old_token"]["jti"], "jti_old");
    authority.asked();
}

#[test]
fn a_request_that_is_refused_leaves_nothing_to_finish() {
    let refused = r#"{"error":{"code":"INVALID_REQUEST","message":"Invalid expiration time"}}"#;
    let authority = Prepared::with(vec![
        recorded("jti_old", "active"),
        answer(400, "", refused),
        recorded("jti_old", "active"),
        created("jti_new"),
        revoked("jti_old"),
    ]);
    let home = keep_old(Home::new(), &authority.url);
    let line = ["token", "refresh", "--expires-in", "99999999999"];
    let run = Run::of(&mut signed_in(&home, &authority.url, &line));
    assert_eq!((run.exit, run.stderr.as_str()), (Some(2), "error: Invalid expiration time\n"));
    let kept = kept(&home, &authority.url);
    assert_eq!(
        (&kept["current"]["jti"], kept["pending_refresh"].is_null()),
        (&"jti_old".into(), true)
    );
    let run = Run::of(&mut signed_in(&home, &authority.url, &["token", "refresh"]));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(authority.asked().len(), 5);
}

/// The record of the old token, which is restricted.
fn restricted_old() -> String {
    let body = r#"{"jti":"jti_old","created_at":1,"expires_at":null,"revoked_at":null,"status":"active",
        "description":null,"scope":["deploy","read"],"source_networks":["192.0.2.0/24"],
        "created_by":"op_a","last_used_at":null}"#;
    answer(200, "", body)
}

/// The answer to a creation that says these networks.
fn created_for(jti: &str, networks: &str) -> String {
    let body = format!(
        r#"{{"access_token":"wst_{jti}","token_type":"Bearer","expires_in":null,"expires_at":null,
        "scope":["read"],"source_networks":[{networks}],"jti":"{jti}",
        "workspace_id":"{WORKSPACE}","message":""}}"#
    );
    answer(201, "", &body)
}

#[test]
fn a_refreshed_token_is_asked_for_as_restricted_as_the_old_one() {
    for (more, body) in [
        (&[][..], r#"{"scope":["deploy","read"],"source_networks":["192.0.2.0/24"]}"#),
        (&["--scope", "read"], r#"{"scope":["read"],"source_networks":["192.0.2.0/24"]}"#),
        (
            &["--source-network", "192.0.2.7"],
            r#"{"scope":["deploy","read"],"source_networks":["192.0.2.7/32"]}"#,
        ),
    ] {
        let new = created_for("jti_new", r#""192.0.2.0/24""#);
        let authority = Prepared::with(vec![restricted_old(), new, revoked("jti_old")]);
        let home = keep_old(Home::new(), &authority.url);
        let line = [&["token", "refresh"], more].concat();
        let run = Run::of(&mut signed_in(&home, &authority.url, &line));
        assert_eq!(run.exit, Some(0), "{}", run.stderr);
        assert_eq!(authority.asked()[1].body, body);
    }
}

#[test]
fn a_refresh_that_would_give_more_is_refused_before_anything_is_asked_for() {
    for more in [["--scope", "read,write"], ["--source-network", "192.0.0.0/16"]] {
        let authority = Prepared::with(vec![restricted_old()]);
        let home = keep_old(Home::new(), &authority.url);
        let line = [&["token", "refresh"][..], &more].concat();
        let run = Run::of(&mut signed_in(&home, &authority.url, &line));
        let told = "error: A refreshed token may do no more than the current one (jti_old)\n\
                    hint: ntcli token create makes a token of any scope\n";
        assert_eq!((run.exit, run.stderr.as_str()), (Some(2), told));
        assert!(kept(&home, &authority.url)["pending_refresh"].is_null());
        authority.asked();
    }
}

#[test]
fn an_interrupted_refresh_of_a_restricted_token_is_finished_and_not_done_twice() {
    let new = || created_for("jti_new", r#""192.0.2.0/24""#);
    let active = recorded("jti_new", "active");
    let authority =
        Prepared::with(vec![restricted_old(), new(), new(), revoked("jti_old"), active]);
    let home = keep_old(Home::new(), &authority.url);
    let refresh = || signed_in(&home, &authority.url, &["token", "refresh"]);
    let killed = Run::of(refresh().env("NTCLI_TEST_CRASH_AT", "after-create"));
    assert_eq!(killed.exit, None);
    let finished = Run::of(&mut refresh());
    assert_eq!(finished.exit, Some(0), "{}", finished.stderr);
    let asked = authority.asked();
    assert_eq!(asked[1].body, asked[2].body);
    assert_eq!(asked[1].header("idempotency-key"), asked[2].header("idempotency-key"));
}
