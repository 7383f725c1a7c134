//! From one key to the next, on a real database.

use std::fs;
use std::time::Duration;

use nt_api::tokens::{CreateToken, TokenCreated};
use nt_store::{RevokedKey, Store as _};
use nt_token::clock::Clock as _;
use nt_token::jws::Compact;
use nt_token::key::Algorithm;
use nt_token::{Refusal as TokenRefusal, WorkspaceId};

use super::*;
use crate::authority::tests::World;
use crate::authority::{Caller, NotAccepted};
use crate::key_files::tests::write as write_key_file;
use crate::key_secret::FILE;

impl World {
    /// Has a key announced that is to sign at once, as `ntd keys rotate --now` does.
    pub(in crate::authority) async fn announce(&self, of: KeyKind, after: i64) -> KeyId {
        let now = self.clock.now();
        let purpose = Purpose::Next(now.plus_seconds(after));
        let new = make(&self.authority.key_secret, of, purpose).expect("entropy");
        let kid = new.kid.clone();
        let added = self.authority.store.add_key(new, by_itself(now, None)).await;
        assert_eq!(added.expect("a working store"), AddedKey::Added);
        kid
    }

    async fn rotate(&self, of: KeyKind) -> KeyId {
        let kid = self.announce(of, 0).await;
        self.authority.tend_keys().await.expect("a working store");
        kid
    }

    async fn revoke_key(&self, kid: &KeyId) -> RevokedKey {
        let successor = make(&self.authority.key_secret, KeyKind::Ed25519, Purpose::First);
        let (entry, act) = (entry_id().expect("entropy"), by_itself(self.clock.now(), None));
        let successor = successor.expect("entropy");
        self.authority.store.revoke_key(kid, entry, successor, act).await.expect("a working store")
    }

    fn active(&self) -> KeyId {
        self.authority.keyring().active().expect("one signs").key.kid().clone()
    }

    async fn repeated(&self, caller: &Caller, id: WorkspaceId) -> TokenCreated {
        let key = Some("the same".to_owned());
        let issued = self.authority.issue(caller, id, CreateToken::default(), key).await;
        issued.expect("an owner may")
    }
}

fn kid_of(token: &TokenCreated) -> KeyId {
    let text = token.access_token.expose().strip_prefix("wst_").expect("the prefix");
    let jws = Compact::parse(text, 4_096).expect("a JWS");
    jws.header.kid.expect("named").parse().expect("a kid")
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_a_secret_and_later_ones_keep_them() {
    let world = World::new().await;
    let first = world.active();
    let secret = fs::read(world.data_dir().join(FILE)).expect("made");
    let world = world.restart().await;
    assert_eq!(world.active(), first);
    assert_eq!(fs::read(world.data_dir().join(FILE)).expect("kept"), secret);
    assert_eq!(world.authority.store.keys().await.expect("answers").len(), 1);
    assert_eq!(world.authority.store.head().await.expect("answers").seq, 1);
}

#[tokio::test]
async fn an_announced_key_signs_when_its_time_has_come_and_the_one_before_goes_on_checking() {
    for (kind, algorithm) in [
        (KeyKind::Ed25519, Algorithm::EdDsa),
        (KeyKind::P256, Algorithm::Es256),
        (KeyKind::Rsa2048, Algorithm::Rs256),
    ] {
        let world = World::new().await;
        let (owner, _) = world.operator("owner@example.com").await;
        let id = world.workspace(&owner, "main").await.workspace_id;
        let before = world.repeated(&owner, id).await;
        let (first, second) = (world.active(), world.announce(kind, 60).await);
        world.authority.tend_keys().await.expect("a working store");
        assert_eq!(world.active(), first, "not yet");
        let ring = world.authority.keyring();
        assert!(ring.checking().key(second.as_str()).is_some(), "but it is known");
        assert_eq!(ring.jwks().keys.len(), 2);
        world.clock.advance(Duration::from_mins(1));
        world.authority.tend_keys().await.expect("a working store");
        assert_eq!(world.active(), second);
        let signer = world.authority.keyring().active().expect("one signs").key.algorithm();
        assert_eq!(signer, algorithm);

        let after = world.token(&owner, id, 60).await;
        assert_eq!((kid_of(&before), kid_of(&after)), (first.clone(), second.clone()));
        let world = world.restart().await;
        assert_eq!(world.active(), second);
        for token in [&before, &after] {
            assert_eq!(world.verdict(token.access_token.expose()), Ok(()));
        }
        // A repeated request gets its token, signed by the key that signed it first.
        let again = world.repeated(&owner, id).await;
        assert_eq!((&again.jti, kid_of(&again)), (&before.jti, first));
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_however_it_is_spelt() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "main").await.workspace_id;
    world.rotate(KeyKind::P256).await;
    let (one, two) = (world.repeated(&owner, id).await, world.repeated(&owner, id).await);
    assert_eq!(one.jti, two.jti);
    assert_ne!(one.access_token, two.access_token, "no two ECDSA signatures are the same");
    for token in [&one, &two] {
        assert_eq!(world.verdict(token.access_token.expose()), Ok(()));
    }
    let revoked = world.authority.revoke(&owner, id, one.jti.clone(), None, None).await;
    revoked.expect("an owner may");
    for token in [&one, &two] {
        assert_eq!(world.verdict(token.access_token.expose()), Err(NotAccepted::Revoked));
    }
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_with_it_and_no_others_and_signs_nothing_more() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let id = world.workspace(&owner, "main").await.workspace_id;
    let other = world.token(&owner, id, 60).await;
    let leaked = world.rotate(KeyKind::Ed25519).await;
    let repeated = world.repeated(&owner, id).await;
    let RevokedKey::Revoked { tokens, successor, .. } = world.revoke_key(&leaked).await else {
        panic!("it is there");
    };
    assert_eq!(tokens, 1);
    assert_eq!(world.verdict(repeated.access_token.expose()), Err(NotAccepted::Revoked));
    assert_eq!(world.verdict(other.access_token.expose()), Ok(()));
    let ring = world.authority.keyring();
    assert!(ring.signing(&leaked).is_none(), "at once, whoever tends the keys");
    let published = ring.jwks();
    assert!(published.keys.iter().all(|jwk| jwk.kid.as_deref() != Some(leaked.as_str())));
    // The successor is known to whoever asks for it first.
    let next = world.token(&owner, id, 60).await;
    assert_eq!(Some(kid_of(&next)), successor);
    let key = Some("the same".to_owned());
    let again = world.authority.issue(&owner, id, CreateToken::default(), key).await;
    assert!(again.expect_err("it is dead").to_string().contains("revoked"));

    let world = world.restart().await;
    assert_eq!(Some(world.active()), successor);
    assert_eq!(world.verdict(repeated.access_token.expose()), Err(NotAccepted::Revoked));
    assert_eq!(world.verdict(next.access_token.expose()), Ok(()));
}

#[tokio::test]
async fn the_key_files_of_an_earlier_version_are_taken_over_once() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let made = world.workspace(&owner, "main").await;
    let keys = world.lock.keys();
    let (old, signing) = (write_key_file(&keys, false), write_key_file(&keys, true));
    let world = world.restart().await;
    let stored = world.authority.store.keys().await.expect("answers");
    let states: Vec<_> = stored.iter().map(|key| (key.kid.clone(), key.state.name())).collect();
    // There is one that signs already: those of the files check.
    let first = world.active();
    let (signing, old) = (signing.kid().clone(), old.kid().clone());
    assert_eq!(states, [(first, "active"), (signing, "retired"), (old, "retired")]);
    let head = world.authority.store.head().await.expect("answers").seq;
    assert!(keys.join("imported/active").exists() && !keys.join("active").exists());
    let world = world.restart().await;
    assert_eq!(world.authority.store.head().await.expect("answers").seq, head);
    assert_eq!(world.verdict(made.access_token.expose()), Ok(()));
}

