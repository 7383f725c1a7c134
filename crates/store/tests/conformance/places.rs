//! The places of tokens in the revocation set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nt_store::CreatedToken;
use nt_token::{Expiry, Place, Timestamp};
use tokio::task::JoinSet;

use crate::world::{T0, World, act, on_each, operator};

async fn places(world: &World, count: usize, expires: Timestamp) -> Vec<Place> {
    let owner = operator(1);
    let (made, _) = world.workspace(&owner, &format!("demo {count}")).await;
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (store, step) = (Arc::clone(&world.store), act(&owner, 1));
        let mut new = world.ids.token(made.id);
        new.expiry = Expiry::At(expires);
        tasks.spawn(async move {
            match store.create_token(new, step).await {
                Ok(CreatedToken::New(token)) => token.place,
                other => panic!("no token: {other:?}"),
            }
        });
    }
    tasks.join_all().await
}

#[tokio::test]
async fn lists_fill_to_seven_eighths_and_double() {
    on_each(async |world| {
        // The workspace's first token lives for a year: its bucket is another one.
        let drawn = places(&world, 896 + 1_792 + 100, T0.plus_seconds(86_400)).await;
        let mut lists = BTreeMap::<u32, Vec<u32>>::new();
        for place in &drawn {
            lists.entry(place.list).or_default().push(place.idx);
        }
        let sizes: Vec<_> = lists.iter().map(|(list, taken)| (*list, taken.len())).collect();
        assert_eq!(sizes, [(1, 896), (2, 1_792), (3, 100)]);
        for (list, capacity) in [(1, 1_024), (2, 2_048), (3, 4_096)] {
            assert!(lists[&list].iter().all(|idx| *idx < capacity));
        }
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len(), "each its own");
        // Neighbours tell nothing: the places are spread, and not in order.
        let first = &lists[&1];
        assert!(first.iter().any(|idx| *idx > 900) && first.iter().any(|idx| *idx < 124));
        assert!(!first.is_sorted());
    })
    .await;
}

#[tokio::test]
async fn a_list_holds_tokens_that_expire_in_the_same_month() {
    on_each(async |world| {
        let month = |text: &str| text.parse::<Timestamp>().expect("a time");
        let mut lists = Vec::new();
        for expires in ["2030-01-01T00:00:00Z", "2030-01-31T23:59:59Z", "2030-02-01T00:00:00Z"] {
            let (made, _) = world.workspace(&operator(1), expires).await;
            let mut new = world.ids.token(made.id);
            new.expiry = Expiry::Never { claimed: month(expires) };
            let made = world.store.create_token(new, act(&operator(1), 1)).await;
            let Ok(CreatedToken::New(token)) = made else { panic!("{made:?}") };
            lists.push(token.place.list);
        }
        assert_eq!(lists[0], lists[1]);
        assert_ne!(lists[1], lists[2]);
    })
    .await;
}
