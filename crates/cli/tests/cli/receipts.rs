//! Receipts: shown, told with a revoke that says more, and checked without asking anybody.

use std::path::Path;

use nt_revocation::Position;
use nt_revocation::receipt::{CutOff, Proven, Receipt, Verifiers, sign};
use nt_token::jwk::Jwks;
use nt_token::{EntryId, SigningKey, Timestamp};

use crate::authority::{Prepared, answer};
use crate::world::{Provider, World, sign_in};
use crate::{Home, Run, WORKSPACE};

fn key() -> SigningKey {
    SigningKey::generate().expect("entropy").0
}

fn receipt() -> Receipt {
    Receipt {
        iss: "https://auth.example.com".to_owned(),
        iat: Timestamp::from_unix(1_723_033_800),
        jti: "jti_a".parse().expect("a JTI"),
        workspace_id: WORKSPACE.parse().expect("a workspace"),
        position: Position { epoch: 1, seq: 42, entry: EntryId([0x0f; 16]) },
        committed_at_ms: 1_723_033_800_004,
        in_force_at_ms: 1_723_033_800_042,
        waited_ms: Some(38),
        proven: Proven::Expired,
        nodes: 1,
        verifiers: Some(Verifiers {
            acknowledged: 6,
            cut_off: vec![CutOff { name: "edge-7".to_owned(), silent_for_ms: Some(2_100) }],
        }),
    }
}

fn summary() -> String {
    format!(
        "Receipt of a Revocation\n\
         ───────────────────────\n\
         JTI:         jti_a\n\
         Workspace:   {WORKSPACE}\n\
         Committed:   2024-08-07 12:30:00.004 UTC\n\
         In force:    2024-08-07 12:30:00.042 UTC, after 38 ms\n\
         Proven:      acknowledged by 1 node and 6 verifiers; every other lease has expired\n\
         Cut off:     edge-7, silent for 2100 ms\n\
         Position:    entry 42 of epoch 1 (0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f)\n\
         Stated by:   https://auth.example.com at 2024-08-07 12:30:00 UTC\n"
    )
}

/// The authority's answer to who asks for the receipt.
fn shown(text: &str) -> String {
    let mut body = serde_json::to_value(receipt()).expect("serialises");
    body["receipt"] = text.into();
    answer(200, "", &body.to_string())
}

fn write(path: &Path, text: &str) -> String {
    std::fs::write(path, text).expect("writable");
    path.display().to_string()
}

fn jwks(key: &SigningKey) -> String {
    serde_json::to_string(&Jwks { keys: vec![key.jwk()] }).expect("serialises")
}

#[test]
fn a_receipt_is_shown_to_people_to_programs_and_as_it_was_signed() {
    let text = sign(&receipt(), &key());
    for (more, expected) in [(None, summary()), (Some("--raw"), format!("{text}\n"))] {
        let authority = Prepared::with(vec![shown(&text)]);
        let line: Vec<_> = ["receipt", "show", "jti_a"].into_iter().chain(more).collect();
        let run = Run::of(&mut Home::new().operator(&authority.url, &line));
        assert_eq!((run.stdout, run.stderr.as_str(), run.exit), (expected, "", Some(0)));
        let target = format!("GET /v1/workspaces/{WORKSPACE}/tokens/jti_a/receipt");
        assert_eq!(authority.asked()[0].line, target);
    }
    let authority = Prepared::with(vec![shown(&text)]);
    let line = ["receipt", "show", "jti_a", "--format", "json"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
    assert_eq!((&told["receipt"], &told["waited_ms"]), (&text.into(), &38.into()));
    assert_eq!(told["verifiers"]["cut_off"][0]["name"], "edge-7");
}

#[test]
fn the_receipt_of_another_token_is_not_shown_as_this_ones() {
    let other = Receipt { jti: "jti_b".parse().expect("a JTI"), ..receipt() };
    let authority = Prepared::with(vec![shown(&sign(&other, &key()))]);
    let line = ["receipt", "show", "jti_a"];
    let run = Run::of(&mut Home::new().operator(&authority.url, &line));
    assert_eq!((run.stdout.as_str(), run.exit), ("", Some(1)), "{}", run.stderr);
}

#[test]
fn only_a_revoke_that_says_more_tells_the_receipt() {
    let text = sign(&receipt(), &key());
    let body = format!(
        r#"{{"workspace_id":"{WORKSPACE}","jti":"jti_a","token_jti":"jti_a","status":"revoked",
        "revoked_at":"2024-08-07T12:30:00Z","already_revoked":false,"message":"",
        "receipt":"{text}"}}"#
    );
    let run = |more: &[&str]| {
        let authority = Prepared::with(vec![answer(200, "", &body)]);
        let line = [["token", "revoke", "jti_a", "--force"].as_slice(), more].concat();
        Run::of(&mut Home::new().operator(&authority.url, &line))
    };
    let told = "Token jti_a revoked successfully.\n";
    let quiet = run(&[]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), (told, ""));
    let verbose = run(&["--verbose"]);
    assert_eq!((verbose.stdout.as_str(), verbose.stderr), (told, summary()));
    let quiet = run(&["--format", "json"]);
    assert!(!quiet.stdout.contains("receipt") && quiet.stderr.is_empty(), "{quiet:?}");
    let verbose = run(&["--format", "json", "--verbose"]);
    let json: serde_json::Value = serde_json::from_str(&verbose.stdout).expect("is JSON");
    assert_eq!((&json["receipt"], &json["status"]), (&text.into(), &"revoked".into()));
}

