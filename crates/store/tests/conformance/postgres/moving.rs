//! Moving from one database to another.

use nt_store::{ExportKind, ImportError, StoreError};

use super::{Node, open_at};
use crate::world::{World, act, fresh_database, operator, options, postgres_options};

/// An export blocks, and drives a runtime of its own.
async fn aside<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

#[tokio::test]
async fn what_comes_from_sqlite_goes_on_from_postgresql_as_it_was() {
    let world = World::sqlite(tempfile::tempdir().expect("a directory"));
    world.store.found("https://tokens.example").await.expect("founded");
    world.sign_in(1, Some("one@example.com")).await;
    let (workspace, first) = world.workspace(&operator(1), "demo").await;
    world.token(workspace.id, act(&operator(1), 1)).await;
    super::revoke(&*world.store, &first, world.ids.entry()).await.expect("revoked");
    world.store.close().await;
    let mut file = Vec::new();
    let sent = options(world.directory()).export(ExportKind::Move, &mut file).expect("exported");

    let (url, directory) = (fresh_database(), tempfile::tempdir().expect("a directory"));
    let there = postgres_options(&url, directory.path());
    let (received, back) = aside({
        let (there, file) = (there.clone(), file.clone());
        move || {
            let received = there.import(&mut file.as_slice()).expect("imported");
            let mut back = Vec::new();
            there.export(ExportKind::Move, &mut back).expect("exported");
            (received, back)
        }
    })
    .await;
    assert_eq!(received, sent);
    assert_eq!(String::from_utf8(back), String::from_utf8(file.clone()));

    let (store, _) = open_at(&url, directory.path(), |_| ()).expect("opens");
    assert_eq!(nt_store::Store::head(&*store).await.expect("answers"), sent.head);
    let again = aside(move || there.import(&mut file.as_slice())).await;
    assert!(again.is_err(), "a node runs there");
}

#[tokio::test]
async fn a_database_that_holds_something_takes_no_import_and_one_with_nodes_is_not_left() {
    let url = fresh_database();
    let node = Node::open(&url);
    nt_store::Store::append(&*node.store, vec![super::fact(1)]).await.expect("appended");
    let new = crate::world::new_node();
    nt_store::Store::join(&*node.store, new, crate::world::Ids::default().entry())
        .await
        .expect("joined");
    let directory = tempfile::tempdir().expect("a directory");
    let there = postgres_options(&url, directory.path());
    let (copied, left, filled) = aside(move || {
        let mut file = Vec::new();
        let copied = there.export(ExportKind::Copy, &mut file);
        let left = there.export(ExportKind::Move, &mut Vec::new());
        (copied, left, there.import(&mut file.as_slice()))
    })
    .await;
    assert_eq!(copied.expect("a copy, while it runs").head.seq, 2);
    assert!(matches!(left, Err(StoreError::InUse)), "{left:?}");
    assert!(matches!(filled, Err(ImportError::NotEmpty)), "{filled:?}");
}
