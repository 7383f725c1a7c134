//! Many at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use nt_revocation::Fact;
use nt_store::{CreatedToken, CreatedWorkspace, RevokedToken};
use tokio::task::JoinSet;

use crate::world::{World, act, on_each, operator};

const TASKS: u8 = 64;
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_revokers_make_one_dense_log_and_nothing_is_lost() {
    on_each(async |world| {
        let world = Arc::new(world);
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let world = Arc::clone(&world);
            tasks.spawn(async move { create_and_revoke(&world, task).await });
        }
        let answered: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();

        let log = world.store.entries_after(0, u32::MAX).await.expect("answers");
        assert_eq!(log.len(), usize::from(TASKS) * ROUNDS);
        assert!((1..).zip(&log).all(|(seq, entry)| entry.seq == seq), "dense");
        assert_eq!(world.followed(), log, "told of each, in order");
        let places: BTreeSet<_> = answered.iter().map(|(_, token)| token.place).collect();
        assert_eq!(places.len(), answered.len(), "each its own place");
        for (seq, token) in answered {
            let entry = &log[usize::try_from(seq - 1).expect("small")];
            let Fact::TokenRevoked { place, jti, .. } = &entry.fact else { panic!("{entry:?}") };
            assert_eq!((*place, jti), (token.place, &token.jti), "the entry that was answered");
            assert!(token.rv < seq, "issued before it was revoked");
        }
    })
    .await;
}

/// Creates and revokes; each answer must find the follower told already.
async fn create_and_revoke(world: &World, task: u8) -> Vec<(u64, nt_token::TokenRecord)> {
    let owner = operator(task);
    let (made, _) = world.workspace(&owner, "demo").await;
    let mut answered = Vec::new();
    for _ in 0..ROUNDS {
        let token = world.token(made.id, act(&owner, 1)).await;
        let (jti, entry, step) = (token.jti.clone(), world.ids.entry(), act(&owner, 2));
        let answer = world.store.revoke_token(made.id, jti, entry, None, step).await;
        let Ok(RevokedToken::Revoked { seq, .. }) = answer else { panic!("{answer:?}") };
        let told = world.followed.lock().expect("no panic").last().expect("entries").seq;
        assert!(told >= seq, "answered before the follower was told");
        answered.push((seq, token));
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_equal_requests_one_creates_and_the_others_repeat() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let store = Arc::clone(&world.store);
            let mut new = world.ids.token(made.id);
            new.idempotency_key = Some("key".to_owned());
            tasks.spawn(async move {
                store.create_token(new, act(&operator(1), 1)).await.expect("answers")
            });
        }
        let answers = tasks.join_all().await;
        let (mut new, mut jtis) = (0, BTreeSet::new());
        for answer in answers {
            match answer {
                CreatedToken::New(token) => {
                    new += 1;
                    jtis.insert(token.jti);
                }
                CreatedToken::Repeated(token) => {
                    jtis.insert(token.jti);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((new, jtis.len()), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_workspaces_of_one_name_one_is_made() {
    on_each(async |world| {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let store = Arc::clone(&world.store);
            let (new, first) = world.ids.workspace("demo");
            tasks.spawn(
                async move { store.create_workspace(new, first, act(&operator(1), 1)).await },
            );
        }
        let answers = tasks.join_all().await;
        let made = answers.iter().filter(|a| matches!(a, Ok(CreatedWorkspace::New(..)))).count();
        let taken = answers.iter().filter(|a| matches!(a, Ok(CreatedWorkspace::NameTaken))).count();
        assert_eq!((made, taken), (1, usize::from(TASKS) - 1));
    })
    .await;
}
