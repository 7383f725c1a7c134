//! The signing keys.

use nt_revocation::Fact;
use nt_store::{
    AddedKey, KeyState, Logged, NewKey, Purpose, RetiredKey, RevokedKey, SealedKey, Store as _,
    StoredKey,
};
use nt_token::key::Algorithm;
use nt_token::{KeyId, State, Timestamp};

use crate::audit::{everything, records};
use crate::world::{T0, World, act, kid as kid_of_tokens, on_each, open, operator};

pub(crate) fn kid(name: &str) -> KeyId {
    name.parse().expect("a kid")
}

pub(crate) fn new(world: &World, name: &str, purpose: Purpose) -> NewKey {
    NewKey {
        kid: kid(name),
        algorithm: Algorithm::Es256,
        jwk: format!("{{\"kid\":\"{name}\"}}"),
        sealed: SealedKey(name.as_bytes().to_vec()),
        purpose,
        logged: Logged::With(world.ids.entry()),
    }
}

fn later(seconds: i64) -> Purpose {
    Purpose::Next(T0.plus_seconds(seconds))
}

async fn add(world: &World, name: &str, purpose: Purpose, after: i64) -> AddedKey {
    let new = new(world, name, purpose);
    world.store.add_key(new, act(&operator(1), after)).await.expect("answers")
}

async fn activate(world: &World, name: &str, after: i64) -> bool {
    let kid = kid(name);
    world.store.activate_key(&kid, act(&operator(1), after)).await.expect("answers")
}

async fn revoke(world: &World, name: &str, successor: &str, after: i64) -> RevokedKey {
    let (entry, successor) = (world.ids.entry(), new(world, successor, Purpose::First));
    let act = act(&operator(1), after);
    world.store.revoke_key(&kid(name), entry, successor, act).await.expect("answers")
}

async fn states(world: &World) -> Vec<(String, &'static str)> {
    let keys = world.store.keys().await.expect("answers");
    keys.iter().map(|key| (key.kid.as_str().to_owned(), key.state.name())).collect()
}

fn told(states: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    states.iter().map(|(kid, state)| ((*kid).to_owned(), *state)).collect()
}

fn added(name: &str) -> Fact {
    Fact::KeyAdded { kid: kid(name), jwk: format!("{{\"kid\":\"{name}\"}}") }
}

#[tokio::test]
async fn of_several_first_keys_one_is_kept_and_told_to_the_log() {
    on_each(async |world| {
        let first = async |name: &'static str| add(&world, name, Purpose::First, 1).await;
        let answers = [first("a").await, first("b").await, first("a").await];
        assert_eq!(answers, [AddedKey::Added, AddedKey::Taken(kid("a")), AddedKey::Known]);
        let kept = StoredKey {
            kid: kid("a"),
            algorithm: Algorithm::Es256,
            jwk: "{\"kid\":\"a\"}".to_owned(),
            sealed: Some(SealedKey(b"a".to_vec())),
            seq: 1,
            created_at: T0.plus_seconds(1),
            state: KeyState::Active,
            since: T0.plus_seconds(1),
        };
        assert_eq!(world.store.keys().await.expect("answers"), [kept]);
        let facts: Vec<_> = world.followed().into_iter().map(|entry| entry.fact).collect();
        assert_eq!(facts, [added("a")]);
    })
    .await;
}