#[test]
fn a_receipt_is_checked_with_the_keys_of_a_file_and_nobody_is_asked() {
    let (home, key) = (Home::new(), key());
    let text = sign(&receipt(), &key);
    let file = write(&home.root.path().join("receipt"), &format!("{text}\n"));
    let keys = write(&home.root.path().join("keys"), &jwks(&key));
    let run = home.run(&["receipt", "verify", &file, "--jwks", &keys]);
    let expected = format!("{}\nThe receipt is valid by the keys of {keys}.\n", summary());
    assert_eq!((run.stdout, run.stderr.as_str(), run.exit), (expected, "", Some(0)));
    let run = home.run(&["receipt", "verify", &file, "--jwks", &keys, "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("is JSON");
    assert_eq!((&told["is_valid"], &told["jti"]), (&true.into(), &"jti_a".into()));

    let others = write(&home.root.path().join("others"), &jwks(&self::key()));
    let no_keys = write(&home.root.path().join("none"), r#"{"keys":[]}"#);
    let tampered = write(&home.root.path().join("tampered"), &text.replacen("ey", "eY", 1));
    for (file, keys) in [
        (&file, &others),
        (&file, &no_keys),
        (&file, &file),
        (&tampered, &keys),
        (&keys, &keys),
        (&"/nowhere".to_owned(), &keys),
    ] {
        let run = home.run(&["receipt", "verify", file, "--jwks", keys]);
        assert_eq!((run.stdout.as_str(), run.exit), ("", Some(1)), "{file} {keys}");
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

#[test]
fn without_keys_a_receipt_is_checked_with_those_of_the_sign_in() {
    let (world, home) = (World::new(Provider::Rotates), Home::new());
    let file = write(&home.root.path().join("receipt"), &sign(&receipt(), &key()));
    let verify = || {
        let mut command = home.ntcli(&["receipt", "verify", &file]);
        Run::of(command.env("NTCLI_API_URL", world.url()))
    };
    let run = verify();
    let hint = "\nhint: ntcli auth login keeps them; or name them with --jwks FILE\n";
    assert_eq!(run.exit, Some(1));
    assert!(run.stderr.ends_with(hint), "{}", run.stderr);

    let mut login = home.ntcli(&["auth", "login", "--no-browser", "--port", "0"]);
    let (_, run) = sign_in(login.env("NTCLI_API_URL", world.url()));
    assert_eq!(run.exit, Some(0), "{}", run.stderr);
    assert_eq!(crate::mode(&home.file("pinned_keys.json")), 0o600);
    drop(world.asked());
    let run = verify();
    let told = "error: The receipt is not valid: signed by a key that is not known.\n";
    assert!(run.stderr.starts_with(told), "{}", run.stderr);
    assert_eq!(world.lines(), [""; 0], "nobody is asked");
    home.run(&["config", "reset", "--force"]);
    assert!(!home.file("pinned_keys.json").exists());
}
