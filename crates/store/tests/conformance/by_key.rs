//! What is asked by one key each time, and what nodes that share a memory see of each other.

use std::sync::Arc;

use nt_revocation::Fact;
use nt_store::{
    AddedVerifier, CredentialHash, JobToken, NewVerifier, Session, SessionHash, SharedMemory,
    Sharing, Store, StoreError,
};
use nt_token::{Timestamp, VerifierId};

use crate::world::{T0, act, database, follower, identity, kid, on_each, open, operator};

#[tokio::test]
async fn a_session_is_found_by_its_hash_until_it_is_ended_with_its_operator_as_known_now() {
    on_each(async |world| {
        let one = world.ids.session(identity("1", Some("old@example.com")), operator(1), 0);
        let two = world.ids.session(identity("1", Some("new@example.com")), operator(1), 1);
        let opened = world.store.open_session(one.clone()).await.expect("opened");
        let latest = world.store.open_session(two.clone()).await.expect("opened").operator;
        let ask = async |hash| world.store.session(hash).await.expect("answers");
        let used = vec![(one.hash, T0.plus_seconds(60))];
        world.store.touch_sessions(used).await.expect("written down");
        let last_used_at = T0.plus_seconds(60);
        let expected = Session { operator: latest, last_used_at, ..opened };
        assert_eq!(ask(one.hash).await, Some(expected), "its time being over is no matter here");
        assert_eq!(ask(SessionHash([9; 32])).await, None);
        world.store.end_sessions(vec![one.hash], act(&operator(1), 5)).await.expect("ended");
        assert_eq!(ask(one.hash).await, None);
        assert!(ask(two.hash).await.is_some());
        // What has ended is there until it is forgotten.
        world.store.live_sessions(two.expires_at.plus_seconds(-1)).await.expect("answers");
        assert!(ask(two.hash).await.is_some());
        world.store.live_sessions(two.expires_at).await.expect("answers");
        assert_eq!(ask(two.hash).await, None);
    })
    .await;
}

#[tokio::test]
async fn an_operator_has_the_sessions_that_have_not_ended_the_latest_first() {
    on_each(async |world| {
        let mut opened = Vec::new();
        for (subject, after) in [("1", 0), ("2", 1), ("1", 60), ("1", 60)] {
            let number = subject.parse().expect("a number");
            let new = world.ids.session(identity(subject, None), operator(number), after);
            opened.push(world.store.open_session(new).await.expect("opened"));
        }
        let of = async |number, after| {
            let now = T0.plus_seconds(after);
            world.store.sessions_of(&operator(number), now).await.expect("answers")
        };
        let [first, other, second, third] = opened.try_into().expect("four");
        let all = [third.clone(), second.clone(), first.clone()];
        assert_eq!((of(1, 0).await, of(2, 0).await), (all.to_vec(), vec![other]));
        assert_eq!(of(1, 3_600).await, [third, second], "the first has ended");
        assert_eq!(of(1, 0).await.len(), 3, "a question forgets nothing");
        assert!(of(1, 3_660).await.is_empty());
        assert!(of(3, 0).await.is_empty());
    })
    .await;
}

fn job_token(issuer: &str, digest: u8, until: i64) -> JobToken {
    JobToken { issuer: issuer.to_owned(), digest: [digest; 32], until: T0.plus_seconds(until) }
}

