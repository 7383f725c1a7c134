//! Secrets in a real Secret Service, on a D-Bus of the test's own: gnome-keyring.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nt_token::clock::Stopwatch;

use crate::world::{Provider, World, sign_in, token};
use crate::{Home, Run, WORKSPACE};

const PATIENCE: Duration = Duration::from_secs(20);

/// A session with a bus and an unlocked keyring, gone when it is dropped.
struct Session {
    bus: Child,
    keyring: Child,
    address: String,
}

impl Session {
    fn start(folder: &Path) -> Self {
        let runtime = folder.join("run");
        std::fs::create_dir(&runtime).expect("the folder is ours");
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:path={}", runtime.join("bus").display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed (cargo xtask test does it)");
        let mut address = String::new();
        let stdout = bus.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut address).expect("the bus says where it is");
        let address = address.trim().to_owned();
        let mut keyring = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--unlock", "--components=secrets"])
            .env_remove("DISPLAY")
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder.join("data"))
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon is installed (cargo xtask test does it)");
        // The password ends with the input.
        let mut password = keyring.stdin.take().expect("it is piped");
        password.write_all(b"password").expect("the keyring reads");
        drop(password);
        let session = Self { bus, keyring, address };
        session.wait_for_keyring();
        session
    }

    fn wait_for_keyring(&self) {
        let waiting = Stopwatch::start();
        while !self.ask_bus("NameHasOwner", "string:org.freedesktop.secrets").contains("true") {
            assert!(waiting.elapsed() < PATIENCE, "the keyring did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ask_bus(&self, method: &str, argument: &str) -> String {
        let call = format!("org.freedesktop.DBus.{method}");
        self.send(&["--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", &call, argument])
    }

    /// Asks as another program of the person would.
    fn send(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("dbus-send");
        command.arg(format!("--bus={}", self.address)).arg("--print-reply").args(arguments);
        let output = command.output().expect("dbus-send is installed");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        text(output.stdout) + &text(output.stderr)
    }

    fn lock(&self) {
        let answer = self.send(&[
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/collection/login",
        ]);
        assert!(answer.contains("collection/login"), "{answer}");
    }

    /// How many items of ours there are.
    fn items(&self) -> usize {
        let answer = self.send(&[
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.SearchItems",
            "dict:string:string:service,ntcli",
        ]);
        assert!(answer.contains("array ["), "{answer}");
        answer.matches("object path").count()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in [&mut self.keyring, &mut self.bus] {
            // One that has ended already is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `ntcli` in a session with a keyring, or without its bus.
fn ntcli(home: &Home, bus: Option<&str>, url: &str, arguments: &[&str]) -> Command {
    let mut command = home.ntcli(arguments);
    command.env("NTCLI_API_URL", url).env("NTCLI_WORKSPACE", WORKSPACE);
    if let Some(address) = bus {
        command.env("DBUS_SESSION_BUS_ADDRESS", address);
    }
    command
}

const LOGIN: [&str; 5] = ["auth", "login", "--no-browser", "--port", "0"];

fn credentials(home: &Home) -> String {
    std::fs::read_to_string(home.file("credentials.json")).expect("is there")
}

fn config(home: &Home) -> String {
    std::fs::read_to_string(home.file("config.toml")).expect("is there")
}

fn is_free_of_secrets(text: &str) -> bool {
    ["nts_", "rt_", "wst_"].iter().all(|prefix| !text.contains(prefix))
}

/// Signs in and gets a workspace token, with a keyring there.
fn signed_in() -> (World, Home, Session) {
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let session = Session::start(home.root.path());
    let bus = Some(session.address.as_str());
    let (_, run) = sign_in(&mut ntcli(&home, bus, world.url(), &LOGIN));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let run = Run::of(&mut ntcli(&home, bus, world.url(), &["token", "refresh"]));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    (world, home, session)
}

#[test]
fn a_sign_in_finds_the_keyring_and_no_secret_is_in_a_file() {
    let (world, home, session) = signed_in();
    assert!(config(&home).contains("secrets = \"keyring\""), "{}", config(&home));
    assert!(is_free_of_secrets(&credentials(&home)), "{}", credentials(&home));
    assert_eq!(session.items(), 3, "the session, the sign-in and a token");
    let run = |bus, line: &[&str]| Run::of(&mut ntcli(&home, bus, world.url(), line));
    let bus = Some(session.address.as_str());
    let status = run(bus, &["auth", "status"]);
    assert!(status.stdout.ends_with("\nSecrets:    the keyring of this system\n"), "{status:?}");
    let status = run(bus, &["auth", "status", "--format", "json"]);
    assert!(status.stdout.contains(r#""kept_in": "keyring""#), "{}", status.stdout);
    let shown = run(bus, &["token", "show", "--show-token", "--format", "json"]);
    assert!(shown.stdout.contains(&token("jti_1")), "{shown:?}");

    // What needs no secret needs no bus; what needs one says so, and changes nothing.
    let before = credentials(&home);
    for line in [["info"].as_slice(), &["config", "show"], &["workspace", "switch", WORKSPACE]] {
        assert_eq!(run(None, line).exit, Some(0), "{line:?}");
    }
    for line in [["token", "list"].as_slice(), &["token", "refresh"], &["auth", "logout"]] {
        let run = run(Some("unix:path=/nowhere"), line);
        assert_eq!((run.exit, run.stdout.as_str()), (Some(1), ""), "{line:?}");
        assert!(run.stderr.starts_with("error: The keyring does not answer: "), "{}", run.stderr);
        assert!(run.stderr.contains("\nhint: unlock it, "), "{}", run.stderr);
    }
    session.lock();
    let locked = run(bus, &["token", "list", "--format", "json"]);
    assert!(locked.stderr.contains(r#""code":"KEYRING_UNAVAILABLE""#), "{}", locked.stderr);
    let run = Run::of(&mut ntcli(&home, bus, world.url(), &["auth", "login", "--force"]));
    assert_eq!(run.exit, Some(1), "nobody signs in for nothing: {}", run.stderr);
    assert_eq!(credentials(&home), before);
}

#[test]
fn signing_out_leaves_nothing_in_the_keyring() {
    let (world, home, session) = signed_in();
    let bus = Some(session.address.as_str());
    let run = Run::of(&mut ntcli(&home, bus, world.url(), &["auth", "logout"]));
    assert_eq!((run.exit, session.items()), (Some(0), 0), "{}", run.stderr);
    let (_, run) = sign_in(&mut ntcli(&home, bus, world.url(), &LOGIN));
    assert_eq!((run.exit, session.items()), (Some(0), 2), "{}", run.stderr);
    let run = Run::of(&mut ntcli(&home, bus, world.url(), &["config", "reset", "--force"]));
    assert_eq!((run.exit, session.items()), (Some(0), 0), "{}", run.stderr);
}

#[test]
fn without_a_keyring_a_file_is_used_and_it_is_said_once() {
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let nowhere = Some("unix:path=/nowhere");
    let (_, run) = sign_in(&mut ntcli(&home, nowhere, world.url(), &LOGIN));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    let lines = run.stderr.lines().filter(|line| line.starts_with("No keyring answers ("));
    assert_eq!(lines.count(), 1, "{}", run.stderr);
    assert!(config(&home).contains("secrets = \"file\""), "{}", config(&home));
    assert!(credentials(&home).contains("nts_1"));
    let force = [LOGIN.as_slice(), &["--force"]].concat();
    let (_, run) = sign_in(&mut ntcli(&home, nowhere, world.url(), &force));
    assert!(!run.stderr.contains("keyring"), "it is decided: {}", run.stderr);
    let run = Run::of(&mut ntcli(&home, nowhere, world.url(), &["config", "secrets", "keyring"]));
    assert_eq!(run.exit, Some(1), "{}", run.stderr);
    assert!(config(&home).contains("secrets = \"file\"") && credentials(&home).contains("nts_2"));
}

#[cfg(debug_assertions)]
#[test]
fn signing_out_also_removes_what_an_interrupted_run_left() {
    for (step, left) in [("keyring-written", 4), ("file-written", 4)] {
        let (world, home, session) = signed_in();
        let bus = Some(session.address.as_str());
        let mut refresh = ntcli(&home, bus, world.url(), &["token", "refresh"]);
        let killed = Run::of(refresh.env("NTCLI_TEST_CRASH_AT", step));
        assert_eq!((killed.exit, session.items()), (None, left), "{step}");
        let run = Run::of(&mut ntcli(&home, bus, world.url(), &["auth", "logout"]));
        assert_eq!((run.exit, session.items()), (Some(0), 0), "{step}: {}", run.stderr);
    }
}

#[test]
fn secrets_are_moved_both_ways() {
    let (world, home, session) = signed_in();
    let bus = Some(session.address.as_str());
    let move_to = |bus, place: &str| {
        Run::of(&mut ntcli(&home, bus, world.url(), &["config", "secrets", place]))
    };
    let failed = move_to(Some("unix:path=/nowhere"), "file");
    assert_eq!((failed.exit, session.items()), (Some(1), 3), "{}", failed.stderr);
    assert!(config(&home).contains("secrets = \"keyring\""));
    let moved = move_to(bus, "file");
    assert!(moved.stdout.ends_with("credentials.json; 3 were moved.\n"), "{moved:?}");
    let text = credentials(&home);
    assert!(["nts_1", "rt_1", &token("jti_1")].iter().all(|secret| text.contains(*secret)));
    assert_eq!((session.items(), move_to(bus, "file").exit), (0, Some(0)));
    let list = Run::of(&mut ntcli(&home, None, world.url(), &["workspace", "list"]));
    assert_eq!(list.exit, Some(0), "{}", list.stderr);
    let moved = move_to(bus, "keyring");
    let told = "Secrets are kept in the keyring of this system; 3 were moved.\n";
    assert_eq!(moved.stdout, told, "{}", moved.stderr);
    assert_eq!((session.items(), is_free_of_secrets(&credentials(&home))), (3, true));
    let list = Run::of(&mut ntcli(&home, bus, world.url(), &["workspace", "list"]));
    assert_eq!(list.exit, Some(0), "{}", list.stderr);
}

#[test]
fn a_sign_in_takes_along_what_is_in_the_file_if_the_place_was_never_decided() {
    let world = World::new(Provider::Rotates);
    let old = format!(
        r#"{{"authorities":{{"{}":{{"workspaces":{{"{WORKSPACE}":{{"current":
        {{"token":"{}","jti":"jti_1","expires_at":null}}}}}}}}}}}}"#,
        world.url(),
        token("jti_1")
    );
    let home = Home::new().with_file("credentials.json", &old);
    let session = Session::start(home.root.path());
    let (_, run) = sign_in(&mut ntcli(&home, Some(&session.address), world.url(), &LOGIN));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!((session.items(), is_free_of_secrets(&credentials(&home))), (3, true));
}

