//! `ntd recover` on databases that have lost something.

use std::path::Path;

use clap::Parser as _;
use nt_postgres_testing::Cluster;
use nt_revocation::Fact;
use nt_store::{Gate, PostgresStore, SqliteStore, Store};
use nt_token::EntryId;

use super::*;

/// A command line of this command alone.
#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// Runs it beside the runtime of a test, as a process of its own would.
async fn run(data_dir: &Path, more: &[&str]) -> anyhow::Result<ExitCode> {
    let data_dir = data_dir.to_str().expect("a path in ASCII").to_owned();
    let line = ["recover", "--data-dir", &data_dir].into_iter().chain(more.iter().copied());
    let args = Line::try_parse_from(line).expect("understood").args;
    tokio::task::spawn_blocking(move || args.run()).await.expect("no panic")
}

fn revoked(number: u8) -> Vec<(EntryId, Fact)> {
    vec![(EntryId([number; 16]), Fact::KeyRevoked { kid: "a-kid".parse().expect("a kid") })]
}

#[tokio::test]
async fn on_sqlite_somebody_has_to_say_what_becomes_of_what_nobody_knows() {
    let directory = private_directory();
    let data_dir = DataDir::create(directory.path()).expect("made");
    let options =
        || SqliteOptions { database: data_dir.database(), high_water: data_dir.high_water() };
    let open = || SqliteStore::open(options(), Box::new(|_| ()));
    let store = open().expect("opens");
    store.append(revoked(1)).await.expect("appended");
    store.close().await;
    drop(store);
    let old = std::fs::read(data_dir.database()).expect("a copy");
    let store = open().expect("opens");
    store.append(revoked(2)).await.expect("appended");
    store.close().await;
    drop(store);
    for suffix in ["-wal", "-shm"] {
        let _may_be_gone = std::fs::remove_file(directory.path().join(format!("ntd.db{suffix}")));
    }
    std::fs::write(data_dir.database(), old).expect("put back");
    assert!(open().is_err(), "refused");
    let options = options();
    drop(data_dir);

    let refused = run(directory.path(), &["--force"]).await.expect_err("nobody has said");
    assert!(format!("{refused:#}").contains("--assume-complete"), "{refused:#}");
    run(directory.path(), &["--assume-complete", "--dry-run"]).await.expect("looked at");
    assert_eq!(options.look().expect("there").0.epoch, 1, "nothing was changed");
    let unasked = run(directory.path(), &["--revoke-issued-before-now", "--journal", "."]).await;
    assert!(unasked.is_err(), "there are no journals");
    run(directory.path(), &["--revoke-issued-before-now", "--force"]).await.expect("recovered");
    let store = SqliteStore::open(options, Box::new(|_| ())).expect("opens again");
    assert_eq!(store.head().await.expect("answers").epoch, 2);
}

#[tokio::test]
async fn on_postgresql_the_journals_of_all_nodes_are_asked_for_and_give_back_what_was_lost() {
    let cluster = Cluster::start().expect("starts");
    let url = cluster.database().expect("a database");
    let (one, other) = (node(1), node(2));
    let open = |url: &str, directory: &Path| {
        let mut options = PostgresOptions::new(url, &directory.join("journal")).expect("a URL");
        options.gate = Gate::Safe;
        PostgresStore::open(options, Box::new(|_| ()))
    };
    let store = open(&url, one.path()).expect("opens");
    let joined = Fact::NodeJoined { node: 2, incarnation: 1 };
    store.append(vec![(EntryId([1; 16]), joined)]).await.expect("appended");
    store.close().await;
    let old = cluster.copy_of(&url).expect("a copy");
    let store = open(&url, other.path()).expect("opens");
    store.append(revoked(2)).await.expect("appended");
    store.close().await;

    let database = ["--database", &old];
    let with = |more: &[&'static str]| [&database[..], more].concat();
    let refused = run(one.path(), &with(&["--force"])).await.expect_err("one is missing");
    assert!(format!("{refused:#}").contains("--journal"), "{refused:#}");
    let journal = other.path().to_str().expect("a path in ASCII");
    let all = [&database[..], &["--journal", journal]].concat();
    run(one.path(), &[&all[..], &["--dry-run"]].concat()).await.expect("looked at");
    run(one.path(), &[&all[..], &["--force"]].concat()).await.expect("recovered");
    let store = open(&old, other.path()).expect("opens");
    let head = store.head().await.expect("answers");
    assert_eq!((head.epoch, head.entry), (2, EntryId([2; 16])));
}

/// A node's data directory.
fn node(number: u64) -> tempfile::TempDir {
    let directory = private_directory();
    let data_dir = DataDir::create(directory.path()).expect("made");
    std::fs::write(data_dir.node(), format!("{number:016x}\n")).expect("written");
    directory
}

fn private_directory() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(mode).tempdir().expect("a directory")
}