#[tokio::test]
async fn the_key_of_a_file_signs_on_where_the_database_has_none() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = nt_store::MemoryStore::new(Box::new(|_| {}));
    let key = write_key_file(dir.path(), true);
    let jwk = serde_json::to_string(&key.jwk()).expect("plain data");
    let added = nt_revocation::Fact::KeyAdded { kid: key.kid().clone(), jwk };
    store.append(vec![(entry_id().expect("entropy"), added)]).await.expect("appended");
    let logged = HashMap::from([(key.kid().clone(), 1)]);
    let source = KeySecretSource::Development;
    let now = Timestamp::from_unix(1_723_000_000);
    let (_, signers) = open(&store, &source, dir.path(), &logged, now).await.expect("opens");
    assert_eq!(signers.len(), 1);
    let Signer { key: read, state, seq } = &signers[0];
    assert_eq!((read.kid(), *state, *seq), (key.kid(), KeyState::Active, 1));
    assert_eq!(store.head().await.expect("answers").seq, 1, "the log knew it");
}

#[tokio::test]
async fn another_secret_is_an_error_that_says_what_to_do_and_changes_nothing() {
    let world = World::new().await;
    let (kid, path) = (world.active(), world.data_dir().join(FILE));
    let own = fs::read(&path).expect("made");
    let (dir, clock) = world.stopped().await;
    fs::remove_file(&path).expect("there");
    let lost = World::try_start(&dir, &clock).await.err().expect("it is gone").to_string();
    assert!(lost.contains("put it back") && lost.contains("key-secret"), "{lost}");
    assert!(!path.exists(), "a new one would open nothing");

    KeySecret::create(path.parent().expect("a directory"), FILE).expect("made");
    let other = fs::read(&path).expect("made");
    let wrong = World::try_start(&dir, &clock).await.err().expect("another").to_string();
    assert!(wrong.contains(kid.as_str()) && wrong.contains("backup"), "{wrong}");
    assert!(wrong.contains(&path.display().to_string()), "{wrong}");
    assert_eq!(fs::read(&path).expect("there"), other);

    fs::write(&path, own).expect("ours");
    let (authority, _lock) = World::try_start(&dir, &clock).await.expect("as before");
    assert_eq!(authority.keyring().active().expect("one signs").key.kid(), &kid);
}

#[tokio::test]
async fn a_token_of_a_key_that_is_not_ours_is_refused_as_before() {
    let world = World::new().await;
    let (foreign, _) = SigningKey::generate_kind(KeyKind::P256).expect("entropy");
    let claims = serde_json::json!({"sub": "x"});
    let token = nt_token::sign::sign_jws(nt_token::sign::TOKEN_TYPE, &claims, &foreign);
    let verdict = world.verdict(&token);
    assert!(
        matches!(verdict, Err(NotAccepted::Refused(TokenRefusal::NotOpened(_)))),
        "{verdict:?}"
    );
}
