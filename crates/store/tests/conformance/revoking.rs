//! Revoking tokens.

use nt_revocation::Fact;
use nt_store::{Act, RevokedToken};
use nt_token::{State, TokenRecord};

use crate::world::{World, act, on_each, operator};

async fn revoke(world: &World, token: &TokenRecord, reason: &str, act: Act) -> (State, u64, bool) {
    let (jti, entry) = (token.jti.clone(), world.ids.entry());
    let reason = Some(reason.to_owned());
    let answer = world.store.revoke_token(token.workspace, jti, entry, reason, act).await;
    match answer {
        Ok(RevokedToken::Revoked { token, seq, before }) => (token.state, seq, before),
        other => panic!("not revoked: {other:?}"),
    }
}

#[tokio::test]
async fn a_revocation_appends_an_entry_that_names_the_tokens_place() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let entry = world.ids.entry();
        let step = act(&operator(1), 5);
        let jti = token.jti.clone();
        let answer = world.store.revoke_token(made.id, jti, entry, None, step).await;
        assert!(matches!(answer, Ok(RevokedToken::Revoked { seq: 1, before: false, .. })));
        let log = world.store.entries_after(0, 10).await.expect("answers");
        let exp = token.expiry.claimed();
        let fact = Fact::TokenRevoked { place: token.place, jti: token.jti, exp };
        assert_eq!((log.len(), log[0].id, &log[0].fact), (1, entry, &fact));
        let head = world.store.head().await.expect("answers");
        assert_eq!((head.epoch, head.seq, head.entry), (1, 1, entry));
        assert_eq!(world.followed(), log);
    })
    .await;
}

#[tokio::test]
async fn each_revocation_appends_but_the_first_one_is_kept() {
    on_each(async |world| {
        let (_, token) = world.workspace(&operator(1), "demo").await;
        let first = act(&operator(1), 5);
        let (state, seq, before) = revoke(&world, &token, "leaked", first.clone()).await;
        let reason = Some("leaked".to_owned());
        let kept = State::Revoked { at: first.at, by: first.operator, reason };
        assert_eq!((&state, seq, before), (&kept, 1, false));
        let again = revoke(&world, &token, "again", act(&operator(2), 9)).await;
        assert_eq!(again, (kept.clone(), 2, true));
        let found = world.store.token(token.workspace, &token.jti).await.expect("answers");
        assert_eq!(found.expect("there").0.state, kept);
        assert_eq!(world.store.head().await.expect("answers").seq, 2);
    })
    .await;
}

#[tokio::test]
async fn an_expired_token_can_be_revoked() {
    on_each(async |world| {
        let (_, token) = world.workspace(&operator(1), "demo").await;
        let years = 40_000_000;
        let (state, ..) = revoke(&world, &token, "late", act(&operator(1), years)).await;
        assert!(matches!(state, State::Revoked { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_token_of_another_workspace_is_not_found_and_nothing_is_appended() {
    on_each(async |world| {
        let (_, mine) = world.workspace(&operator(1), "mine").await;
        let (other, _) = world.workspace(&operator(2), "other").await;
        for (workspace, jti) in [(other.id, mine.jti), (other.id, world.ids.jti())] {
            let (entry, step) = (world.ids.entry(), act(&operator(2), 1));
            let answer = world.store.revoke_token(workspace, jti, entry, None, step).await;
            assert_eq!(answer.expect("answers"), RevokedToken::NotFound);
        }
        assert_eq!(world.store.head().await.expect("answers").seq, 0);
        assert!(world.followed().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_step_repeated_with_its_entry_is_not_appended_twice() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let entry = world.ids.entry();
        for before in [false, true] {
            let (jti, step) = (token.jti.clone(), act(&operator(1), 5));
            let answer = world.store.revoke_token(made.id, jti, entry, None, step).await;
            let Ok(RevokedToken::Revoked { seq, before: told, .. }) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!((seq, told), (1, before));
        }
        assert_eq!(world.followed().len(), 1);
    })
    .await;
}
