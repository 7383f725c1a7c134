//! The signing keys of several nodes. They are changed in the database, as `ntd keys` does it.

use nt_store::{Logged, NewKey, Purpose, RevokedKey};
use nt_token::key::KeyKind;
use nt_token::{KeyId, Timestamp};
use nt_verifier::NotAccepted as Verdict;

use super::*;
use crate::authority::keys::{by_itself, make};
use crate::key_secret::KeySecret;

const LONG_AGO: Timestamp = Timestamp::from_unix(0);

fn new(kind: KeyKind, purpose: Purpose) -> NewKey {
    make(&KeySecret::development(), kind, purpose).expect("entropy")
}

impl Shared {
    async fn announce(&self, kind: KeyKind) -> KeyId {
        // Beside the nodes, whose leases are short here: an RSA key takes its time.
        let made = tokio::task::spawn_blocking(move || new(kind, Purpose::Next(LONG_AGO)));
        let new = made.await.expect("entropy");
        let name = new.kid.clone();
        self.store.add_key(new, by_itself(LONG_AGO, None)).await.expect("a working store");
        name
    }
}

impl One {
    fn signs(&self) -> Option<KeyId> {
        self.authority.keyring().active().map(|signer| signer.key.kid().clone())
    }

    /// As a node that serves does all the time.
    fn tends_keys(&self) -> JoinHandle<()> {
        let authority = Arc::clone(&self.authority);
        tokio::spawn(async move { authority.keep_keys().await })
    }

    async fn issue(&self, by: &Caller, of: WorkspaceId) -> String {
        let made = self.authority.issue(by, of, CreateToken::default(), None).await;
        made.expect("an owner may").access_token.expose().to_owned()
    }
}

#[tokio::test]
async fn nodes_that_start_for_the_first_time_at_once_sign_with_one_key() {
    let shared = Shared::new();
    let (a, b, c) = tokio::join!(shared.node(), shared.node(), shared.node());
    let keys = shared.store.keys().await.expect("a working store");
    assert_eq!(keys.len(), 1);
    for one in [&a, &b, &c] {
        assert_eq!(one.signs().as_ref(), Some(&keys[0].kid));
    }
}

#[tokio::test]
async fn a_key_that_is_changed_under_load_signs_nothing_that_a_verifier_refuses() {
    let shared = Shared::new();
    let [a, b] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let (at_b, _) = admitted(&b.authority, "owner@example.com", None, None).await;
    let (verifier, follows) = b.verifier(made.access_token.expose()).await;
    let tending = [a.tends_keys(), b.tends_keys()];
    for kind in [KeyKind::P256, KeyKind::Rsa2048, KeyKind::Ed25519] {
        let next = shared.announce(kind).await;
        let everybody_signs_with_it = async {
            while a.signs().as_ref() != Some(&next) || b.signs().as_ref() != Some(&next) {
                // Nothing here waits for anything: let the nodes do something too.
                sleep(Duration::from_millis(1)).await;
                for (node, caller) in [(&a, &owner), (&b, &at_b)] {
                    let token = node.issue(caller, made.workspace_id).await;
                    // Whoever has not heard yet of all that the token's issuer knew says so (503).
                    let verdict = verifier.verify(&token).map(drop);
                    let known = matches!(verdict, Ok(()) | Err(Verdict::NotReady(_)));
                    assert!(known, "a good token is refused: {verdict:?}");
                    for one in [&a, &b] {
                        let verdict = one.verdict(&token);
                        let known = matches!(verdict, Ok(()) | Err(NotAccepted::NotReady));
                        assert!(known, "a good token is refused: {verdict:?}");
                    }
                }
            }
        };
        timeout(Duration::from_secs(10), everybody_signs_with_it).await.expect("in time");
        let token = a.issue(&owner, made.workspace_id).await;
        a.authority.all_in_force().await.expect("it serves");
        verifier.verify(&token).expect("it knows the key");
    }
    verifier.verify(made.access_token.expose()).expect("the first key checks");
    let states: Vec<_> = shared.store.keys().await.expect("answers");
    let states: Vec<_> = states.iter().map(|key| key.state.name()).collect();
    assert_eq!(states, ["retired", "retired", "retired", "active"]);
    tending.iter().for_each(JoinHandle::abort);
    follows.stop().await;
}

#[tokio::test]
async fn a_key_that_is_revoked_signs_at_no_node_and_its_tokens_are_refused_at_each() {
    let shared = Shared::new();
    let [a, b] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    let (verifier, follows) = b.verifier(token).await;
    let leaked = a.signs().expect("one signs");
    let successor = new(KeyKind::P256, Purpose::First);
    assert!(matches!(successor.logged, Logged::With(_)));
    let (entry, act) = (EntryId([9; 16]), by_itself(LONG_AGO, None));
    let revoked = shared.store.revoke_key(&leaked, entry, successor, act).await;
    let RevokedKey::Revoked { seq, successor, .. } = revoked.expect("a working store") else {
        unreachable!("it is there")
    };
    a.authority.in_force(seq).await.expect("it serves");
    assert!(verifier.verify(token).is_err());
    for one in [&a, &b] {
        assert_eq!(one.verdict(token), Err(NotAccepted::Revoked));
        assert!(one.authority.keyring().signing(&leaked).is_none(), "at once");
    }
    // Nobody tends the keys here: whoever is asked for a token looks for the successor itself.
    let next = a.issue(&owner, made.workspace_id).await;
    assert_eq!(a.signs(), successor);
    verifier.verify(&next).expect("it knows the key");
    assert_eq!(b.verdict(&next), Ok(()));
    follows.stop().await;
}
