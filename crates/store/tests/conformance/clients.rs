//! The register of clients of the OAuth endpoints.

use nt_store::{Action, AddedClient, Client, CredentialHash, NewClient, Store as _};
use nt_token::{ClientName, WorkspaceId};

use crate::audit::{everything, records};
use crate::world::{T0, World, act, on_each, open, operator};

fn name(text: &str) -> ClientName {
    text.parse().expect("a name")
}

fn new(world: &World, text: &str) -> NewClient {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&world.ids.next().to_be_bytes());
    let rights = "introspect".parse().expect("rights");
    NewClient { name: name(text), hash: CredentialHash(hash), rights, workspace: None }
}

/// One that may do everything in one workspace.
fn limited(world: &World, text: &str) -> NewClient {
    let rights = "introspect revoke".parse().expect("rights");
    NewClient { rights, workspace: Some(WorkspaceId::mint([7; 16])), ..new(world, text) }
}

async fn add(world: &World, new: NewClient, after: i64) -> Client {
    match world.store.add_client(new, act(&operator(1), after)).await {
        Ok(AddedClient::Added(client)) => client,
        other => panic!("not added: {other:?}"),
    }
}

async fn remove(world: &World, text: &str, after: i64) -> bool {
    world.store.remove_client(name(text), act(&operator(1), after)).await.expect("answers")
}

#[tokio::test]
async fn a_client_is_kept_as_it_was_registered_and_listed_by_name() {
    on_each(async |world| {
        assert!(world.store.clients().await.expect("answers").is_empty());
        let (late, early) = (new(&world, "billing"), limited(&world, "api"));
        let expected = |new: &NewClient, after| Client {
            name: new.name.clone(),
            hash: new.hash,
            rights: new.rights.clone(),
            workspace: new.workspace,
            created_at: T0.plus_seconds(after),
            created_by: operator(1),
        };
        let expected = [expected(&early, 2), expected(&late, 1)];
        assert_eq!(add(&world, late, 1).await, expected[1]);
        assert_eq!(add(&world, early, 2).await, expected[0]);
        assert_eq!(world.store.clients().await.expect("answers"), expected);
    })
    .await;
}

#[tokio::test]
async fn a_client_is_found_by_its_secret_until_it_is_removed_and_its_name_is_free_then() {
    on_each(async |world| {
        let ask = async |hash| world.store.client(hash).await.expect("answers");
        let first = add(&world, limited(&world, "billing"), 1).await;
        let again = world.store.add_client(new(&world, "billing"), act(&operator(1), 2)).await;
        assert_eq!(again.expect("answers"), AddedClient::NameTaken);
        assert_eq!(ask(first.hash).await, Some(first.clone()));
        assert_eq!(ask(CredentialHash([9; 32])).await, None);
        assert!(remove(&world, "billing", 3).await);
        assert!(!remove(&world, "billing", 4).await, "it is removed once");
        assert_eq!(ask(first.hash).await, None);
        assert!(world.store.clients().await.expect("answers").is_empty());
        let second = add(&world, new(&world, "billing"), 5).await;
        assert_eq!(ask(first.hash).await, None, "the old secret is not the new client's");
        assert_eq!(world.store.clients().await.expect("answers"), [second]);
    })
    .await;
}

#[tokio::test]
async fn each_change_of_the_register_leaves_one_record_with_the_clients_workspace() {
    on_each(async |world| {
        let client = add(&world, limited(&world, "billing"), 1).await;
        let taken = world.store.add_client(new(&world, "billing"), act(&operator(1), 2)).await;
        assert_eq!(taken.expect("answers"), AddedClient::NameTaken);
        remove(&world, "billing", 3).await;
        remove(&world, "billing", 4).await;
        let found = records(&world, everything()).await;
        let told: Vec<_> = found
            .iter()
            .map(|r| (r.action, r.about.as_deref(), r.reason.as_deref(), r.workspace, r.act.at))
            .collect();
        let (about, at) = (Some("billing"), |after| T0.plus_seconds(after));
        let expected = [
            (Action::ClientRemoved, about, None, client.workspace, at(3)),
            (Action::ClientAdded, about, Some("introspect revoke"), client.workspace, at(1)),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_never_given_again() {
    on_each(async |world| {
        let (live, gone) = (new(&world, "billing"), new(&world, "api"));
        for known in [&live, &gone] {
            add(&world, known.clone(), 1).await;
        }
        assert!(remove(&world, "api", 2).await);
        for known in [live, gone] {
            let again = NewClient { hash: known.hash, ..new(&world, "another") };
            let refused = world.store.add_client(again, act(&operator(1), 3)).await;
            assert!(refused.is_err(), "{refused:?}");
        }
        assert_eq!(world.store.clients().await.expect("answers").len(), 1);
        assert_eq!(records(&world, everything()).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn the_register_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path()).expect("opens");
    let (hash, rights) = (CredentialHash([4; 32]), "revoke".parse().expect("rights"));
    let new = NewClient { name: name("billing"), hash, rights, workspace: None };
    let added = store.add_client(new, act(&operator(1), 1)).await.expect("answers");
    store.close().await;
    drop(store);
    let store = open(directory.path()).expect("opens");
    let found = store.clients().await.expect("answers");
    assert_eq!(AddedClient::Added(found[0].clone()), added);
}
