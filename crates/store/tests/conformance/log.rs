//! The log, the follower, and what is fixed at the first start.

use nt_revocation::{Fact, Position, ScopeOf};
use nt_store::{DeletedWorkspace, StoreError};

use crate::world::{act, kid, on_each, operator};

fn key_added(jwk: &str) -> Fact {
    Fact::KeyAdded { kid: kid(), jwk: jwk.to_owned() }
}

#[tokio::test]
async fn the_issuer_of_the_first_start_stays() {
    on_each(async |world| {
        for issuer in ["https://first.example", "https://second.example"] {
            let authority = world.store.found(issuer).await.expect("answers");
            assert_eq!(authority.issuer, "https://first.example");
        }
    })
    .await;
}

#[tokio::test]
async fn an_empty_log_is_at_the_start() {
    on_each(async |world| {
        assert_eq!(world.store.head().await.expect("answers"), Position::START);
        assert!(world.store.entries_after(0, 10).await.expect("answers").is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_appended_is_read_back_in_order_and_in_parts() {
    on_each(async |world| {
        let facts: Vec<_> =
            (0..5).map(|n| (world.ids.entry(), key_added(&format!("{{\"n\":{n}}}")))).collect();
        let head = world.store.append(facts.clone()).await.expect("appended");
        assert_eq!((head.seq, head.entry), (5, facts[4].0));
        assert_eq!(world.store.head().await.expect("answers"), head);
        let log = world.store.entries_after(0, 10).await.expect("answers");
        assert!((1..=5).eq(log.iter().map(|entry| entry.seq)));
        assert!(
            facts.iter().eq(log.iter().map(|e| (e.id, e.fact.clone())).collect::<Vec<_>>().iter())
        );
        assert_eq!(world.followed(), log);
        let part = world.store.entries_after(2, 2).await.expect("answers");
        assert_eq!(part, log[2..4]);
        assert!(world.store.entries_after(5, 2).await.expect("answers").is_empty());
    })
    .await;
}

#[tokio::test]
async fn only_what_is_missing_is_appended() {
    on_each(async |world| {
        let first = (world.ids.entry(), key_added("{}"));
        let all = Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] };
        let second = (world.ids.entry(), all);
        world.store.append(vec![first.clone()]).await.expect("appended");
        let head = world.store.append(vec![first.clone(), second.clone()]).await.expect("appended");
        assert_eq!((head.seq, head.entry), (2, second.0));
        let head = world.store.append(vec![first]).await.expect("nothing to append");
        assert_eq!(head.seq, 2);
        assert_eq!(world.followed().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_entrys_id_never_stands_for_two_facts() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, token) = world.workspace(&owner, "demo").await;
        let entry = world.ids.entry();
        let facts = vec![(entry, key_added("{}"))];
        world.store.append(facts).await.expect("appended");
        let other = vec![(world.ids.entry(), key_added("[]")), (entry, key_added("[]"))];
        let answer = world.store.append(other).await;
        assert!(matches!(answer, Err(StoreError::EntryReused(id)) if id == entry));
        let answer =
            world.store.revoke_token(made.id, token.jti.clone(), entry, None, act(&owner, 1)).await;
        assert!(matches!(answer, Err(StoreError::EntryReused(_))), "{answer:?}");
        let answer = world.store.delete_workspace(made.id, entry, None, act(&owner, 1)).await;
        assert!(matches!(answer, Err(StoreError::EntryReused(_))), "{answer:?}");

        // A step that failed left nothing behind.
        assert_eq!(world.store.head().await.expect("answers").seq, 1);
        assert_eq!(world.followed().len(), 1);
        let found = world.store.token(made.id, &token.jti).await.expect("answers");
        assert_eq!(found.expect("there").0, token);
        let entry = world.ids.entry();
        let gone = world.store.delete_workspace(made.id, entry, None, act(&owner, 2)).await;
        assert!(matches!(gone, Ok(DeletedWorkspace::Deleted { .. })));
        assert_eq!(world.followed().last().expect("entries").seq, 2);
    })
    .await;
}

#[tokio::test]
async fn a_closed_store_answers_that_it_has_stopped() {
    on_each(async |world| {
        world.workspace(&operator(1), "demo").await;
        world.store.close().await;
        assert!(matches!(world.store.head().await, Err(StoreError::Stopped)));
        assert!(matches!(world.store.append(vec![]).await, Err(StoreError::Stopped)));
        world.store.close().await;
    })
    .await;
}
