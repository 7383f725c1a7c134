//! `ntcli verifiers`: what is sent, and what is printed where.

use crate::authority::{Prepared, answer};
use crate::{Home, Run};

const ADDED: &str = r#"{"name":"edge-1","id":"vrf_1","credential":"ntv_secret",
    "created_at":"2024-08-07T12:30:00Z"}"#;

const LIST: &str = r#"{"verifiers":[
    {"name":"edge-1","id":"vrf_1","created_at":"2024-08-07T12:30:00Z","created_by":"op_1",
     "last_connected_at":"2024-08-07T12:31:00Z","version":"ntd-edge 0.1.0","connected":true,
     "position":{"epoch":0,"seq":41},"lease_ms_left":1800,"last_ack_ms_ago":20,
     "processes":[
        {"name":"blue","connected":true,"position":{"epoch":0,"seq":41},"lease_ms_left":1800,
         "last_ack_ms_ago":20},
        {"name":"green","connected":false,"position":{"epoch":0,"seq":40},"lease_ms_left":900,
         "last_ack_ms_ago":1100}]},
    {"name":"edge-2","id":"vrf_2","created_at":"2024-08-07T12:30:00Z","created_by":"op_1",
     "last_connected_at":null,"version":null,"connected":false,
     "position":null,"lease_ms_left":null,"last_ack_ms_ago":null,"processes":[]}]}"#;

fn refusal(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"{message}","request_id":"x"}}}}"#)
}

#[test]
fn the_credential_alone_is_on_standard_output() {
    let authority = Prepared::with(vec![answer(201, "", ADDED)]);
    let line = ["verifiers", "add", "edge-1"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert_eq!((run.stdout.as_str(), run.exit), ("ntv_secret\n", Some(0)));
    assert!(run.stderr.contains("shown this once"), "{}", run.stderr);
    assert!(run.stderr.contains("only the verifier can read"), "{}", run.stderr);
    assert!(!run.stderr.contains("ntv_"), "{}", run.stderr);
    let asked = authority.asked();
    assert_eq!(asked[0].line, "POST /v1/verifiers");
    assert_eq!(asked[0].body, r#"{"name":"edge-1"}"#);
}

#[test]
fn an_addition_is_not_repeated_by_itself() {
    let busy = refusal("UNAVAILABLE", "later");
    let authority = Prepared::with(vec![answer(503, "retry-after: 0\r\n", &busy)]);
    let line = ["verifiers", "add", "edge-1"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert_eq!(run.exit, Some(6), "{}", run.stderr);
    assert_eq!(authority.asked().len(), 1);
}

#[test]
fn the_list_is_a_table_or_json() {
    let authority = Prepared::with(vec![answer(200, "", LIST), answer(200, "", LIST)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["verifiers", "list"]));
    let expected = "\
┌────────┬─────────┬─────────────────────┬─────────────────────┬────────────────┬───────────┬──────────┬────────────┬─────────────┐
│ Name   │ Process │ Created             │ Last connected      │ Version        │ Connected │ Position │ Lease left │ Last ack    │
├────────┼─────────┼─────────────────────┼─────────────────────┼────────────────┼───────────┼──────────┼────────────┼─────────────┤
│ edge-1 │ blue    │ 2024-08-07 12:30:00 │ 2024-08-07 12:31:00 │ ntd-edge 0.1.0 │ ✓         │ 0:41     │ 1800 ms    │ 20 ms ago   │
│ edge-1 │ green   │ 2024-08-07 12:30:00 │ 2024-08-07 12:31:00 │ ntd-edge 0.1.0 │           │ 0:40     │ 900 ms     │ 1100 ms ago │
│ edge-2 │         │ 2024-08-07 12:30:00 │ never               │                │           │          │            │             │
└────────┴─────────┴─────────────────────┴─────────────────────┴────────────────┴───────────┴──────────┴────────────┴─────────────┘
";
    assert_eq!((run.stdout.as_str(), run.exit), (expected, Some(0)), "{}", run.stdout);
    let line = ["verifiers", "list", "--format", "json"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let list: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let sent: serde_json::Value = serde_json::from_str(LIST).expect("JSON");
    assert_eq!(list, sent);
    assert!(authority.asked().iter().all(|asked| asked.line == "GET /v1/verifiers"));
}

#[test]
fn an_empty_list_says_what_to_do() {
    let authority = Prepared::with(vec![answer(200, "", r#"{"verifiers":[]}"#)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["verifiers", "list"]));
    assert_eq!((run.stdout.as_str(), run.exit), ("", Some(0)));
    assert_eq!(run.stderr, "No verifiers found.\nhint: ntcli verifiers add <name>\n");
    authority.asked();
}

#[test]
fn a_removal_is_one_request() {
    let removed = r#"{"name":"edge-1","status":"removed"}"#;
    let authority = Prepared::with(vec![answer(200, "", removed)]);
    let line = ["verifiers", "remove", "edge-1", "-f"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let expected = ("Verifier edge-1 removed successfully.\n", "", Some(0));
    assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.exit), expected);
    assert_eq!(authority.asked()[0].line, "DELETE /v1/verifiers/edge-1");
}

#[test]
fn refusals_have_their_texts_and_exit_codes() {
    let add = ["verifiers", "add", "edge-1"].as_slice();
    let remove = ["verifiers", "remove", "edge-1", "--force"].as_slice();
    for (line, status, code, told, exit) in [
        (add, 409, "VERIFIER_EXISTS", "error: no\nhint: ntcli verifiers list\n", 1),
        (add, 403, "INSUFFICIENT_PERMISSIONS", "error: no\n", 4),
        (
            add,
            403,
            "CLERK_AUTHENTICATION_REQUIRED",
            "error: Clerk authentication required for adding verifiers\nhint: ntcli auth login\n",
            4,
        ),
        (
            remove,
            404,
            "VERIFIER_NOT_FOUND",
            "error: Verifier 'edge-1' not found\nhint: ntcli verifiers list\n",
            5,
        ),
    ] {
        let authority = Prepared::with(vec![answer(status, "", &refusal(code, "no"))]);
        let run = Run::of(&mut Home::new().operator(&authority.url, line));
        assert_eq!((run.stderr.as_str(), run.exit), (told, Some(exit)), "{code}");
        assert_eq!(run.stdout, "");
        authority.asked();
    }
}
