//! Sessions and operators.

use std::net::IpAddr;

use nt_store::{Action, Grant, NewSession, Operator, Organisation, Role, Session, SessionHash};

use crate::audit::{everything, records};
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
        let silent = identity("1", None);
        let known = world.store.operator(silent, operator(9), T0).await.expect("answers");
        assert_eq!(known, opened.operator, "what a proof says nothing of stays");
        let other = world.ids.session(identity("2", None), operator(2), 5);
        let opened = world.store.open_session(other).await.expect("opened");
        assert_eq!(opened.operator.id, operator(2));
    })
    .await;
}

#[tokio::test]
async fn a_session_is_described_as_it_was_opened() {
    on_each(async |world| {
        let grant =
            Grant { workspace: world.ids.workspace_id(), role: Role::Developer, may_revoke: true };
        let organisation = |role: Option<&str>| {
            Some(Organisation { id: "org_1".to_owned(), role: role.map(str::to_owned) })
        };
        let plain = world.ids.session(identity("1", None), operator(1), 0);
        let person = NewSession {
            from: Some(IpAddr::from([192, 0, 2, 1])),
            client: Some("ntcli/1.0.0".to_owned()),
            organisation: organisation(Some("org:admin")),
            ..world.ids.session(identity("2", Some("o@example.com")), operator(2), 1)
        };
        let job = NewSession {
            organisation: organisation(None),
            grant: Some(grant),
            ..world.ids.session(identity("3", None), operator(3), 2)
        };
        for (at, new) in [plain, person, job].into_iter().enumerate() {
            let opened = world.store.open_session(new.clone()).await.expect("opened");
            let expected = Session {
                id: new.id,
                hash: new.hash,
                operator: Operator { id: new.operator, identity: new.identity },
                created_at: new.at,
                last_used_at: new.at,
                expires_at: new.expires_at,
                from: new.from,
                client: new.client,
                organisation: new.organisation,
                grant: new.grant,
            };
            assert_eq!(opened, expected);
            assert_eq!(world.store.live_sessions(T0).await.expect("answers")[at], expected);
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_use_of_a_session_only_goes_forward() {
    on_each(async |world| {
        let one = world.ids.session(identity("1", None), operator(1), 0);
        let two = world.ids.session(identity("1", None), operator(1), 1);
        world.store.open_session(one.clone()).await.expect("opened");
        world.store.open_session(two.clone()).await.expect("opened");
        let at = |after| T0.plus_seconds(after);
        let unknown = SessionHash([9; 32]);
        for used in [
            vec![(one.hash, at(60)), (unknown, at(60)), (two.hash, at(30))],
            vec![(one.hash, at(50)), (two.hash, at(40)), (two.hash, at(35))],
            vec![],
        ] {
            world.store.touch_sessions(used).await.expect("written down");
        }
        let live = world.store.live_sessions(T0).await.expect("answers");
        let used: Vec<_> =
            live.iter().map(|session| (session.hash, session.last_used_at)).collect();
        assert_eq!(used, [(one.hash, at(60)), (two.hash, at(40))]);
    })
    .await;
}

#[tokio::test]
async fn an_operator_proven_without_a_login_is_kept_as_by_one() {
    on_each(async |world| {
        let first = world.store.operator(identity("1", None), operator(1), T0).await;
        assert_eq!(first.expect("kept").id, operator(1));
        let session = world.ids.session(identity("1", Some("a@example.com")), operator(2), 1);
        let opened = world.store.open_session(session).await.expect("opened");
        assert_eq!(opened.operator.id, operator(1));
        let new = identity("1", Some("b@example.com"));
        let again = world.store.operator(new.clone(), operator(3), T0.plus_seconds(2)).await;
        assert_eq!(again.expect("kept"), Operator { id: operator(1), identity: new.clone() });
        let live = world.store.live_sessions(T0).await.expect("answers");
        assert_eq!((live.len(), &live[0].operator.identity), (1, &new));
        let taken = world.store.operator(identity("2", None), operator(1), T0).await;
        assert!(taken.is_err(), "the identifier is another's: {taken:?}");
    })
    .await;
}

#[tokio::test]
async fn each_session_that_is_ended_leaves_a_record() {
    on_each(async |world| {
        let sessions: Vec<_> =
            (0..3).map(|at| world.ids.session(identity("1", None), operator(1), at)).collect();
        for session in &sessions {
            world.store.open_session(session.clone()).await.expect("opened");
        }
        let hashes =
            vec![sessions[0].hash, SessionHash([9; 32]), sessions[2].hash, sessions[0].hash];
        let ended = world.store.end_sessions(hashes, act(&operator(1), 5)).await;
        assert_eq!(ended.expect("answers"), 2);
        let live = world.store.live_sessions(T0).await.expect("answers");
        assert_eq!((live.len(), live[0].hash), (1, sessions[1].hash));
        let found = records(&world, everything()).await;
        let ended = found.iter().filter(|record| record.action == Action::SessionEnded);
        assert_eq!(ended.map(|record| &record.act).collect::<Vec<_>>(), [&act(&operator(1), 5); 2]);
    })
    .await;
}

#[tokio::test]
async fn no_two_sessions_have_one_name_or_one_secret() {
    on_each(async |world| {
        let first = world.ids.session(identity("1", None), operator(1), 0);
        world.store.open_session(first.clone()).await.expect("opened");
        let fresh = || world.ids.session(identity("2", None), operator(2), 1);
        for again in [
            NewSession { id: first.id.clone(), ..fresh() },
            NewSession { hash: first.hash, ..fresh() },
        ] {
            world.store.open_session(again).await.expect_err("refused");
        }
        assert_eq!(world.store.live_sessions(T0).await.expect("answers").len(), 1);
        assert_eq!(records(&world, everything()).await.len(), 1);
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
        let end = async |hash| world.store.end_sessions(vec![hash], act(&operator(1), 70)).await;
        assert_eq!(end(one.hash).await.expect("answers"), 0);
        assert_eq!(end(two.hash).await.expect("answers"), 1);
        assert_eq!(end(two.hash).await.expect("answers"), 0);
        assert_eq!(end(SessionHash([9; 32])).await.expect("answers"), 0);
        assert!(world.store.live_sessions(T0).await.expect("answers").is_empty());
    })
    .await;
}
