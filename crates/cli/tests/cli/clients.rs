//! `ntcli clients`: what is sent, and what is printed where.

use crate::authority::{Prepared, answer};
use crate::{Home, Run, WORKSPACE};

const ADDED: &str = r#"{"client_id":"billing","client_secret":"ntc_secret","may":["introspect"],
    "workspace":null,"created_at":"2024-08-07T12:30:00Z"}"#;

fn refusal(code: &str, message: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"{message}","request_id":"x"}}}}"#)
}

#[test]
fn the_secret_alone_is_on_standard_output() {
    let authority = Prepared::with(vec![answer(201, "", ADDED)]);
    let line = ["clients", "add", "billing", "--may", "introspect"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert_eq!((run.stdout.as_str(), run.exit), ("ntc_secret\n", Some(0)), "{}", run.stderr);
    assert!(run.stderr.contains("shown this once"), "{}", run.stderr);
    assert!(!run.stderr.contains("ntc_"), "{}", run.stderr);
    let asked = authority.asked();
    assert_eq!(asked[0].line, "POST /v1/clients");
    assert_eq!(asked[0].body, r#"{"name":"billing","may":["introspect"]}"#);
}

#[test]
fn rights_and_the_workspace_are_sent_as_they_were_said() {
    let authority = Prepared::with(vec![answer(201, "", ADDED)]);
    let line = ["clients", "add", "billing", "--may", "revoke,introspect", "-w", WORKSPACE];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let sent = authority.asked()[0].body.clone();
    let expected =
        format!(r#"{{"name":"billing","may":["revoke","introspect"],"workspace":"{WORKSPACE}"}}"#);
    assert_eq!(sent, expected);
}

#[test]
fn the_list_is_a_table_or_json() {
    let list = format!(
        r#"{{"clients":[
        {{"client_id":"billing","may":["introspect","revoke"],"workspace":"{WORKSPACE}",
          "created_at":"2024-08-07T12:30:00Z","created_by":"op_1"}},
        {{"client_id":"gateway","may":["introspect"],"workspace":null,
          "created_at":"2024-08-07T12:30:00Z","created_by":"op_1"}}]}}"#
    );
    let authority = Prepared::with(vec![answer(200, "", &list), answer(200, "", &list)]);
    let run = Run::of(&mut Home::new().operator(&authority.url, &["clients", "list"]));
    let rows: Vec<_> = run.stdout.lines().filter(|line| line.contains("2024")).collect();
    assert_eq!(rows.len(), 2, "{}", run.stdout);
    for part in ["billing", "introspect, revoke", WORKSPACE, "2024-08-07 12:30:00"] {
        assert!(rows[0].contains(part), "{}", rows[0]);
    }
    assert!(rows[1].contains("gateway") && rows[1].contains("any"), "{}", rows[1]);
    let line = ["clients", "list", "--format", "json"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let sent: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(told, sent);
}

#[test]
fn a_removal_is_one_request() {
    let removed = r#"{"client_id":"billing","status":"removed"}"#;
    let authority = Prepared::with(vec![answer(200, "", removed)]);
    let line = ["clients", "remove", "billing", "-f"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let expected = ("Client billing removed successfully.\n", "", Some(0));
    assert_eq!((run.stdout.as_str(), run.stderr.as_str(), run.exit), expected);
    assert_eq!(authority.asked()[0].line, "DELETE /v1/clients/billing");
}

#[test]
fn refusals_have_their_texts_and_exit_codes() {
    let add = ["clients", "add", "billing", "--may", "revoke"].as_slice();
    let remove = ["clients", "remove", "billing", "--force"].as_slice();
    for (line, status, code, told, exit) in [
        (add, 409, "CLIENT_EXISTS", "error: no\nhint: ntcli clients list\n", 1),
        (add, 403, "INSUFFICIENT_PERMISSIONS", "error: no\n", 4),
        (
            remove,
            404,
            "CLIENT_NOT_FOUND",
            "error: Client 'billing' not found\nhint: ntcli clients list\n",
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
