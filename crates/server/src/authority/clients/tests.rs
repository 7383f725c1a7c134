//! The register, on a real database and with two nodes.

use std::sync::Arc;

use nt_api::clients::{AddClient, ClientAdded};
use nt_store::{Grant, Role, SharedMemory};
use nt_token::clock::ManualClock;
use nt_token::{Secret, Timestamp, WorkspaceId};

use crate::authority::error::Refusal;
use crate::authority::tests::{World, refusal};
use crate::authority::{Caller, limits};

const ADMIN: &str = "admin@example.com";

pub(in crate::authority) fn asking(name: &str, may: &[&str]) -> AddClient {
    let may = may.iter().map(|right| (*right).to_owned()).collect();
    AddClient { name: name.to_owned(), may, workspace: None }
}

async fn add(world: &World, caller: &Caller, name: &str) -> ClientAdded {
    let asked = asking(name, &["introspect"]);
    world.authority.add_client(caller, asked).await.expect("an administrator may")
}

/// Who somebody is with these credentials.
async fn who(world: &World, name: &str, secret: &Secret) -> Result<String, Refusal> {
    match world.authority.client(name, secret, None).await {
        Ok(client) => Ok(client.name.to_string()),
        refused => Err(refusal(refused)),
    }
}

#[tokio::test]
async fn a_secret_names_its_client_until_it_is_removed_and_never_again() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let secret = add(&world, &admin, "billing").await.client_secret;
    assert!(secret.expose().starts_with("ntc_"));
    let named = Ok("billing".to_owned());
    assert_eq!(who(&world, "billing", &secret).await, named);
    let another = add(&world, &admin, "api").await.client_secret;
    for (name, secret) in [
        ("api", secret.clone()),
        ("billing", another),
        ("billing", Secret::from(format!("{}x", secret.expose()))),
        ("", secret.clone()),
    ] {
        assert_eq!(who(&world, name, &secret).await, Err(Refusal::BadClient), "{name}");
    }

    let world = world.restart().await;
    assert_eq!(who(&world, "billing", &secret).await, named, "also after a restart");
    world.authority.remove_client(&admin, "billing").await.expect("an administrator may");
    assert_eq!(who(&world, "billing", &secret).await, Err(Refusal::BadClient));
    let again = add(&world, &admin, "billing").await.client_secret;
    let world = world.restart().await;
    let old = who(&world, "billing", &secret).await;
    assert_eq!(old, Err(Refusal::BadClient), "the name was given again, the secret was not");
    assert_eq!(who(&world, "billing", &again).await, named);
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_with_its_reason() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let taken = add(&world, &admin, "billing").await.client_id;
    let refused = async |asked: AddClient| refusal(world.authority.add_client(&admin, asked).await);
    assert_eq!(refused(asking("billing", &["revoke"])).await, Refusal::ClientExists(taken));
    let bad = refused(asking("Billing 1", &["revoke"])).await;
    assert!(matches!(bad, Refusal::Invalid { field: "name", .. }));
    for may in [[].as_slice(), &["issue"], &["introspect", ""]] {
        let bad = refused(asking("api", may)).await;
        assert!(matches!(bad, Refusal::Invalid { field: "may", .. }), "{may:?}");
    }
    for unknown in [WorkspaceId::mint([1; 16]).to_string(), "production".to_owned()] {
        let asked = AddClient { workspace: Some(unknown), ..asking("api", &["revoke"]) };
        assert_eq!(refused(asked).await, Refusal::NoWorkspace);
    }
    for name in ["api", "Billing 1", ""] {
        let missing = world.authority.remove_client(&admin, name).await;
        assert_eq!(refusal(missing), Refusal::NoClient, "{name}");
    }
}

#[tokio::test]
async fn only_administrators_see_and_change_the_register() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let (other, _) = world.operator("owner@example.com").await;
    let workspace = WorkspaceId::mint([1; 16]);
    let grant = Grant { workspace, role: Role::Owner, may_revoke: true };
    let (job, _) = world.admitted(ADMIN, None, Some(grant)).await;
    add(&world, &admin, "billing").await;
    for caller in [&other, &job] {
        let added = world.authority.add_client(caller, asking("api", &["revoke"])).await;
        assert_eq!(refusal(added), Refusal::NotAdmin);
        assert_eq!(refusal(world.authority.list_clients(caller).await), Refusal::NotAdmin);
        for name in ["billing", "api", "Billing 1"] {
            let removed = world.authority.remove_client(caller, name).await;
            assert_eq!(refusal(removed), Refusal::NotAdmin, "{name}");
        }
    }
    let list = world.authority.list_clients(&admin).await.expect("an administrator may");
    assert_eq!(list.clients.len(), 1);
}

#[tokio::test]
async fn a_client_works_at_every_node_at_once_and_is_refused_at_all_of_them_at_once() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
    let memory = SharedMemory::default();
    let one = World::node(&memory, &clock, None).await;
    let two = World::node(&memory, &clock, Some(&one)).await;
    let (admin, _) = one.operator(ADMIN).await;
    let secret = add(&one, &admin, "billing").await.client_secret;
    for node in [&one, &two] {
        assert_eq!(who(node, "billing", &secret).await, Ok("billing".to_owned()));
    }
    two.authority.remove_client(&admin, "billing").await.expect("an administrator may");
    for node in [&one, &two] {
        assert_eq!(who(node, "billing", &secret).await, Err(Refusal::BadClient));
    }
    add(&two, &admin, "billing").await;
    let taken = one.authority.add_client(&admin, asking("billing", &["revoke"])).await;
    assert!(matches!(refusal(taken), Refusal::ClientExists(_)));
}

#[tokio::test]
async fn guesses_are_told_to_slow_down_and_a_good_client_beside_them_is_not() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
    let node = World::node(&SharedMemory::default(), &clock, None).await;
    for world in [World::new().await, node] {
        let (admin, _) = world.operator(ADMIN).await;
        let good = add(&world, &admin, "billing").await.client_secret;
        let guess = Secret::from("ntc_guess".to_owned());
        for _ in 0..limits::FAILURES_AT_ONCE.get() {
            assert_eq!(who(&world, "billing", &guess).await, Err(Refusal::BadClient));
        }
        let slow = who(&world, "billing", &guess).await;
        assert!(matches!(slow, Err(Refusal::TooOften { .. })), "{slow:?}");
        let wrong_name = who(&world, "api", &good).await;
        assert!(matches!(wrong_name, Err(Refusal::TooOften { .. })), "{wrong_name:?}");
        assert_eq!(who(&world, "billing", &good).await, Ok("billing".to_owned()));
    }
}
