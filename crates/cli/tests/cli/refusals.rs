//! What is refused before anything is sent, and what happens when nobody answers.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use nt_token::clock::Stopwatch;

use crate::{Home, Run};

/// A listener that must not be called.
struct Nobody(TcpListener);

impl Nobody {
    fn new() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("the listener is ours");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        (Self(listener), url)
    }

    /// A connection would be waiting to be accepted although the process has ended.
    fn was_not_called(&self) {
        let call = self.0.accept().map(|(_, from)| from);
        let kind = call.expect_err("nothing was to be sent").kind();
        assert_eq!(kind, std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn an_ill_formed_jti_is_refused_before_anything_is_sent() {
    let (nobody, url) = Nobody::new();
    let home = Home::new();
    let long = "a".repeat(10 * 1024);
    let too_long = format!("jti_{}", "a".repeat(65));
    for jti in [
        "../../x",
        "..",
        "a?x=1",
        "jti_",
        "jti_a/b",
        "jti_a%2f",
        "jti_a\u{1b}[2J",
        "jti_a\n",
        "é",
        "",
        " ",
        "JTI_a",
        "jti_a b",
        &long,
        &too_long,
    ] {
        let run = Run::of(&mut home.operator(&url, &["token", "revoke", jti, "--force"]));
        assert_eq!(run.exit, Some(2), "{jti:.40}");
        assert!(run.stderr.starts_with("error: Invalid JTI format\n"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
        nobody.was_not_called();
    }
}

#[test]
fn a_lifetime_that_is_none_is_refused_before_anything_is_sent() {
    let (nobody, url) = Nobody::new();
    let home = Home::new();
    for time in ["0", "-5", "abc", "1e9", "", "1.5", "5x", "0d", "99999999999999999999", "-1d"] {
        for command in ["create", "refresh"] {
            let line = ["token", command, "--expires-in", time];
            let run = Run::of(&mut home.operator(&url, &line));
            assert_eq!(run.exit, Some(2), "{command} {time:?}: {}", run.stderr);
            assert!(run.stderr.starts_with("error: Invalid expiration time\n"), "{}", run.stderr);
            nobody.was_not_called();
        }
    }
}

#[test]
fn without_a_terminal_nothing_is_revoked_unless_forced() {
    let (nobody, url) = Nobody::new();
    let home = Home::new();
    for arguments in [
        ["token", "revoke", "jti_abc123def456"].as_slice(),
        // The name would have to be looked up: that, too, comes after.
        &["token", "revoke", "jti_abc123def456", "-w", "some-name"],
        &["token", "revoke", "jti_abc123def456", "--verbose"],
        &["workspace", "delete", "some-name"],
        &["verifiers", "remove", "edge-1"],
        &["workspace", "select"],
        &["config", "reset"],
    ] {
        let run = Run::of(&mut home.operator(&url, arguments));
        assert_eq!(run.exit, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("standard input is not a terminal"), "{}", run.stderr);
        assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
        nobody.was_not_called();
    }
}

#[test]
fn secrets_do_not_leave_in_the_clear() {
    let home = Home::new();
    let run = Run::of(&mut home.operator("http://192.0.2.1:8480", &["token", "list"]));
    assert_eq!(run.exit, Some(2));
    assert!(run.stderr.contains("neither encrypted nor on this machine"), "{}", run.stderr);
}

#[test]
fn an_authority_that_is_down_is_told_quickly() {
    let home = Home::new();
    let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", free.local_addr().expect("it is bound"));
    drop(free);
    for arguments in [
        ["token", "revoke", "jti_abc123def456", "--force"].as_slice(),
        &["token", "list"],
        &["token", "create"],
        &["token", "refresh"],
        &["workspace", "list"],
        &["auth", "status"],
        &["health"],
    ] {
        let running = Stopwatch::start();
        let run = Run::of(&mut home.operator(&url, arguments));
        assert_eq!(run.exit, Some(6), "{arguments:?}: {}", run.stderr);
        assert!(running.elapsed() < Duration::from_secs(10), "{arguments:?}");
        assert!(run.stderr.contains("Could not reach the authority"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn an_interrupt_ends_it_as_shells_expect() {
    use std::os::unix::process::ExitStatusExt as _;
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    let program = home.operator(&url, &["health"]);
    // A job that a shell started in the background ignores SIGINT, and hands that on.
    let mut running = Command::new("env");
    running.arg("--default-signal=INT").arg(program.get_program()).args(program.get_args());
    running.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut running = running.spawn().expect("the program starts");
    // Once it has called, it is in the middle of its work.
    let call = silent.accept().expect("it calls");
    let script = format!("kill -INT {}", running.id());
    let sent = Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell is there");
    assert!(sent.success());
    // A shell shows the end by this signal as 130, and ends a loop around the command, too.
    assert_eq!(running.wait().expect("it ends").signal(), Some(2));
    drop(call);
}

#[test]
fn an_authority_that_says_nothing_is_waited_for_within_the_limit() {
    let home = Home::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", silent.local_addr().expect("it is bound"));
    let running = Stopwatch::start();
    let run = Run::of(&mut home.operator(&url, &["health"]));
    assert_eq!(run.exit, Some(6), "{}", run.stderr);
    assert!(running.elapsed() < Duration::from_secs(15), "{:?}", running.elapsed());
}
