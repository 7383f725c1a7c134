//! The files: kept when they are wrong, mended when they are open, and never short of an update.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::{Home, Run, WORKSPACE, mode};

#[test]
fn a_corrupt_file_is_named_with_its_line_and_kept_byte_for_byte() {
    for (name, text, place) in [
        ("config.toml", "authority = \"https://a.example\"\n\n[[[\n", "config.toml, line 3:"),
        ("config.toml", "authority = \"ftp://a.example\"\n", "config.toml, line 1:"),
        ("config.toml", "\u{0}\u{1}\u{2}", "config.toml, line 1:"),
        ("credentials.json", "{\n  \"authorities\": {\n    x\n", "credentials.json, line 3:"),
        ("credentials.json", "", "credentials.json, line 1:"),
        ("credentials.json", "[]", "credentials.json, line 1:"),
    ] {
        let home = Home::new().with_file(name, text);
        for arguments in [
            ["token", "list"].as_slice(),
            &["token", "refresh"],
            &["auth", "status"],
            &["auth", "logout"],
            &["config", "show"],
        ] {
            let run = home.run(arguments);
            assert_eq!(run.exit, Some(1), "{arguments:?}: {}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains(place), "{arguments:?}: {}", run.stderr);
        }
        if name == "config.toml" {
            for arguments in
                [["domain", "set", "a.example"].as_slice(), &["workspace", "switch", WORKSPACE]]
            {
                assert_eq!(home.run(arguments).exit, Some(1), "{arguments:?}");
            }
        }
        let json = home.run(&["config", "show", "--format", "json"]);
        assert!(json.stderr.contains(r#""code":"CONFIG_INVALID""#), "{}", json.stderr);
        assert_eq!(fs::read(home.file(name)).expect("is there"), text.as_bytes(), "{name}");
    }
}

#[test]
fn a_reset_asks_or_is_forced_and_says_what_is_gone() {
    let home = Home::new().with_file("config.toml", "[[[").with_file("credentials.json", "{");
    assert_eq!(home.run(&["config", "reset"]).exit, Some(2));
    assert!(home.file("credentials.json").exists());
    let run = home.run(&["config", "reset", "--force"]);
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("credentials.json"), "{}", run.stdout);
    assert!(!home.file("credentials.json").exists() && !home.file("config.toml").exists());
    assert_eq!(home.run(&["config", "show"]).exit, Some(0));
}

#[test]
fn a_wider_mode_is_mended_with_a_warning() {
    let home = Home::new()
        .with_file("config.toml", "")
        .with_file("credentials.json", "{\"authorities\":{}}");
    let open = |name, mode| {
        fs::set_permissions(home.file(name), fs::Permissions::from_mode(mode)).expect("is ours");
    };
    open("config.toml", 0o644);
    open("credentials.json", 0o660);
    open("", 0o755);
    let run = home.run(&["config", "show"]);
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(run.stderr.matches("warning: ").count(), 3, "{}", run.stderr);
    assert!(run.stderr.contains("config.toml had mode 0644; it is 0600 now."), "{}", run.stderr);
    assert_eq!(mode(&home.file("config.toml")), 0o600);
    assert_eq!(mode(&home.file("credentials.json")), 0o600);
    assert_eq!(mode(&home.folder()), 0o700);
    assert_eq!(home.run(&["config", "show"]).stderr, "");
}

#[test]
fn new_files_are_private_whatever_the_umask() {
    let home = Home::new();
    let ntcli = env!("CARGO_BIN_EXE_ntcli");
    let run = Run::of(
        Command::new("/bin/sh")
            .args(["-c", &format!("umask 0; exec {ntcli} workspace switch {WORKSPACE}")])
            .env("NTCLI_CONFIG_DIR", home.folder()),
    );
    assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(mode(&home.file("config.toml")), 0o600);
    assert_eq!(mode(&home.file("config.toml.lock")), 0o600);
    assert_eq!(mode(&home.folder()), 0o700);
}

#[test]
fn a_symbolic_link_is_left_alone() {
    let home = Home::new().with_file("elsewhere", "authority = \"https://a.example\"\n");
    std::os::unix::fs::symlink(home.file("elsewhere"), home.file("config.toml")).expect("is ours");
    let run = home.run(&["domain", "set", "b.example"]);
    assert_eq!(run.exit, Some(1));
    assert!(run.stderr.contains("is a symbolic link"), "{}", run.stderr);
    let kept = fs::read_to_string(home.file("elsewhere")).expect("is there");
    assert_eq!(kept, "authority = \"https://a.example\"\n");
}

#[test]
fn when_nothing_more_can_be_written_the_old_file_stays() {
    let old = "authority = \"https://a.example\"\n";
    let home = Home::new().with_file("config.toml", old);
    let ntcli = env!("CARGO_BIN_EXE_ntcli");
    // No file may grow at all; the signal is ignored, so that the write fails as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f 0; exec {ntcli} domain set b.example");
    let run = Run::of(
        Command::new("/bin/sh").args(["-c", &script]).env("NTCLI_CONFIG_DIR", home.folder()),
    );
    assert_eq!(run.exit, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.starts_with("error: Could not write "), "{}", run.stderr);
    assert_eq!(fs::read_to_string(home.file("config.toml")).expect("is there"), old);
    let mut names: Vec<_> = fs::read_dir(home.folder())
        .expect("is there")
        .map(|entry| entry.expect("is readable").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["config.toml", "config.toml.lock"]);
}

#[test]
fn eight_at_once_on_one_configuration_lose_nothing() {
    const AT_ONCE: usize = 8;
    let home = Home::new();
    for round in 0..50 {
        let workspace = |n: usize| format!("00000000-0000-4000-8000-{round:06}{n:06}");
        let running: Vec<_> = (0..AT_ONCE)
            .map(|n| {
                let mut command = if n == 0 {
                    home.ntcli(&["domain", "set", &format!("round-{round}.example")])
                } else {
                    let mut command = home.ntcli(&["workspace", "switch", &workspace(n)]);
                    command.env("NTCLI_API_URL", format!("http://127.0.0.1:{n}"));
                    command
                };
                command.stdout(Stdio::null()).spawn().expect("the program starts")
            })
            .collect();
        for mut process in running {
            assert!(process.wait().expect("it ends").success());
        }
        let text = fs::read_to_string(home.file("config.toml")).expect("is there");
        let config: toml::Table = text.parse().expect("is TOML");
        let set = format!("https://round-{round}.example");
        assert_eq!(config["authority"].as_str(), Some(set.as_str()));
        let active: BTreeMap<_, _> = config["authorities"]
            .as_table()
            .expect("a table")
            .iter()
            .map(|(url, at)| (url.clone(), at["active"].as_str().expect("a UUID").to_owned()))
            .collect();
        let expected =
            (1..AT_ONCE).map(|n| (format!("http://127.0.0.1:{n}"), workspace(n))).collect();
        assert_eq!(active, expected, "round {round}");
    }
}