#[cfg(debug_assertions)]
#[test]
fn a_refresh_that_is_killed_at_any_step_loses_no_token_in_the_keyring() {
    let (world, home, session) = signed_in();
    let run = |line: &[&str], crash_at: Option<&str>| {
        let mut command = ntcli(&home, Some(&session.address), world.url(), line);
        command.envs(crash_at.map(|step| ("NTCLI_TEST_CRASH_AT", step)));
        Run::of(&mut command)
    };
    let shown = || {
        let run = run(&["token", "show", "--show-token", "--format", "json"], None);
        let shown: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
        let (jti, value) = (shown["jti"].as_str(), shown["token"].as_str());
        let jti = jti.expect("it has one").to_owned();
        assert_eq!(value, Some(token(&jti).as_str()), "the value is the one of the record");
        jti
    };
    for step in [
        "before-pending",
        "after-pending",
        "after-create",
        "keyring-written",
        "file-written",
        "after-store",
        "after-revoke",
        "after-clear",
    ] {
        assert_eq!(run(&["token", "refresh"], Some(step)).exit, None, "{step}");
        assert!(world.live().contains(&shown()), "{step}: the stored token works");
        let finished = run(&["token", "refresh"], None);
        assert_eq!(finished.exit, Some(0), "{step}: {}", finished.stderr);
        assert_eq!(world.live(), [shown()].into(), "{step}: no live token is forgotten");
        assert_eq!(session.items(), 3, "{step}");
        assert!(is_free_of_secrets(&credentials(&home)), "{step}");
    }
}
