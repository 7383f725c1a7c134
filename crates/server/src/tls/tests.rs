//! Which files are taken, and what becomes of the certificate when they change. Real connections are
//! in the stories.

use std::os::unix::fs::PermissionsExt as _;
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
    let files =
        Files { certificate: dir.path().join("server.pem"), key: dir.path().join("server.key") };
    fs::write(&files.certificate, certificate).expect("a file");
    fs::write(&files.key, key).expect("a file");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).expect("ours");
    files
}

fn served(tls: &Tls) -> Vec<u8> {
    tls.certificates.current.load().cert[0].to_vec()
}

fn refusal(dir: &TempDir, texts: (&str, &str)) -> String {
    format!("{:#}", Tls::open(files(dir, texts)).err().expect("refused"))
}

#[test]
fn files_that_cannot_be_used_are_refused_by_name_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let ((certificate, key), (_, other)) = (made(), made());
    let wrong = refusal(&dir, (&certificate, &other));
    assert!(wrong.contains("server.key cannot be used together"), "{wrong}");
    let wrong = refusal(&dir, ("nothing", &key));
    assert!(wrong.contains("server.pem has no certificate in PEM"), "{wrong}");
    let broken = key.replace("KEY-----\nM", "KEY-----\n!");
    for text in ["nothing", broken.as_str(), certificate.as_str()] {
        let wrong = refusal(&dir, (&certificate, text));
        assert!(wrong.ends_with("server.key has no private key in PEM"), "{wrong}");
    }
    fs::remove_file(dir.path().join("server.key")).expect("it was there");
    let gone = Files { certificate: dir.path().join("server.pem"), key: "nowhere.key".into() };
    let wrong = format!("{:#}", Tls::open(gone).err().expect("refused"));
    assert!(wrong.starts_with("nowhere.key: "), "{wrong}");
}

#[test]
fn a_new_certificate_is_served_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let ((certificate, key), (next, next_key)) = (made(), made());
    let tls = Tls::open(files(&dir, (&certificate, &key))).expect("a pair");
    let first = served(&tls);
    let seen = tls.certificates.files.seen();
    assert_eq!(seen, tls.certificates.at_first);
    // As a renewal leaves them between its two writes.
    files(&dir, (&next, &key));
    assert_ne!(tls.certificates.files.seen(), seen);
    tls.certificates.renew();
    assert_eq!(served(&tls), first);
    files(&dir, (&next, &next_key));
    tls.certificates.renew();
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
