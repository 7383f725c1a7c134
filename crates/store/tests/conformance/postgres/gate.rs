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
