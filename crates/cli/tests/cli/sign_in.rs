//! Signing in, signing up, and signing in as a CI job.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::authority::{Prepared, answer};
use crate::world::{Provider, World, sign_in};
use crate::{Home, Run, WORKSPACE};

fn ntcli(home: &Home, world: &World, arguments: &[&str]) -> Command {
    let mut command = home.ntcli(arguments);
    command.env("NTCLI_API_URL", world.url());
    command
}

const LOGIN: [&str; 5] = ["auth", "login", "--no-browser", "--port", "0"];

fn kept(home: &Home) -> String {
    std::fs::read_to_string(home.file("credentials.json")).expect("is there")
}

fn signed_in() -> (World, Home) {
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let (_, run) = sign_in(&mut ntcli(&home, &world, &LOGIN));
    assert_eq!((run.exit, run.stdout.as_str()), (Some(0), "✅ Authenticated as a@example.com\n"));
    (world, home)
}

#[test]
fn a_sign_in_keeps_what_the_session_is_renewed_with() {
    let (_world, home) = signed_in();
    let kept: serde_json::Value = serde_json::from_str(&kept(&home)).expect("is JSON");
    let text = kept.to_string();
    assert!(text.contains(r#""access_token":"nts_1""#), "{text}");
    assert!(text.contains(r#""refresh_token":"rt_1""#), "{text}");
}

#[test]
fn signing_up_asks_for_the_page_where_accounts_are_made() {
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let (url, run) =
        sign_in(&mut ntcli(&home, &world, &["auth", "signup", "--no-browser", "--port", "0"]));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert!(url.ends_with("&prompt=create"), "{url}");
    assert_eq!(url.matches("prompt=").count(), 1, "{url}");
    assert!(run.stderr.contains("Open this address in a browser to sign up:\n"), "{}", run.stderr);
    let (url, _) = sign_in(&mut ntcli(&Home::new(), &World::new(Provider::Rotates), &LOGIN));
    assert!(!url.contains("create"), "{url}");
}

#[test]
fn a_failed_sign_in_leaves_the_session_in_place() {
    let (world, home) = signed_in();
    let before = kept(&home);
    let late = ["auth", "login", "--force", "--no-browser", "--port", "0", "--timeout", "1"];
    let run = Run::of(&mut ntcli(&home, &world, &late));
    assert_eq!(run.exit, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.ends_with(
            "error: Signing in failed: nobody signed in within the time.\n\
             hint: ntcli auth login --timeout 300000\n"
        ),
        "{}",
        run.stderr
    );
    assert_eq!(kept(&home), before);
    let again = Run::of(&mut ntcli(&home, &world, &["auth", "login"]));
    assert_eq!(again.exit, Some(0), "{}", again.stderr);
    assert!(again.stderr.contains("Already signed in"), "{}", again.stderr);
}

#[test]
fn a_forced_sign_in_ends_the_session_that_it_replaces() {
    let (world, home) = signed_in();
    drop(world.asked());
    let (_, run) = sign_in(&mut ntcli(&home, &world, &[LOGIN.as_slice(), &["--force"]].concat()));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let asked = world.asked();
    let last = asked.last().expect("something was asked");
    assert_eq!(last.line, "DELETE /v1/auth/session");
    assert_eq!(last.header("authorization"), Some("Bearer nts_1"));
    assert!(kept(&home).contains("nts_2"));
}

#[test]
fn a_taken_port_is_passed_over_and_a_wrong_state_does_not_end_the_wait() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port();
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let line = ["auth", "login", "--no-browser", "--port", &port.to_string()];
    let mut command = ntcli(&home, &world, &line);
    let mut running =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(running.stderr.take().expect("it is piped")).lines();
    let mut lines = lines.by_ref().map(|line| line.expect("UTF-8"));
    let url = lines.find(|line| line.starts_with("http")).expect("an address is shown");
    let parameter = |name: &str| {
        let mut parts = url.split(['?', '&']);
        parts.find_map(|part| part.strip_prefix(name)).expect("it is there").to_owned()
    };
    let back = parameter("redirect_uri=").replace("%3A", ":").replace("%2F", "/");
    let (host, path) = back.trim_start_matches("http://").split_once('/').expect("it has a path");
    let other: u16 = host.rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
    assert!((port + 1..=port + 10).contains(&other), "{other}");
    let open = |state: &str| {
        let mut browser = TcpStream::connect(host).expect("the program listens");
        let request = format!("GET /{path}?code=c&state={state} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        browser.write_all(request.as_bytes()).expect("the program reads");
        let mut page = String::new();
        browser.read_to_string(&mut page).expect("the program answers");
        page
    };
    let page = open("%3Cscript%3E");
    assert!(page.starts_with("HTTP/1.1 400 ") && !page.contains("<script"), "{page}");
    assert!(open(&parameter("state=")).starts_with("HTTP/1.1 200 "));
    assert_eq!(running.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_ci_job_signs_in_with_its_token() {
    let (world, home) = (World::new(Provider::Refuses), Home::new());
    let home = home.with_file("job-token", "ci.job.token\n");
    let file = home.file("job-token").display().to_string();
    let line = ["auth", "login", "--oidc-token-file", &file];
    let mut command = ntcli(&home, &world, &line);
    // A keyring that would be asked would be told about.
    let run = Run::of(command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"));
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.stdout, "✅ Authenticated as a@example.com\n");
    let asked = world.asked();
    assert_eq!(asked.len(), 2, "the exchange, and the keys");
    assert_eq!(asked[0].body, r#"{"oauth_token":"ci.job.token"}"#);
    assert!(kept(&home).contains("nts_1") && !kept(&home).contains("ci.job.token"));
    assert!(!home.file("config.toml").exists());

    let ntcli = env!("CARGO_BIN_EXE_ntcli");
    let script =
        format!("printf ci.job.token | {ntcli} auth login --oidc-token-file - --format json");
    let mut piped = Command::new("/bin/sh");
    piped.args(["-c", &script]).env_clear().env("NTCLI_CONFIG_DIR", home.folder());
    let run = Run::of(piped.env("NTCLI_API_URL", world.url()));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains(r#""user_id": "op_a""#) && !run.stdout.contains("nts_"));
}

#[test]
fn what_is_no_job_token_is_not_sent() {
    let world = World::new(Provider::Refuses);
    let long = format!("a.b.{}", "c".repeat(16 * 1024));
    for text in ["", "nonsense", "a.b", "a.b c.d", &long] {
        let home = Home::new().with_file("job-token", text);
        let file = home.file("job-token").display().to_string();
        let line = ["auth", "login", "--oidc-token-file", &file];
        let run = Run::of(&mut ntcli(&home, &world, &line));
        assert_eq!(run.exit, Some(2), "{text:.20}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: There is no OIDC token in "), "{}", run.stderr);
    }
    let line = ["auth", "login", "--oidc-token-file", "/nowhere"];
    assert_eq!(Run::of(&mut ntcli(&Home::new(), &world, &line)).exit, Some(1));
    assert!(world.asked().is_empty());
    let mut homeless = Home::new().ntcli(&line);
    let run = Run::of(homeless.env_clear());
    assert!(run.stderr.contains("hint: set NTCLI_CONFIG_DIR"), "{}", run.stderr);
}

#[test]
fn sessions_are_listed_and_ended() {
    let info = r#"{"user":{"id":"op_a","email":"a@example.com","name":null},
        "created_at":"2024-08-07T12:30:00Z","expires_at":"2024-08-08T12:30:00Z"}"#;
    let sessions = r#"{"total":2,"sessions":[
        {"id":"ses_1","created_at":"2024-08-07T12:30:00Z","last_used_at":"2024-08-07T12:31:00Z",
        "expires_at":"2024-08-08T12:30:00Z","from":"192.0.2.1","client":"ntcli/0.1.0","current":true},
        {"id":"ses_2","created_at":"2024-08-06T12:30:00Z","last_used_at":"2024-08-06T12:31:00Z",
        "expires_at":"2024-08-08T11:30:00Z","from":null,"client":"a\\u001b[2J","current":false}]}"#;
    let ok = |body: &str| answer(200, "", body);
    let missing = r#"{"error":{"code":"NOT_FOUND","message":"no","request_id":"x"}}"#;
    let authority = Prepared::with(vec![
        ok(info),
        ok(&sessions.replace("\\\\", "\\")),
        ok(r#"{"status":"ended","count":1}"#),
        ok(r#"{"status":"ended","count":2}"#),
        answer(404, "", missing),
    ]);
    let home = Home::new();
    let run = |line: &[&str]| Run::of(&mut home.operator(&authority.url, line));
    let listed = run(&["auth", "status", "--sessions"]);
    assert!(listed.stdout.starts_with("✅ Authenticated as a@example.com\nUser ID:    op_a\n"));
    let row = "│ ses_1   │ 2024-08-07 12:30:00 │ 2024-08-07 12:31:00 │ 2024-08-08 12:30:00 │ 192.0.2.1 │ \
               ntcli/0.1.0 │ ✓        │";
    assert!(listed.stdout.contains(row), "{}", listed.stdout);
    assert!(!listed.stdout.contains('\u{1b}'));
    assert_eq!(run(&["auth", "status", "--end", "ses/2"]).stdout, "Session ses/2 ended.\n");
    assert_eq!(run(&["auth", "status", "--end-others"]).stdout, "2 other sessions ended.\n");
    let missing = run(&["auth", "status", "--end", "ses_9"]);
    assert_eq!(missing.exit, Some(5));
    assert!(missing.stderr.starts_with("error: Session 'ses_9' not found\n"), "{}", missing.stderr);
    let lines: Vec<_> = authority.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/auth/session",
            "GET /v1/auth/sessions",
            "DELETE /v1/auth/sessions/ses%2F2",
            "DELETE /v1/auth/sessions",
            "DELETE /v1/auth/sessions/ses_9",
        ]
    );
}

#[test]
fn members_are_managed() {
    let member = |status: &str, role: &str| {
        format!(
            r#"{{"operator_id":null,"email":"ada@example.com","name":null,"role":"{role}",
            "status":"{status}","since":"2024-08-07T12:30:00Z"}}"#
        )
    };
    let list = format!(
        r#"{{"workspace_id":"{WORKSPACE}","members":[{}],"total":1}}"#,
        member("invited", "developer")
    );
    let removed = format!(
        r#"{{"workspace_id":"{WORKSPACE}","operator_id":"op_b","status":"removed","revoked_tokens":3}}"#
    );
    let missing = r#"{"error":{"code":"NOT_FOUND","message":"no","request_id":"x"}}"#;
    let authority = Prepared::with(vec![
        answer(201, "", &member("invited", "developer")),
        answer(200, "", &list),
        answer(200, "", &member("active", "admin")),
        answer(200, "", &removed),
        answer(404, "", missing),
    ]);
    let home = Home::new();
    let run = |line: &[&str]| {
        let line = [["workspace", "members"].as_slice(), line].concat();
        Run::of(&mut home.operator(&authority.url, &line))
    };
    assert_eq!(
        run(&["add", "ada@example.com", "--role", "developer"]).stdout,
        "ada@example.com is invited as developer, and becomes a member by signing in with this \
         address.\n"
    );
    let listed = run(&["ls"]).stdout;
    assert!(listed.contains("│ ada@example.com │      │ developer │ Invited │"), "{listed}");
    assert_eq!(
        run(&["role", "ada@example.com", "admin"]).stdout,
        "ada@example.com is admin now.\n"
    );
    let unasked = run(&["remove", "ada@example.com"]);
    assert_eq!(unasked.exit, Some(2), "{}", unasked.stderr);
    assert_eq!(
        run(&["rm", "ada+x@example.com", "--revoke-their-tokens", "--force"]).stdout,
        "ada+x@example.com is removed. 3 tokens were revoked.\n"
    );
    let nobody = run(&["rm", "op_nobody", "-f"]);
    assert_eq!(nobody.exit, Some(5));
    assert!(nobody.stderr.starts_with("error: Member 'op_nobody' not found\n"));
    let asked = authority.asked();
    let members = format!("/v1/workspaces/{WORKSPACE}/members");
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.replace(&members, "")).collect();
    assert_eq!(
        lines,
        [
            "POST ",
            "GET ",
            "PATCH /ada%40example.com",
            "DELETE /ada%2Bx%40example.com?revoke_their_tokens=true",
            "DELETE /op_nobody",
        ]
    );
    assert_eq!(asked[0].body, r#"{"email":"ada@example.com","role":"developer"}"#);
    assert_eq!(asked[2].body, r#"{"role":"admin"}"#);
}
