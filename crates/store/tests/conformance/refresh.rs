//! Replacing tokens.

use nt_revocation::Fact;
use nt_store::{Action, AuditQuery, RefreshedToken, Visibility};
use nt_token::State;

use crate::world::{T0, act, on_each, operator};

#[tokio::test]
async fn a_refresh_makes_the_new_token_and_revokes_the_old_one_in_one_step() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, first) = world.workspace(&owner, "demo").await;
        let new = world.ids.token(made.id);
        let (jti, entry) = (new.jti.clone(), new.entry);
        let answer = world.store.refresh_token(first.jti.clone(), new, act(&owner, 4)).await;
        let Ok(RefreshedToken::Refreshed { new, old }) = answer else { panic!("{answer:?}") };
        assert_eq!((&new.jti, &new.state), (&jti, &State::Live));
        let reason = Some(format!("replaced by {jti}"));
        let at = T0.plus_seconds(4);
        let revoked = State::Revoked { at, by: owner.clone(), reason: reason.clone() };
        assert_eq!((&old.jti, &old.state), (&first.jti, &revoked));

        let log = world.store.entries_after(0, 10).await.expect("answers");
        let exp = first.expiry.claimed();
        let fact = Fact::TokenRevoked { place: first.place, jti: first.jti.clone(), exp };
        assert_eq!((log.len(), log[0].id, &log[0].fact), (1, entry, &fact));

        let visible = Visibility::Everything;
        let query = AuditQuery { visible, jti: None, since: None, before: None, limit: 2 };
        let audit = world.store.audit(query).await.expect("answers").records;
        assert_eq!((audit[1].action, &audit[1].jti), (Action::TokenRefreshed, &Some(jti)));
        assert_eq!((audit[0].action, &audit[0].jti), (Action::TokenRevoked, &Some(first.jti)));
        assert_eq!(audit[0].reason, reason);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_refresh_answers_with_both_tokens_and_appends_nothing() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, first) = world.workspace(&owner, "demo").await;
        let keyed = || {
            let mut new = world.ids.token(made.id);
            new.idempotency_key = Some("key".to_owned());
            new
        };
        let refresh = async |old, new| {
            world.store.refresh_token(old, new, act(&owner, 4)).await.expect("answers")
        };
        let done = refresh(first.jti.clone(), keyed()).await;
        assert_eq!(refresh(first.jti.clone(), keyed()).await, done);
        assert_eq!(world.store.head().await.expect("answers").seq, 1);
        assert_eq!(world.followed().len(), 1);

        let mut different = keyed();
        different.request_digest = [2; 32];
        assert_eq!(refresh(first.jti.clone(), different).await, RefreshedToken::KeyReused);
        let RefreshedToken::Refreshed { new, .. } = done else { panic!("{done:?}") };
        assert_eq!(refresh(new.jti, keyed()).await, RefreshedToken::KeyReused);
        let created = world.store.create_token(keyed(), act(&owner, 4)).await;
        assert_eq!(created.expect("answers"), nt_store::CreatedToken::KeyReused);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_was_revoked_already_can_be_replaced_and_keeps_its_first_reason() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, first) = world.workspace(&owner, "demo").await;
        let (jti, entry) = (first.jti.clone(), world.ids.entry());
        let reason = Some("leaked".to_owned());
        let revoked = world.store.revoke_token(made.id, jti, entry, reason, act(&owner, 1)).await;
        revoked.expect("revoked");
        let new = world.ids.token(made.id);
        let answer = world.store.refresh_token(first.jti, new, act(&owner, 2)).await;
        let Ok(RefreshedToken::Refreshed { new, old }) = answer else { panic!("{answer:?}") };
        let State::Revoked { reason, .. } = old.state else { panic!("{old:?}") };
        assert_eq!(reason.as_deref(), Some("leaked"));
        assert_eq!((new.rv, world.followed().len()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_issued_where_there_is_nothing_to_replace() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "mine").await;
        let (_, theirs) = world.workspace(&operator(2), "theirs").await;
        for old in [world.ids.jti(), theirs.jti] {
            let new = world.ids.token(made.id);
            let jti = new.jti.clone();
            let answer = world.store.refresh_token(old, new, act(&operator(1), 1)).await;
            assert_eq!(answer.expect("answers"), RefreshedToken::NotFound);
            assert_eq!(world.store.token(made.id, &jti).await.expect("answers"), None);
        }
    })
    .await;
}
