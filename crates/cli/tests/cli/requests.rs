//! What is sent, and how answers are told that a real authority rarely gives.

use crate::authority::{Prepared, answer};
use crate::{Home, Run, WORKSPACE};

fn revoked(status: &str, already: bool) -> String {
    format!(
        r#"{{"workspace_id":"{WORKSPACE}","jti":"jti_a","token_jti":"jti_a","status":"{status}",
        "revoked_at":"2024-08-07T12:30:00Z","already_revoked":{already},"message":""}}"#
    )
}

fn refusal(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"{message}","request_id":"x"}}}}"#)
}

#[test]
fn a_revoke_is_one_request_and_prints_what_is_documented() {
    let authority = Prepared::with(vec![answer(200, "", &revoked("revoked", false))]);
    let line = ["token", "revoke", "jti_a", "--force", "--format", "json", "--reason", "a&b #1"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let expected = "{\n  \"jti\": \"jti_a\",\n  \"revoked_at\": \"2024-08-07T12:30:00Z\",\n  \
                    \"status\": \"revoked\"\n}\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.exit), (expected, "", Some(0)));
    let asked = authority.asked();
    let target = format!("DELETE /v1/workspaces/{WORKSPACE}/tokens/jti_a?reason=a%26b%20%231");
    assert_eq!(asked[0].line, target);
    assert_eq!(asked[0].header("authorization"), Some("Bearer nts_test"));
    let agent = concat!("ntcli/", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked[0].header("user-agent"), Some(agent));
}

#[test]
fn a_forced_revoke_leaves_standard_input_to_the_loop_around_it() {
    let authority = Prepared::with(vec![answer(200, "", &revoked("revoked", true))]);
    let mut command = Home::new().operator(&authority.url, &[]);
    let ntcli = env!("CARGO_BIN_EXE_ntcli");
    let script = format!("printf 'y\\nnext\\n' | {{ {ntcli} token revoke jti_a --force; cat; }}");
    let envs: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = std::process::Command::new("/bin/sh");
    let run =
        Run::of(command.args(["-c", &script]).env_clear().envs(envs).env("PATH", "/usr/bin:/bin"));
    assert_eq!(run.stdout, "Token jti_a revoked successfully.\ny\nnext\n");
    assert_eq!(run.stderr, "Token is already revoked\n");
    authority.asked();
}

#[test]
fn what_is_not_yet_proven_is_not_called_revoked() {
    for (format, told) in [
        ("text", "Token jti_a is being revoked; not yet proven everywhere.\n"),
        ("json", "\"status\": \"revoking\""),
    ] {
        let authority = Prepared::with(vec![answer(202, "", &revoked("revoking", false))]);
        let line = ["token", "revoke", "jti_a", "--force", "--format", format];
        let run = Run::of(&mut Home::new().operator(&authority.url, &line));
        assert_eq!((run.exit, run.stderr.as_str()), (Some(7), ""));
        assert!(run.stdout.contains(told), "{}", run.stdout);
    }
}

fn on_its_way(waiting_for: &str, within_ms: u32) -> String {
    let body = format!(
        r#"{{"jti":"jti_a","workspace_id":"{WORKSPACE}","status":"revoking",
        "position":{{"epoch":0,"seq":7,"entry_id":"00"}},"committed_at":"2024-08-07T12:30:00Z",
        "waiting_for":[{waiting_for}],"acknowledged":1,"acknowledged_by":["edge-1"],
        "cut_off":[],"in_force_within_ms":{within_ms}}}"#
    );
    answer(200, "", &body)
}

