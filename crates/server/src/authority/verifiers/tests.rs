//! The register, on a real database.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use nt_api::verifiers::{AddVerifier, VerifierAdded};
use nt_feed::server::{Listed, SessionId, Stream, Who};
use nt_identity::development::DevelopmentProvider;
use nt_identity::provider::Provider;
use nt_store::{Grant, Role};
use nt_token::{Secret, Timestamp, WorkspaceId};

use crate::authority::error::Refusal;
use crate::authority::tests::{World, refusal};
use crate::authority::{Caller, limits};

const ADMIN: &str = "admin@example.com";

fn named(name: &str) -> AddVerifier {
    AddVerifier { name: name.to_owned() }
}

async fn add(world: &World, caller: &Caller, name: &str) -> VerifierAdded {
    world.authority.add_verifier(caller, named(name)).await.expect("an administrator may")
}

#[tokio::test]
async fn a_credential_names_its_verifier_until_it_is_removed_and_never_again() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let added = add(&world, &admin, "edge-1").await;
    assert!(added.credential.expose().starts_with("ntv_"));
    let who = |world: &World| world.authority.verifiers().authenticate(&added.credential);
    let found = who(&world).expect("registered");
    assert_eq!((&found.id, &found.name), (&added.id, &added.name));
    let unknown = Secret::from(format!("{}x", added.credential.expose()));
    assert_eq!(world.authority.verifiers().authenticate(&unknown), None);

    let world = world.restart().await;
    assert_eq!(who(&world), Some(found), "also after a restart");
    world.authority.remove_verifier(&admin, "edge-1").await.expect("an administrator may");
    assert_eq!(who(&world), None);
    let again = add(&world, &admin, "edge-1").await;
    assert_ne!(again.id, added.id);
    let world = world.restart().await;
    assert_eq!(who(&world), None, "the name was given again, the credential was not");
    assert!(world.authority.verifiers().authenticate(&again.credential).is_some());
}

#[tokio::test]
async fn a_name_is_taken_or_free_and_nothing_else() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let added = add(&world, &admin, "edge-1").await;
    let taken = world.authority.add_verifier(&admin, named("edge-1")).await;
    assert_eq!(refusal(taken), Refusal::VerifierExists(added.name));
    let bad = world.authority.add_verifier(&admin, named("Edge 1")).await;
    assert!(matches!(refusal(bad), Refusal::Invalid { field: "name", .. }));
    for name in ["edge-2", "Edge 1", ""] {
        let missing = world.authority.remove_verifier(&admin, name).await;
        assert_eq!(refusal(missing), Refusal::NoVerifier, "{name}");
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
    add(&world, &admin, "edge-1").await;
    for caller in [&other, &job] {
        let added = world.authority.add_verifier(caller, named("edge-2")).await;
        assert_eq!(refusal(added), Refusal::NotAdmin);
        assert_eq!(refusal(world.authority.list_verifiers(caller).await), Refusal::NotAdmin);
        for name in ["edge-1", "edge-2", "Edge 1"] {
            let removed = world.authority.remove_verifier(caller, name).await;
            assert_eq!(refusal(removed), Refusal::NotAdmin);
        }
    }
    let list = world.authority.list_verifiers(&admin).await.expect("an administrator may");
    assert_eq!(list.verifiers.len(), 1);
}

#[tokio::test]
async fn in_development_everybody_is_an_administrator_where_nobody_is_named() {
    let mut world = World::new().await;
    let provider = DevelopmentProvider::new("http://127.0.0.1:8480").expect("a provider");
    world.authority.provider = Some(Provider::Development(provider));
    let (anybody, _) = world.operator("owner@example.com").await;
    assert_eq!(refusal(world.authority.list_verifiers(&anybody).await), Refusal::NotAdmin);
    world.authority.policy.admins.clear();
    assert!(world.authority.list_verifiers(&anybody).await.is_ok());
    let workspace = WorkspaceId::mint([1; 16]);
    let grant = Grant { workspace, role: Role::Owner, may_revoke: true };
    let (job, _) = world.admitted("job", None, Some(grant)).await;
    assert_eq!(refusal(world.authority.list_verifiers(&job).await), Refusal::NotAdmin);
    world.authority.provider = None;
    assert_eq!(refusal(world.authority.list_verifiers(&anybody).await), Refusal::NotAdmin);
}

#[tokio::test]
async fn a_session_hears_of_the_removal_of_its_own_verifier_only() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let (one, two) = (add(&world, &admin, "edge-1").await, add(&world, &admin, "edge-2").await);
    let verifiers = world.authority.verifiers();
    let mut first = Box::pin(verifiers.removed(&one.id));
    let mut second = Box::pin(verifiers.removed(&two.id));
    let mut polled = async || {
        let (first, second) = (futures_poll(&mut first).await, futures_poll(&mut second).await);
        (first.is_ready(), second.is_ready())
    };
    assert_eq!(polled().await, (false, false));
    world.authority.remove_verifier(&admin, "edge-2").await.expect("an administrator may");
    assert_eq!(polled().await, (false, true));
    // Whoever asks afterwards is told at once.
    verifiers.removed(&two.id).await;
}

