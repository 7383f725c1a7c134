//! Which files are taken, what becomes of them when they change, and which client certificates pass. Real
//! processes are in the stories.

mod clients;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

fn made() -> (String, String) {
    let key = KeyPair::generate().expect("randomness");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

/// The files, with these texts in them.
fn files(dir: &TempDir, (certificate, key): (&str, &str)) -> Files {
    let files = Files {
        certificate: dir.path().join("server.pem"),
        key: dir.path().join("server.key"),
        clients: Clients::NotAsked,
    };
    fs::write(&files.certificate, certificate).expect("a file");
    fs::write(&files.key, key).expect("a file");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).expect("ours");
    files
}

fn served(tls: &Tls) -> Vec<u8> {
    tls.kept.current.load().certified.cert[0].to_vec()
}

fn refusal(files: Files) -> String {
    format!("{:#}", Tls::open(files).expect_err("refused"))
}

#[test]
fn files_that_cannot_be_used_are_refused_by_name_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let ((certificate, key), (_, other)) = (made(), made());
    let wrong = refusal(files(&dir, (&certificate, &other)));
    assert!(wrong.contains("server.key cannot be used together"), "{wrong}");
    let wrong = refusal(files(&dir, ("nothing", &key)));
    assert!(wrong.contains("server.pem has no certificate in PEM"), "{wrong}");
    let broken = key.replace("KEY-----\nM", "KEY-----\n!");
    for text in ["nothing", broken.as_str(), certificate.as_str()] {
        let wrong = refusal(files(&dir, (&certificate, text)));
        assert!(wrong.ends_with("server.key has no private key in PEM"), "{wrong}");
    }
    let good = files(&dir, (&certificate, &key));
    let wrong = refusal(Files { key: "nowhere.key".into(), ..good.clone() });
    assert!(wrong.starts_with("nowhere.key: "), "{wrong}");
    let wrong = refusal(Files { clients: Clients::Asked("nowhere.ca".into()), ..good.clone() });
    assert!(wrong.starts_with("nowhere.ca: "), "{wrong}");
    // A key is no certificate.
    let wrong = refusal(Files { clients: Clients::Demanded(good.key.clone()), ..good });
    assert!(wrong.ends_with("server.key has no certificate in PEM"), "{wrong}");
}

#[test]
fn new_files_are_served_and_bad_ones_change_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let ((certificate, key), (next, next_key)) = (made(), made());
    let ca = dir.path().join("clients.pem");
    fs::write(&ca, &certificate).expect("a file");
    let given = files(&dir, (&certificate, &key));
    let tls = Tls::open(Files { clients: Clients::Asked(ca.clone()), ..given }).expect("a pair");
    let first = served(&tls);
    let seen = tls.kept.files.seen();
    assert_eq!(seen, tls.kept.at_first);
    // As a renewal leaves them between its two writes.
    files(&dir, (&next, &key));
    assert_ne!(tls.kept.files.seen(), seen);
    tls.kept.renew();
    assert_eq!(served(&tls), first);
    files(&dir, (&next, &next_key));
    let seen = tls.kept.files.seen();
    fs::write(&ca, "no certificate").expect("a file");
    assert_ne!(tls.kept.files.seen(), seen, "a change of the client CA alone is noticed");
    tls.kept.renew();
    assert_eq!(served(&tls), first, "all files or none");
    fs::write(&ca, &next).expect("a file");
    tls.kept.renew();
    assert_ne!(served(&tls), first);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_holds_no_stop_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let (certificate, key) = made();
    let tls = Tls::open(files(&dir, (&certificate, &key))).expect("a pair");
    let (ours, _theirs) = tokio::io::duplex(64);
    let waiting = tokio::spawn({
        let tls = tls.clone();
        async move { tls.accept(ours).await.is_none() }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    tls.stop();
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(ended.expect("at once").expect("no panic"));
}
