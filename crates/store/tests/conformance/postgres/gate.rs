//! Which databases are accepted at the start.

use nt_postgres_testing::{Cluster, Commit, Replicated};
use nt_store::{Concern, Gate, PostgresOptions, PostgresStore, StoreError};
use tempfile::TempDir;

use super::open_at;
use crate::world::fresh_database;

fn opened(url: &str, gate: Gate) -> Result<(), StoreError> {
    let directory = tempfile::tempdir().expect("a directory");
    open_at(url, directory.path(), |options| options.gate = gate).map(|_| ())
}

fn concerns(url: &str) -> Vec<Concern> {
    let directory = TempDir::new().expect("a directory");
    let options = PostgresOptions::new(url, directory.path()).expect("a URL");
    PostgresStore::concerns(options).expect("answers")
}

#[test]
fn a_database_that_does_not_wait_for_its_disk_is_refused() {
    let url = fresh_database();
    assert_eq!(concerns(&url), [Concern::NoFsync, Concern::NoFullPageWrites]);
    for gate in [Gate::Safe, Gate::AllowLossyFailover] {
        assert!(matches!(opened(&url, gate), Err(StoreError::Unsafe(_))), "{gate:?}");
    }
    opened(&url, Gate::AllowLoss).expect("somebody wants it so");
}

#[test]
fn a_primary_that_waits_for_none_of_its_replicas_is_refused_unless_that_is_allowed() {
    let cluster = Cluster::start().expect("starts");
    opened(&cluster.database().expect("a database"), Gate::Safe).expect("one machine alone");
    let lossy = Replicated::start(Commit::Asynchronous).expect("starts");
    let url = lossy.database().expect("a database");
    assert_eq!(concerns(&url), [Concern::NobodyIsWaitedFor { standbys: 1 }]);
    assert!(matches!(opened(&url, Gate::Safe), Err(StoreError::Unsafe(_))));
    opened(&url, Gate::AllowLossyFailover).expect("somebody wants it so");
    let safe = Replicated::start(Commit::Synchronous).expect("starts");
    let url = safe.database().expect("a database");
    assert_eq!(concerns(&url), []);
    opened(&url, Gate::Safe).expect("waits for its replica");
    safe.primary().config("synchronous_commit", "local").expect("set");
    let setting = "local".to_owned();
    assert_eq!(concerns(&url), [Concern::CommitsDoNotWait { setting }]);
    assert!(matches!(opened(&url, Gate::Safe), Err(StoreError::Unsafe(_))));
}

#[test]
fn a_later_schema_is_used_where_it_says_so_and_refused_otherwise() {
    let cluster = Cluster::shared().expect("starts");
    let url = cluster.database().expect("a database");
    opened(&url, Gate::AllowLoss).expect("opens");
    let mut session = nt_postgres_testing::Session::to(&url).expect("connects");
    session
        .ask("INSERT INTO refinery_schema_history VALUES (99, 'later', '', '')")
        .expect("a later version's migration");
    opened(&url, Gate::AllowLoss).expect("it only adds");
    session.ask("UPDATE meta SET oldest_program = 99").expect("it takes something away");
    match opened(&url, Gate::AllowLoss) {
        Err(StoreError::LaterSchema { found: 99, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_ordinary_user_who_owns_the_database_will_do() {
    let cluster = Cluster::shared().expect("starts");
    let url = cluster.database().expect("a database");
    let (_, name) = url.rsplit_once('/').expect("a name");
    cluster.sql(&format!("CREATE ROLE {name} LOGIN")).expect("made");
    cluster.sql(&format!("ALTER DATABASE {name} OWNER TO {name}")).expect("given");
    let url = url.replace("postgres@", &format!("{name}@"));
    opened(&url, Gate::AllowLoss).expect("opens");
}

#[test]
fn an_encrypted_connection_is_to_the_one_who_was_asked_for_if_that_is_wanted() {
    let cluster = Cluster::quick().expect("starts");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    let owner = std::fs::metadata(cluster.data_dir()).expect("its directory");
    let keep = |name: &str, text: String| {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let path = cluster.data_dir().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).expect("given");
    };
    keep("server.crt", made.cert.pem());
    keep("server.key", made.signing_key.serialize_pem());
    cluster.config("ssl", "on").expect("set");
    let directory = TempDir::new().expect("a directory");
    let (right, wrong) = (directory.path().join("right.pem"), directory.path().join("wrong.pem"));
    std::fs::write(&right, made.cert.pem()).expect("written");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    std::fs::write(&wrong, other.cert.pem()).expect("written");

    let url = cluster.database().expect("a database");
    let encrypted = |settings: &str| opened(&format!("{url}?{settings}"), Gate::AllowLoss);
    encrypted("sslmode=require").expect("with anybody");
    let verified = |file: &std::path::Path| {
        encrypted(&format!("sslmode=verify-full&sslrootcert={}", file.display()))
    };
    verified(&right).expect("with the one who is trusted");
    assert!(matches!(verified(&wrong), Err(StoreError::Unavailable(_))));
    assert!(matches!(encrypted("sslmode=verify-full"), Err(StoreError::Unavailable(_))));
    cluster.config("ssl", "off").expect("set");
    assert!(matches!(encrypted("sslmode=require"), Err(StoreError::Unavailable(_))));
}