/// Asks a future once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context)))
        .await
}

#[tokio::test]
async fn the_list_shows_what_is_kept() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let added = add(&world, &admin, "edge-1").await;
    let shown = async || {
        let list = world.authority.list_verifiers(&admin).await.expect("an administrator may");
        list.verifiers.into_iter().next().expect("one")
    };
    let fresh = shown().await;
    assert_eq!((&fresh.id, &fresh.created_by), (&added.id, &admin.operator().id));
    assert_eq!((fresh.connected, fresh.last_connected_at, fresh.version), (false, None, None));
    let long = format!("1.0\n{}", "x".repeat(100));
    let (store, now) = (world.authority.store.as_ref(), world.authority.clock.now());
    super::Verifiers::note_connected(store, added.id.clone(), now, &long).await;
    let connected = shown().await;
    assert_eq!((connected.connected, connected.position), (false, None), "the feed says");
    assert_eq!(connected.version, Some(format!("1.0{}", "x".repeat(61))));
    assert!(connected.last_connected_at.is_some());
}

#[tokio::test]
async fn one_name_added_and_removed_at_a_time_ends_the_same_in_memory_and_in_the_store() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let authority = Arc::new(world.authority);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (authority, admin) = (Arc::clone(&authority), admin.clone());
        tasks.spawn(async move {
            if number % 2 == 0 {
                authority.add_verifier(&admin, named("edge-1")).await.map(drop)
            } else {
                authority.remove_verifier(&admin, "edge-1").await.map(drop)
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        // Which of them succeed is a matter of luck.
        drop(ended.expect("no panic"));
    }
    let kept = authority.store.verifiers().await.expect("answers");
    let known = authority.verifiers().registered().len();
    assert_eq!(known, kept.len());
    assert!(kept.iter().all(|kept| authority.verifiers().is_registered(&kept.id)));
}

#[tokio::test]
async fn a_removed_verifier_keeps_its_name_for_as_long_as_it_may_be_waited_for() {
    let world = World::new().await;
    let (admin, _) = world.operator(ADMIN).await;
    let added = add(&world, &admin, "edge-1").await;
    world.authority.remove_verifier(&admin, "edge-1").await.expect("an administrator may");
    let verifiers = world.authority.verifiers();
    assert_eq!(verifiers.name_of(&added.id), Some(added.name));
    assert!(!verifiers.is_registered(&added.id));
    assert_eq!(verifiers.authenticate(&added.credential), None);
    let who = Who { identity: added.id.to_string(), name: "its own".to_owned(), instance: [1; 16] };
    assert_eq!(world.authority.called(&who), "edge-1");
}

#[test]
fn each_process_of_a_verifier_is_listed_once_by_what_was_heard_last() {
    let session = |id, name: &str, instance, heard_ms, stream| Listed {
        id: SessionId(id),
        who: Arc::new(Who {
            identity: "vrf_1".to_owned(),
            name: name.to_owned(),
            instance: [instance; 16],
        }),
        stream,
        acked: id,
        acked_ago: Duration::ZERO,
        heard_ago: Duration::from_millis(heard_ms),
        lease_left: Duration::from_millis(5),
    };
    let sessions = [
        session(1, "green", 2, 10, Stream::Open),
        session(2, "blue", 1, 900, Stream::Ended),
        session(3, "blue", 1, 30, Stream::Open),
        session(4, "blue", 3, 40, Stream::Ended),
    ];
    let shown: Vec<_> = super::processes(sessions.iter())
        .into_iter()
        .map(|session| super::process(session, 7))
        .map(|shown| (shown.name, shown.position.seq, shown.connected, shown.last_ack_ms_ago))
        .collect();
    let blue = "blue".to_owned();
    let expected =
        [(blue.clone(), 3, true, 30), (blue, 4, false, 40), ("green".to_owned(), 1, true, 10)];
    assert_eq!(shown, expected);
}

#[test]
fn what_held_up_many_is_told_once_and_who_is_refused_once_in_a_while() {
    let verifiers = super::Verifiers::new(Vec::new());
    assert!(!verifiers.is_news(3, 2), "it is not in force yet");
    assert!(verifiers.is_news(2, 4));
    assert!(!verifiers.is_news(3, 4) && !verifiers.is_news(4, 5), "they came together");
    assert!(verifiers.is_news(5, 6) && !verifiers.is_news(2, 6));

    let at = |seconds: i64| Timestamp::from_unix(1_000 + seconds);
    assert!(verifiers.is_refusal_told("10.0.0.1", at(0)));
    assert!(
        !verifiers.is_refusal_told("10.0.0.1", at(59)) && verifiers.is_refusal_told("b", at(59))
    );
    assert!(verifiers.is_refusal_told("10.0.0.1", at(60)));
    let flood = (0..1_000).filter(|n| verifiers.is_refusal_told(&format!("c{n}"), at(61))).count();
    assert_eq!(flood, limits::REFUSED_LOGGED - 2);
}