#[test]
fn a_revoke_that_says_more_tells_who_is_waited_for_each_time_that_this_changes() {
    let not_yet = answer(202, "", &revoked("revoking", false));
    let in_force = on_its_way("", 0).replace(r#""revoking""#, r#""revoked" "#);
    let no_receipt = answer(404, "", &refusal("NOT_FOUND", "none"));
    let authority = Prepared::with(vec![
        not_yet,
        on_its_way(r#""edge-2","edge-3""#, 2_420),
        on_its_way(r#""edge-2","edge-3""#, 2_320),
        on_its_way(r#""edge-2""#, 1_210),
        in_force,
        no_receipt,
    ]);
    let line = ["token", "revoke", "jti_a", "--force", "--verbose", "--reason", "a"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told = "Refused by edge-1. Waiting for edge-2, edge-3, at most 2.5 s.\n\
                Refused by edge-1. Waiting for edge-2, at most 1.3 s.\n\
                warning: the receipt could not be had: none\n";
    let done = "Token jti_a revoked successfully.\n";
    assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.exit), (done, told, Some(0)));
    let asked = authority.asked();
    let token = format!("/v1/workspaces/{WORKSPACE}/tokens/jti_a");
    assert_eq!(asked[0].line, format!("DELETE {token}?reason=a"));
    assert_eq!(asked[0].header("prefer"), Some("wait=0"));
    assert!(asked[1..5].iter().all(|asked| asked.line == format!("GET {token}/revocation")));
    assert_eq!(asked[5].line, format!("GET {token}/receipt"));
}

#[test]
fn a_revoke_that_cannot_be_watched_to_its_end_is_not_called_revoked() {
    let authority = Prepared::with(vec![
        answer(202, "", &revoked("revoking", false)),
        on_its_way("", 2_546),
        answer(404, "", &refusal("NOT_FOUND", "no such path")),
    ]);
    let line = ["token", "revoke", "jti_a", "--force", "--verbose", "--format", "json"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told = "Refused by edge-1. Waiting for the verifiers of the authority's process before, \
                at most 2.6 s.\nwarning: the revocation cannot be watched: no such path\n";
    assert_eq!((run.stderr.as_str(), run.exit), (told, Some(7)));
    assert!(run.stdout.contains("\"status\": \"revoking\""), "{}", run.stdout);
    authority.asked();
}

#[test]
fn refusals_have_their_texts_and_exit_codes() {
    for (status, code, told, exit) in [
        (401, "AUTHENTICATION_REQUIRED", "The session has ended.", 3),
        (401, "TOKEN_EXPIRED", "The session has ended.", 3),
        (
            403,
            "CLERK_AUTHENTICATION_REQUIRED",
            "Clerk authentication required for token revocation",
            4,
        ),
        (403, "INSUFFICIENT_PERMISSIONS", "said so", 4),
        (404, "TOKEN_NOT_FOUND", "Token with JTI 'jti_a' not found", 5),
        (404, "WORKSPACE_NOT_FOUND", "Workspace not found", 5),
        (400, "INVALID_REQUEST", "said so", 2),
        (500, "INTERNAL", "said so", 1),
        (418, "NEVER_HEARD_OF", "said so", 1),
    ] {
        let authority = Prepared::with(vec![answer(status, "", &refusal(code, "said so"))]);
        let line = ["token", "revoke", "jti_a", "--force"];
        let run = Run::of(&mut Home::new().operator(&authority.url, &line));
        assert_eq!(run.exit, Some(exit), "{code}");
        assert!(run.stderr.starts_with(&format!("error: {told}\n")), "{code}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_create_is_repeated_with_the_same_key_when_told_to_come_back() {
    let created = format!(
        r#"{{"access_token":"wst_x","token_type":"Bearer","expires_in":60,"jti":"jti_a",
        "expires_at":"2024-08-07T12:30:00Z","scope":[],"workspace_id":"{WORKSPACE}","message":""}}"#
    );
    let later = answer(503, "retry-after: 0\r\n", &refusal("UNAVAILABLE", "later"));
    let authority = Prepared::with(vec![later.clone(), later, answer(201, "", &created)]);
    let line = ["token", "create", "--expires-in", "1m"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told = "New token created: wst_x\nToken JTI: jti_a\nExpires: 2024-08-07T12:30:00Z\n";
    assert_eq!((run.stdout.as_str(), run.exit), (told, Some(0)), "{}", run.stderr);
    let asked = authority.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key")).collect();
    assert!(keys[0].is_some_and(|key| key.len() == 32));
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(asked.iter().all(|asked| asked.body == r#"{"expires_in":60}"#));
}

#[test]
fn a_restricted_create_says_what_it_is_restricted_to() {
    let created = |networks: &str| {
        let body = format!(
            r#"{{"access_token":"wst_x","token_type":"Bearer","expires_in":60,"jti":"jti_a",
            "expires_at":"2024-08-07T12:30:00Z","scope":[],{networks}"workspace_id":"{WORKSPACE}",
            "message":""}}"#
        );
        answer(201, "", &body)
    };
    let scopes = ["--scope", "read,deploy:eu", "--scope", "read"];
    let networks = ["--source-network", "::ffff:192.0.2.0/120", "--source-network", "2001:db8::7"];
    let line = [&["token", "create", "--expires-in", "1m"][..], &scopes, &networks].concat();
    let networks = r#""source_networks":["192.0.2.0/24","2001:db8::7/128"],"#;
    let authority = Prepared::with(vec![created(networks)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told = "New token created: wst_x\nToken JTI: jti_a\nExpires: 2024-08-07T12:30:00Z\n";
    assert_eq!((run.stdout.as_str(), run.exit), (told, Some(0)), "{}", run.stderr);
    let sent = r#"{"expires_in":60,"scope":["read","deploy:eu"],"#.to_owned() + networks;
    assert_eq!(authority.asked()[0].body, format!("{}}}", sent.trim_end_matches(',')));

    // An authority that passes over networks has made a token that may be used from anywhere.
    let revoked = format!(
        r#"{{"workspace_id":"{WORKSPACE}","jti":"jti_a","token_jti":"jti_a","status":"revoked",
        "revoked_at":"2024-08-07T12:30:00Z","already_revoked":false,"message":""}}"#
    );
    let authority = Prepared::with(vec![created(""), answer(200, "", &revoked)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told = "error: This authority cannot restrict a token to networks; its token jti_a was \
                revoked\n";
    assert_eq!((run.stdout.as_str(), run.exit), ("", Some(2)));
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
    assert!(authority.asked()[1].line.starts_with("DELETE "));
}

#[test]
fn a_long_retry_after_is_not_waited_for() {
    let later = answer(503, "retry-after: 3600\r\n", &refusal("UNAVAILABLE", "later"));
    let authority = Prepared::with(vec![later]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["token", "list"]));
    assert_eq!((run.exit, run.stdout.as_str()), (Some(6), ""));
    assert_eq!(authority.asked().len(), 1);
}

#[test]
fn a_redirect_is_not_followed() {
    let authority = Prepared::with(vec![answer(307, "location: http://192.0.2.1/\r\n", "")]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["token", "list"]));
    assert_eq!(run.exit, Some(1), "{}", run.stderr);
    assert_eq!(authority.asked().len(), 1);
}

#[test]
fn all_pages_are_listed_and_nothing_in_them_steers_the_terminal() {
    let token = |jti: &str, description: &str| {
        let networks = if description.is_empty() { "" } else { r#""192.0.2.0/24""# };
        format!(
            r#"{{"jti":"{jti}","created_at":1723026600,"expires_at":1754562600,"revoked_at":null,
            "status":"active","description":"{description}","scope":["read"],
            "source_networks":[{networks}],"created_by":"op_a",
            "created_by_email":null,"last_used_at":null,"use_count":0}}"#
        )
    };
    let page = |token: &str, cursor: &str| {
        let body = format!(
            r#"{{"workspace_id":"{WORKSPACE}","count":1,"tokens":[{token}],"next_cursor":{cursor}}}"#
        );
        answer(200, "", &body)
    };
    let pages = || {
        vec![
            page(&token("jti_abc123def456", r"a\u001b[2Jb\u009bc\u202e\nd"), r#""x&y""#),
            page(&token("jti_old789xyz012", ""), "null"),
        ]
    };
    let authority = Prepared::with(pages());
    let line = ["token", "list", "--wide"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert!(run.stdout.contains("a�[2Jb�c��d"), "{}", run.stdout);
    assert!(!run.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}']));
    assert!(run.stdout.contains("jti_old789xyz012"));
    assert!(run.stdout.contains("│ Scope │ Networks     │"), "{}", run.stdout);
    assert!(run.stdout.contains("│ read  │ 192.0.2.0/24 │"), "{}", run.stdout);
    assert!(run.stdout.contains("│ read  │ anywhere     │"), "{}", run.stdout);
    let asked = authority.asked();
    assert!(asked[1].line.ends_with("?status=active&limit=500&cursor=x%26y"), "{}", asked[1].line);

    let authority = Prepared::with(pages());
    let mut command = Home::new().operator(&authority.url, &["token", "list"]);
    let table = Run::of(&mut command).stdout;
    let expected = "\
┌─────────────────────┬─────────────────────┬─────────────────────┬─────────┐
│ JTI                 │ Created             │ Expires             │ Current │
├─────────────────────┼─────────────────────┼─────────────────────┼─────────┤
│ jti_abc123def456    │ 2024-08-07 10:30:00 │ 2025-08-07 10:30:00 │         │
│ jti_old789xyz012    │ 2024-08-07 10:30:00 │ 2025-08-07 10:30:00 │         │
└─────────────────────┴─────────────────────┴─────────────────────┴─────────┘
";
    assert_eq!(table, expected);
}

#[test]
fn an_empty_list_is_no_data() {
    let body =
        format!(r#"{{"workspace_id":"{WORKSPACE}","count":0,"tokens":[],"next_cursor":null}}"#);
    let authority = Prepared::with(vec![answer(200, "", &body)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["token", "list"]));
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "No tokens found.\n"));
    assert_eq!(run.exit, Some(0));
}
