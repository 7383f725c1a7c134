//! The lists of places, as they are published.

use nt_store::{CreatedToken, ListedPlaces, Purpose, Recovery, Role, Store};
use nt_token::{EntryId, Expiry, TokenRecord};

use crate::keys;
use crate::members::id;
use crate::world::{T0, World, act, on_each, open, operator, options};

/// Whether the list that a token is in says that it does not count.
async fn refused(store: &dyn Store, token: &TokenRecord) -> bool {
    let lists = store.lists().await.expect("answers");
    let list = *lists.iter().find(|list| list.number == token.place.list).expect("known");
    let bits = store.listed_places(list).await.expect("answers").bits(&list);
    bits[token.place.idx as usize / 8] >> (token.place.idx % 8) & 1 == 1
}

async fn signed_with(world: &World, by: &TokenRecord, name: &str) -> TokenRecord {
    let new = nt_store::NewToken { kid: keys::kid(name), ..world.ids.token(by.workspace) };
    match world.store.create_token(new, act(&operator(1), 1)).await.expect("answers") {
        CreatedToken::New(token) => token,
        other => panic!("no token: {other:?}"),
    }
}

#[tokio::test]
async fn a_list_refuses_what_was_revoked_alone_and_with_a_scope_or_a_key_and_nothing_else() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        let (made, first) = world.workspace(&operator(1), "demo").await;
        let (gone, in_gone) = world.workspace(&operator(1), "gone").await;
        world.add(&made, id(2), Role::Developer, 1).await;
        for (name, purpose) in [("old", Purpose::First), ("next", Purpose::Next(T0))] {
            let new = keys::new(&world, name, purpose);
            world.store.add_key(new, act(&operator(1), 1)).await.expect("added");
        }
        let of_member = world.token(made.id, act(&operator(2), 2)).await;
        let by_key = signed_with(&world, &first, "old").await;
        let alone = world.token(made.id, act(&operator(1), 2)).await;
        let replaced = world.token(made.id, act(&operator(1), 2)).await;
        let good = world.token(made.id, act(&operator(1), 2)).await;
        let revoked = [&in_gone, &of_member, &by_key, &alone, &replaced];
        for token in revoked {
            assert!(!refused(&*world.store, token).await);
        }

        let (store, step) = (&world.store, act(&operator(1), 3));
        let entry = || world.ids.entry();
        let (jti, reason) = (alone.jti.clone(), Some("leaked".to_owned()));
        store.revoke_token(made.id, jti, entry(), reason, step.clone()).await.expect("revoked");
        store.delete_workspace(gone.id, entry(), None, step.clone()).await.expect("deleted");
        let removed =
            store.remove_member(made.id, id(2), Role::Developer, Some(entry()), step.clone());
        removed.await.expect("removed");
        let successor = keys::new(&world, "successor", Purpose::First);
        let old = keys::kid("old");
        let done = store.revoke_key(&old, entry(), successor, step.clone());
        done.await.expect("revoked");
        let new = world.ids.token(made.id);
        store.refresh_token(replaced.jti.clone(), new, step).await.expect("refreshed");
        // Of a node that had not heard of it.
        let late = signed_with(&world, &first, "old").await;

        for token in revoked.into_iter().chain([&late]) {
            assert!(refused(&**store, token).await, "{token:?}");
            assert_eq!(
                token == &late,
                store.revocation_of(token).await.expect("answers").is_none(),
                "and the log agrees, but that it is asked by what came after the token"
            );
        }
        for token in [&first, &good] {
            assert!(!refused(&**store, token).await, "{token:?}");
        }
        let lists = store.lists().await.expect("answers");
        let places = store.listed_places(lists[0]).await.expect("answers");
        let ListedPlaces::Revoked(places) = places else { panic!("{places:?}") };
        assert_eq!((lists.len(), places.len()), (1, 6), "free places say nothing");
    })
    .await;
}

#[tokio::test]
async fn lists_are_known_from_their_first_token_on_and_end_with_their_month() {
    on_each(async |world| {
        assert_eq!(world.store.lists().await.expect("answers"), []);
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let mut new = world.ids.token(made.id);
        let end = "2030-01-31T23:59:59Z".parse().expect("a time");
        new.expiry = Expiry::At("2030-01-05T00:00:00Z".parse().expect("a time"));
        world.store.create_token(new, act(&operator(1), 1)).await.expect("created");
        let lists = world.store.lists().await.expect("answers");
        let ended: Vec<_> = lists.iter().map(|list| (list.number, list.ended_by(end))).collect();
        assert_eq!(ended, [(0, T0.plus_seconds(31_536_000) <= end), (1, true)]);
    })
    .await;
}

#[tokio::test]
async fn after_a_recovery_a_place_whose_record_may_be_lost_does_not_count() {
    let world = World::sqlite(tempfile::tempdir().expect("a directory"));
    world.sign_in(1, None).await;
    let (made, token) = world.workspace(&operator(1), "demo").await;
    let revoked = world.token(made.id, act(&operator(1), 1)).await;
    let (jti, entry) = (revoked.jti.clone(), world.ids.entry());
    let step = act(&operator(1), 2);
    world.store.revoke_token(made.id, jti, entry, None, step.clone()).await.expect("revoked");
    world.store.close().await;
    let recovery = Recovery {
        entry: EntryId([0xee; 16]),
        witnessed: Vec::new(),
        seen: Vec::new(),
        revoke_before: None,
        act: step,
    };
    options(world.directory()).recover(&recovery).expect("recovered");

    let store = open(world.directory()).expect("starts again");
    assert!(!refused(&store, &token).await);
    assert!(refused(&store, &revoked).await);
    let mut lost = token.clone();
    lost.place.idx =
        (0..1_024).find(|idx| ![token.place.idx, revoked.place.idx].contains(idx)).expect("free");
    assert!(refused(&store, &lost).await);
    let new = store.create_token(world.ids.token(made.id), act(&operator(1), 9)).await;
    let CreatedToken::New(new) = new.expect("answers") else { panic!("not created") };
    assert!(!refused(&store, &new).await, "its list is a new one");
    assert_eq!(store.lists().await.expect("answers").len(), 2, "and nothing in between is known");
}