#[tokio::test]
async fn nodes_that_start_at_once_keep_one_first_key() {
    on_each(async |world| {
        let starts = ["a", "b", "c"].map(|name| add(&world, name, Purpose::First, 1));
        let [a, b, c] = starts;
        let answers = tokio::join!(a, b, c);
        let answers = [answers.0, answers.1, answers.2];
        let kept = answers.iter().filter(|answer| **answer == AddedKey::Added).count();
        assert_eq!(kept, 1, "{answers:?}");
        assert_eq!(world.store.keys().await.expect("answers").len(), 1);
        assert_eq!(world.followed().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_announced_then_signs_and_the_one_before_is_retired() {
    on_each(async |world| {
        add(&world, "a", Purpose::First, 1).await;
        assert_eq!(add(&world, "b", later(60), 2).await, AddedKey::Added);
        assert_eq!(add(&world, "c", later(60), 3).await, AddedKey::Taken(kid("b")));
        let signs_from = T0.plus_seconds(60);
        let announced = &world.store.keys().await.expect("answers")[1];
        assert_eq!(announced.state, KeyState::Announced { signs_from });
        assert!(activate(&world, "b", 60).await);
        assert!(!activate(&world, "b", 61).await, "once");
        assert!(!activate(&world, "a", 61).await, "it was retired");
        assert!(!activate(&world, "nobody", 61).await);
        assert_eq!(states(&world).await, told(&[("a", "retired"), ("b", "active")]));
        let since: Vec<Timestamp> =
            world.store.keys().await.expect("answers").iter().map(|key| key.since).collect();
        assert_eq!(since, [T0.plus_seconds(60), T0.plus_seconds(60)]);
        assert_eq!(world.followed().len(), 2, "the log knows nothing of who signs");
    })
    .await;
}

#[tokio::test]
async fn only_a_key_that_does_not_sign_can_be_retired() {
    on_each(async |world| {
        add(&world, "a", Purpose::First, 1).await;
        add(&world, "b", later(60), 2).await;
        let retire = async |name| {
            let (kid, act) = (kid(name), act(&operator(1), 3));
            world.store.retire_key(&kid, act).await.expect("answers")
        };
        assert_eq!(retire("a").await, RetiredKey::Signs);
        assert_eq!(retire("b").await, RetiredKey::Retired);
        assert_eq!(retire("b").await, RetiredKey::Before);
        assert_eq!(retire("nobody").await, RetiredKey::NotFound);
        assert!(!activate(&world, "b", 60).await);
        assert_eq!(add(&world, "c", later(60), 4).await, AddedKey::Added, "its place is free");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_taken_over_is_not_told_to_the_log_twice() {
    on_each(async |world| {
        let seq = world.store.append(vec![(world.ids.entry(), added("old"))]).await;
        let seq = seq.expect("appended").seq;
        for (name, purpose) in [("old", Purpose::First), ("older", Purpose::Old)] {
            let new = NewKey { logged: Logged::At(seq), ..new(&world, name, purpose) };
            let kept = world.store.add_key(new, act(&operator(1), 1)).await;
            assert_eq!(kept.expect("answers"), AddedKey::Added);
        }
        assert_eq!(states(&world).await, told(&[("old", "active"), ("older", "retired")]));
        assert!(world.store.keys().await.expect("answers").iter().all(|key| key.seq == seq));
        assert_eq!(world.followed().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_loses_its_private_half_and_takes_its_tokens_with_it() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let name = kid_of_tokens().as_str().to_owned();
        add(&world, &name, Purpose::First, 1).await;
        let (workspace, token) = world.workspace(&operator(1), "demo").await;
        let answer = revoke(&world, &name, "next", 5).await;
        let successor = Some(kid("next"));
        assert_eq!(answer, RevokedKey::Revoked { seq: 3, tokens: 1, successor });
        let keys = world.store.keys().await.expect("answers");
        assert_eq!((keys[0].state, &keys[0].sealed), (KeyState::Revoked, &None));
        assert_eq!((keys[1].state, keys[1].seq), (KeyState::Active, 2));
        let facts: Vec<_> = world.followed().into_iter().map(|entry| entry.fact).collect();
        let revoked = Fact::KeyRevoked { kid: kid(&name) };
        assert_eq!(facts, [added(&name), added("next"), revoked]);
        let found = world.store.token(workspace.id, &token.jti).await.expect("answers");
        let (found, _) = found.expect("there");
        let reason = Some("signing key revoked".to_owned());
        let (at, by) = (T0.plus_seconds(5), operator(1));
        assert_eq!(found.state, State::Revoked { at, by, reason });
        let position = world.store.revocation_of(&found).await.expect("answers");
        assert_eq!(position.expect("there").seq, 3);
        // Again: an earlier entry may still be on its way.
        let again = revoke(&world, &name, "another", 6).await;
        assert_eq!(again, RevokedKey::Revoked { seq: 4, tokens: 0, successor: None });
        assert_eq!(world.store.keys().await.expect("answers").len(), 2);
        assert_eq!(revoke(&world, "nobody", "another", 6).await, RevokedKey::NotFound);
    })
    .await;
}

#[tokio::test]
async fn the_announced_key_signs_at_once_where_the_one_that_signs_is_revoked() {
    on_each(async |world| {
        add(&world, "a", Purpose::First, 1).await;
        add(&world, "b", later(60), 2).await;
        let revoked = revoke(&world, "a", "unused", 3).await;
        let successor = Some(kid("b"));
        assert_eq!(revoked, RevokedKey::Revoked { seq: 3, tokens: 0, successor });
        assert_eq!(states(&world).await, told(&[("a", "revoked"), ("b", "active")]));
        add(&world, "c", later(60), 4).await;
        let revoked = revoke(&world, "c", "unused", 5).await;
        assert_eq!(revoked, RevokedKey::Revoked { seq: 5, tokens: 0, successor: None });
        assert!(!activate(&world, "c", 60).await, "it never signs");
    })
    .await;
}

#[tokio::test]
async fn each_change_of_a_key_leaves_its_record() {
    on_each(async |world| {
        add(&world, "a", Purpose::First, 1).await;
        add(&world, "a", Purpose::First, 1).await;
        add(&world, "b", later(60), 2).await;
        activate(&world, "b", 60).await;
        revoke(&world, "b", "c", 61).await;
        let found = records(&world, everything()).await;
        let told: Vec<_> = found
            .iter()
            .rev()
            .map(|record| (record.action.name(), record.about.as_deref().unwrap_or_default()))
            .collect();
        let expected = [
            ("key.added", "a"),
            ("key.added", "b"),
            ("key.retired", "a"),
            ("key.activated", "b"),
            ("key.added", "c"),
            ("key.revoked", "b"),
        ];
        assert_eq!(told, expected);
        assert_eq!(found[0].act.note.as_deref(), Some("0 tokens revoked"));
    })
    .await;
}

#[tokio::test]
async fn the_keys_are_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let world = World::sqlite(directory);
    add(&world, "a", Purpose::First, 1).await;
    add(&world, "b", later(60), 2).await;
    let before = world.store.keys().await.expect("answers");
    world.store.close().await;
    let store = open(&path).expect("opens");
    assert_eq!(store.keys().await.expect("answers"), before);
}
