//! Every help page, and the texts of the errors that need no authority.

use crate::snapshot::check;
use crate::{Home, Run, WORKSPACE};

const COMMANDS: &[&str] = &[
    "",
    "auth",
    "auth login",
    "auth logout",
    "auth signup",
    "auth status",
    "workspace",
    "workspace create",
    "workspace list",
    "workspace switch",
    "workspace select",
    "workspace delete",
    "workspace clear",
    "workspace sync",
    "workspace members",
    "workspace members list",
    "workspace members add",
    "workspace members role",
    "workspace members remove",
    "token",
    "token create",
    "token list",
    "token show",
    "token refresh",
    "token revoke",
    "audit",
    "audit list",
    "receipt",
    "receipt show",
    "receipt verify",
    "verifiers",
    "verifiers add",
    "verifiers list",
    "verifiers remove",
    "clients",
    "clients add",
    "clients list",
    "clients remove",
    "domain",
    "domain show",
    "domain set",
    "config",
    "config show",
    "config path",
    "config secrets",
    "config reset",
    "health",
    "info",
    "completions",
    "man",
    "help",
];

#[test]
fn every_help_page_is_as_written() {
    let home = Home::new();
    for command in COMMANDS {
        let arguments: Vec<_> = command.split_whitespace().chain(["--help"]).collect();
        let run = home.run(&arguments);
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{command}");
        let name = format!("help {command}").trim().replace(' ', "-");
        check(&format!("{name}.txt"), &run.stdout);
    }
}

#[test]
fn help_is_also_a_command() {
    let home = Home::new();
    assert_eq!(
        home.run(&["help", "token", "revoke"]).stdout,
        home.run(&["token", "revoke", "--help"]).stdout
    );
    check("exit-codes.txt", &home.run(&["help", "exit-codes"]).stdout);
}

#[test]
fn errors_are_told_as_written() {
    let lines: &[&[&str]] = &[
        &["tokn", "list"],
        &["token", "revok", "jti_a"],
        &["token", "revok", "jti_a", "--format", "json"],
        &["token", "revoke"],
        &["token", "revoke", "--format=json"],
        &["token", "list", "--format", "xml"],
        &["help", "token", "revok"],
        &["token", "revoke", "../../x"],
        &["token", "revoke", "../../x", "--format", "json"],
        &["token", "create", "--expires-in", "-5"],
        &["token", "create", "--expires-in", "24h", "--no-expiry"],
        &["token", "create", "--scope", "a b"],
        &["token", "create", "--source-network", "192.0.2.1/24"],
        &["token", "create", "--source-network", "192.0.2.0/24,example.com"],
        &["token", "refresh", "--scope", ""],
        &["token", "revoke", "jti_abc123def456", "--force"],
        &["token", "revoke", "jti_abc123def456", "--force", "--format", "json"],
        &["token", "list"],
        &["token", "create"],
        &["token", "refresh"],
        &["token", "show"],
        &["auth", "status"],
        &["auth", "status", "--format", "json"],
        &["auth", "logout"],
        &["workspace", "create", "No"],
        &["workspace", "switch", "unknown"],
        &["workspace", "clear"],
        &["audit", "list", "--since", "yesterday"],
        &["verifiers", "add", "Edge_1"],
        &["clients", "add", "Billing_1", "--may", "introspect"],
        &["clients", "add", "billing"],
        &["clients", "add", "billing", "--may", "introspect,issue"],
        &["domain", "show"],
        &["domain", "set", "http://auth.example.com"],
        &["domain", "set", "https://auth.example.com/path"],
        &["config", "reset"],
    ];
    let home = Home::new();
    let told: Vec<_> = lines.iter().map(|line| transcript(line, &home.run(line))).collect();
    check("errors.txt", &told.join("\n"));
}

#[test]
fn a_workspace_token_is_refused_where_an_operator_is_needed() {
    let home = Home::new();
    let mut told = Vec::new();
    for variable in ["NTCLI_WORKSPACE_TOKEN", "NTCLI_TOKEN", "NTCLI_SESSION_TOKEN"] {
        for arguments in [
            ["token", "revoke", "jti_abc123def456"].as_slice(),
            &["token", "create"],
            &["token", "list"],
            &["token", "refresh"],
        ] {
            let mut command = home.ntcli(arguments);
            command.env(variable, "wst_x.y.z").env("NTCLI_WORKSPACE", WORKSPACE);
            let run = Run::of(&mut command);
            assert_eq!(run.exit, Some(4), "{variable} {arguments:?}");
            told.push(transcript(arguments, &run));
        }
    }
    let (first, others) = told.split_at(4);
    assert_eq!(first, &others[..4]);
    assert_eq!(first, &others[4..]);
    check("operator-needed.txt", &first.join("\n"));
}

#[test]
fn completions_and_manual_pages_are_there() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completions", shell]).stdout;
        assert!(script.contains("revoke"), "{shell}");
    }
    let page = home.run(&["man"]).stdout;
    assert!(page.starts_with(".ie") && page.contains(".TH ntcli 1"), "{page:.200}");
    let folder = home.root.path().join("man1");
    let run = home.run(&["man", "--dir", folder.to_str().expect("UTF-8")]);
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let page = std::fs::read_to_string(folder.join("ntcli-token-revoke.1")).expect("is written");
    assert!(page.contains("Revoke a token for good"));
}

#[test]
fn colours_are_used_when_asked_for_and_never_otherwise() {
    let home = Home::new();
    let wrong = ["token", "revoke", ".."];
    assert!(!home.run(&wrong).stderr.contains('\u{1b}'));
    let coloured = home.run(&["--color", "always", "token", "revoke", ".."]).stderr;
    assert!(coloured.contains("\u{1b}[1m\u{1b}[31merror:"), "{coloured:?}");
    let forced = Run::of(home.ntcli(&wrong).env("CLICOLOR_FORCE", "1")).stderr;
    assert!(forced.contains('\u{1b}'));
    let without = ["--color", "never", "token", "revoke", ".."];
    let never = Run::of(home.ntcli(&without).env("CLICOLOR_FORCE", "1")).stderr;
    assert!(!never.contains('\u{1b}'));
}

fn transcript(line: &[&str], run: &Run) -> String {
    let part = |name: &str, text: &str| match text {
        "" => String::new(),
        text => format!("[{name}]\n{text}"),
    };
    let exit = run.exit.map_or("signal".to_owned(), |code| code.to_string());
    let (stdout, stderr) = (part("stdout", &run.stdout), part("stderr", &run.stderr));
    format!("$ ntcli {}\n{stdout}{stderr}[exit {exit}]\n", line.join(" "))
}
