//! The register of verifiers.

use nt_store::{
    Action, AddedVerifier, CredentialHash, NewVerifier, Operator, Store as _, Verifier,
};
use nt_token::{VerifierId, VerifierName};

use crate::audit::{everything, records};
use crate::world::{T0, World, act, on_each, open, operator};

fn name(text: &str) -> VerifierName {
    text.parse().expect("a name")
}

fn new(world: &World, text: &str) -> NewVerifier {
    let number = world.ids.next();
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_be_bytes());
    let id = VerifierId::mint(number, [6; 10]);
    NewVerifier { id, name: name(text), hash: CredentialHash(hash) }
}

async fn admin(world: &World) -> Operator {
    world.sign_in(1, Some("admin@example.com")).await
}

async fn add(world: &World, new: NewVerifier, after: i64) -> Verifier {
    match world.store.add_verifier(new, act(&operator(1), after)).await {
        Ok(AddedVerifier::Added(verifier)) => verifier,
        other => panic!("not added: {other:?}"),
    }
}

#[tokio::test]
async fn a_verifier_is_kept_as_it_was_registered_and_listed_by_name() {
    on_each(async |world| {
        admin(&world).await;
        assert!(world.store.verifiers().await.expect("answers").is_empty());
        let (late, early) = (new(&world, "edge-2"), new(&world, "edge-1"));
        let expected = |new: &NewVerifier, after| Verifier {
            id: new.id.clone(),
            name: new.name.clone(),
            hash: new.hash,
            created_at: T0.plus_seconds(after),
            created_by: operator(1),
            last_connected: None,
        };
        let expected = [expected(&early, 2), expected(&late, 1)];
        assert_eq!(add(&world, late, 1).await, expected[1]);
        assert_eq!(add(&world, early, 2).await, expected[0]);
        assert_eq!(world.store.verifiers().await.expect("answers"), expected);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_until_its_verifier_is_removed() {
    on_each(async |world| {
        admin(&world).await;
        let first = add(&world, new(&world, "edge-1"), 1).await;
        let again = world.store.add_verifier(new(&world, "edge-1"), act(&operator(1), 2)).await;
        assert_eq!(again.expect("answers"), AddedVerifier::NameTaken);
        let remove = async |after| {
            let removed = world.store.remove_verifier(name("edge-1"), act(&operator(1), after));
            removed.await.expect("answers")
        };
        assert!(remove(3).await);
        assert!(!remove(4).await, "it is removed once");
        assert!(world.store.verifiers().await.expect("answers").is_empty());
        let second = add(&world, new(&world, "edge-1"), 5).await;
        assert_ne!(second.id, first.id);
        assert_eq!(world.store.verifiers().await.expect("answers"), [second]);
    })
    .await;
}

#[tokio::test]
async fn each_change_of_the_register_leaves_one_record() {
    on_each(async |world| {
        admin(&world).await;
        add(&world, new(&world, "edge-1"), 1).await;
        let taken = world.store.add_verifier(new(&world, "edge-1"), act(&operator(1), 2)).await;
        assert_eq!(taken.expect("answers"), AddedVerifier::NameTaken);
        for after in [3, 4] {
            let removed = world.store.remove_verifier(name("edge-1"), act(&operator(1), after));
            removed.await.expect("answers");
        }
        let found = records(&world, everything()).await;
        let told: Vec<_> = found
            .iter()
            .filter(|record| record.about.is_some())
            .map(|record| (record.action, record.about.as_deref(), record.act.clone()))
            .collect();
        let expected = [
            (Action::VerifierRemoved, Some("edge-1"), act(&operator(1), 3)),
            (Action::VerifierAdded, Some("edge-1"), act(&operator(1), 1)),
        ];
        assert_eq!(told, expected);
        assert!(found.iter().all(|record| record.workspace.is_none()));
    })
    .await;
}

#[tokio::test]
async fn an_identifier_and_a_credential_are_never_given_again() {
    on_each(async |world| {
        admin(&world).await;
        let (live, gone) = (new(&world, "edge-1"), new(&world, "edge-2"));
        for known in [&live, &gone] {
            add(&world, known.clone(), 1).await;
        }
        let removed = world.store.remove_verifier(gone.name.clone(), act(&operator(1), 2)).await;
        assert!(removed.expect("answers"));
        for known in [live, gone] {
            for again in [
                NewVerifier { id: known.id.clone(), ..new(&world, "another") },
                NewVerifier { hash: known.hash, ..new(&world, "another") },
            ] {
                let refused = world.store.add_verifier(again, act(&operator(1), 3)).await;
                assert!(refused.is_err(), "{refused:?}");
            }
        }
        assert_eq!(world.store.verifiers().await.expect("answers").len(), 1);
        assert_eq!(records(&world, everything()).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn the_last_connection_of_a_verifier_only_goes_forward() {
    on_each(async |world| {
        admin(&world).await;
        let one = add(&world, new(&world, "edge-1"), 0).await;
        let two = add(&world, new(&world, "edge-2"), 0).await;
        let gone = add(&world, new(&world, "edge-3"), 0).await;
        let removed = world.store.remove_verifier(gone.name, act(&operator(1), 1)).await;
        assert!(removed.expect("answers"));
        let at = |after| T0.plus_seconds(after);
        let version = |text: &str| text.to_owned();
        for connected in [
            vec![(one.id.clone(), at(60), version("2")), (gone.id, at(60), version("2"))],
            vec![(one.id.clone(), at(50), version("1")), (two.id.clone(), at(40), version("1"))],
            vec![(two.id.clone(), at(40), version("2"))],
            vec![],
        ] {
            world.store.touch_verifiers(connected).await.expect("written down");
        }
        let found = world.store.verifiers().await.expect("answers");
        let told: Vec<_> = found.into_iter().map(|v| (v.id, v.last_connected)).collect();
        let expected =
            [(one.id, Some((at(60), version("2")))), (two.id, Some((at(40), version("2"))))];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test]
async fn the_register_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path()).expect("opens");
    let ids = crate::world::Ids::default();
    let session = ids.session(crate::world::identity("1", None), operator(1), 0);
    store.open_session(session).await.expect("opened");
    let hash = CredentialHash([4; 32]);
    let new = NewVerifier { id: VerifierId::mint(1, [6; 10]), name: name("edge-1"), hash };
    let added = store.add_verifier(new, act(&operator(1), 1)).await.expect("answers");
    store.close().await;
    drop(store);
    let store = open(directory.path()).expect("opens");
    let found = store.verifiers().await.expect("answers");
    assert_eq!(AddedVerifier::Added(found[0].clone()), added);
}