#[tokio::test]
async fn a_job_token_is_used_once_as_long_as_it_is_remembered() {
    on_each(async |world| {
        let used = async |token, after| {
            world.store.use_job_token(token, T0.plus_seconds(after)).await.expect("answers")
        };
        assert!(used(job_token("a", 1, 60), 0).await);
        assert!(!used(job_token("a", 1, 60), 0).await);
        assert!(!used(job_token("a", 1, 90), 59).await, "whatever else is said of it");
        assert!(used(job_token("a", 2, 60), 0).await, "another one");
        assert!(used(job_token("b", 1, 30), 0).await, "another issuer's");
        assert!(!used(job_token("a", 1, 60), 59).await, "others that end are no matter");
        assert!(used(job_token("a", 1, 120), 60).await, "it was forgotten");
        assert!(!used(job_token("a", 1, 120), 60).await);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_use_one_job_token_at_a_time_one_is_the_first() {
    on_each(async |world| {
        let uses = (0..16).map(|_| {
            let store = Arc::clone(&world.store);
            tokio::spawn(async move { store.use_job_token(job_token("a", 1, 60), T0).await })
        });
        let mut first = 0;
        for used in uses.collect::<Vec<_>>() {
            first += u32::from(used.await.expect("no panic").expect("answers"));
        }
        assert_eq!(first, 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_token_stays_used_over_a_restart_and_what_is_forgotten_leaves_no_row() {
    let directory = tempfile::tempdir().expect("a directory");
    for expected in [true, false] {
        let store = open(directory.path()).expect("opens");
        assert_eq!(store.sharing(), Sharing::Alone);
        let used = store.use_job_token(job_token("a", 1, 60), T0).await;
        assert_eq!(used.expect("answers"), expected);
        store.close().await;
    }
    let store = open(directory.path()).expect("opens");
    assert!(
        store.use_job_token(job_token("a", 2, 99), T0.plus_seconds(60)).await.expect("answers")
    );
    store.close().await;
    drop(store);
    let db = rusqlite::Connection::open(database(directory.path())).expect("opens");
    let rows = db.query_row("SELECT count(*) FROM job_tokens", [], |row| row.get::<_, i64>(0));
    assert_eq!(rows.expect("answers"), 1);
}

#[tokio::test]
async fn a_verifier_is_found_by_its_credential_until_it_is_removed() {
    on_each(async |world| {
        let (hash, other) = (CredentialHash([1; 32]), CredentialHash([2; 32]));
        let name = "edge-1".parse::<nt_token::VerifierName>().expect("a name");
        let id = VerifierId::mint(1, [1; 10]);
        let new = NewVerifier { id: id.clone(), name: name.clone(), hash };
        let step = act(&operator(1), 0);
        let Ok(AddedVerifier::Added(mut added)) = world.store.add_verifier(new, step.clone()).await
        else {
            panic!("a free name is taken");
        };
        let ask = async |hash| world.store.verifier(hash).await.expect("answers");
        assert_eq!((ask(hash).await, ask(other).await), (Some(added.clone()), None));
        let connected: (Timestamp, String) = (T0, "1.0".to_owned());
        let told = vec![(id, connected.0, connected.1.clone())];
        world.store.touch_verifiers(told).await.expect("written down");
        added.last_connected = Some(connected);
        assert_eq!(ask(hash).await, Some(added));
        assert!(world.store.remove_verifier(name.clone(), step.clone()).await.expect("answers"));
        assert_eq!(ask(hash).await, None);
        let id = VerifierId::mint(2, [2; 10]);
        let again = NewVerifier { id, name, hash: other };
        world.store.add_verifier(again, step).await.expect("answers");
        assert_eq!((ask(hash).await, ask(other).await.is_some()), (None, true));
    })
    .await;
}

#[tokio::test]
async fn nodes_that_share_a_memory_keep_one_thing_and_each_hears_of_all_entries_until_it_closes() {
    let memory = SharedMemory::default();
    let ((to_one, one_heard), (to_two, two_heard)) = (follower(), follower());
    let (one, two) = (memory.store(to_one), memory.store(to_two));
    assert_eq!((one.sharing(), two.sharing()), (Sharing::WithOthers, Sharing::WithOthers));
    let fact =
        |number: u8| vec![(nt_token::EntryId([number; 16]), Fact::KeyRevoked { kid: kid() })];
    one.append(fact(1)).await.expect("appended");
    two.append(fact(2)).await.expect("appended");
    assert_eq!(one.head().await.expect("answers"), two.head().await.expect("answers"));
    one.close().await;
    assert!(matches!(one.head().await, Err(StoreError::Stopped)));
    assert!(matches!(one.append(fact(3)).await, Err(StoreError::Stopped)));
    two.append(fact(3)).await.expect("the other goes on");
    let seqs = |heard: &crate::world::Followed| {
        heard.lock().expect("no panic").iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!((seqs(&one_heard), seqs(&two_heard)), (vec![1, 2], vec![1, 2, 3]));
    let (to_three, three_heard) = follower();
    let three = memory.store(to_three);
    assert_eq!(three.entries_after(0, 9).await.expect("answers").len(), 3);
    assert!(seqs(&three_heard).is_empty(), "what came before is read");
}
