//! Sessions and operators.

use nt_store::SessionHash;

use crate::world::{T0, act, identity, on_each, operator};

#[tokio::test]
async fn an_operator_is_made_at_the_first_sign_in_and_brought_up_to_date_at_each() {
    on_each(async |world| {
        let first = world.ids.session(identity("1", Some("old@example.com")), operator(1), 0);
        let opened = world.store.open_session(first.clone()).await.expect("opened");
        assert_eq!((&opened.operator.id, opened.hash), (&operator(1), first.hash));
        let second = world.ids.session(identity("1", Some("new@example.com")), operator(9), 5);
        let opened = world.store.open_session(second).await.expect("opened");
        assert_eq!(opened.operator.id, operator(1), "the first identifier stays");
        assert_eq!(opened.operator.identity.email.as_deref(), Some("new@example.com"));
        let live = world.store.live_sessions(T0.plus_seconds(6)).await.expect("answers");
        assert_eq!(live.len(), 2);
        assert!(live.iter().all(|session| session.operator == opened.operator));
        let other = world.ids.session(identity("2", None), operator(2), 5);
        let opened = world.store.open_session(other).await.expect("opened");
        assert_eq!(opened.operator.id, operator(2));
    })
    .await;
}

#[tokio::test]
async fn a_session_lives_until_it_ends_or_is_ended() {
    on_each(async |world| {
        let one = world.ids.session(identity("1", None), operator(1), 0);
        let two = world.ids.session(identity("1", None), operator(1), 60);
        world.store.open_session(one.clone()).await.expect("opened");
        let second = world.store.open_session(two.clone()).await.expect("opened");
        assert_eq!(world.store.live_sessions(T0).await.expect("answers").len(), 2);
        let live = world.store.live_sessions(one.expires_at).await.expect("answers");
        assert_eq!(live, [second]);
        // What had ended is forgotten for good.
        assert_eq!(world.store.live_sessions(T0).await.expect("answers").len(), 1);
        let end = async |hash| world.store.end_session(hash, act(&operator(1), 70)).await;
        assert!(!end(one.hash).await.expect("answers"));
        assert!(end(two.hash).await.expect("answers"));
        assert!(!end(two.hash).await.expect("answers"));
        assert!(!end(SessionHash([9; 32])).await.expect("answers"));
        assert!(world.store.live_sessions(T0).await.expect("answers").is_empty());
    })
    .await;
}
