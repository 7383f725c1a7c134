//! The keys at work: which of them signs, and what all of them check.
//!
//! Public halves come from the log, as they do for every verifier; private ones from the store. A key
//! that the log revokes signs nothing any more from that moment on, whatever the store says later.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use nt_revocation::{Entry, Fact};
use nt_store::KeyState;
use nt_token::jwk::{Jwk, Jwks};
use nt_token::key::BadKey;
use nt_token::{KeyId, KeySet, SigningKey};
use tokio::sync::Notify;

/// A key that can sign.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The key.
    pub key: Arc<SigningKey>,
    /// What it is used for.
    pub state: KeyState,
    /// The entry of the log that brought it: nothing that it signed may be seen before this is in
    /// force everywhere.
    pub seq: u64,
}

/// The keys of this authority, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// All that the log brought, in its order.
    public: Vec<Jwk>,
    revoked: BTreeSet<KeyId>,
    checking: KeySet,
    signers: Vec<Signer>,
}

impl Keyring {
    /// The key that signs. There is one, but for the moment after the log has revoked it.
    pub fn active(&self) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.state == KeyState::Active)
    }

    /// The key that is announced, if one is.
    pub fn announced(&self) -> Option<&Signer> {
        self.signers.iter().find(|signer| matches!(signer.state, KeyState::Announced { .. }))
    }

    /// The key of this name: a token is signed again with the key that signed it first.
    pub fn signing(&self, kid: &KeyId) -> Option<&Signer> {
        self.signers.iter().find(|signer| signer.key.kid() == kid)
    }

    /// The public halves, for checking. Those of revoked keys are among them: that what they signed is
    /// revoked is the log's to say.
    pub fn checking(&self) -> &KeySet {
        &self.checking
    }

    /// The public halves, for publishing. Who knows of keys by this alone must not accept what a
    /// revoked one signed.
    pub fn jwks(&self) -> Jwks {
        let revoked = |jwk: &&Jwk| {
            jwk.kid.as_deref().is_some_and(|kid| self.revoked.iter().any(|k| k.as_str() == kid))
        };
        Jwks { keys: self.public.iter().filter(|jwk| !revoked(jwk)).cloned().collect() }
    }

    fn add(&mut self, jwk: Jwk) -> Result<(), BadKey> {
        if self.public.iter().any(|known| known.kid == jwk.kid) {
            return Ok(());
        }
        self.public.push(jwk);
        self.checking = KeySet::from_jwks(&Jwks { keys: self.public.clone() })?;
        Ok(())
    }

    fn revoke(&mut self, kid: &KeyId) {
        self.revoked.insert(kid.clone());
        self.signers.retain(|signer| signer.key.kid() != kid);
    }

    fn hold(&mut self, signers: Vec<Signer>) {
        self.signers = signers;
        self.signers.retain(|signer| !self.revoked.contains(signer.key.kid()));
    }
}

/// The keys of this authority, switched while it runs.
#[derive(Debug, Default)]
pub struct Keys {
    ring: ArcSwap<Keyring>,
    /// Whoever changes the ring holds this; nobody who looks at it does.
    changing: Mutex<()>,
    stale: AtomicBool,
    became_stale: Notify,
}

impl Keys {
    /// As they are now.
    pub fn now(&self) -> Guard<Arc<Keyring>> {
        self.ring.load()
    }

    /// Does what entries of the log say of keys. When this returns, every check that starts later knows
    /// a key that was added, and nothing is signed any more with one that was revoked.
    pub fn follow(&self, entries: &[Entry]) -> Result<(), BadKey> {
        let concerns =
            |entry: &&Entry| matches!(entry.fact, Fact::KeyAdded { .. } | Fact::KeyRevoked { .. });
        for entry in entries.iter().filter(concerns) {
            self.change(|ring| match &entry.fact {
                Fact::KeyAdded { jwk, .. } => {
                    ring.add(serde_json::from_str(jwk).map_err(|_| BadKey::Public)?)
                }
                Fact::KeyRevoked { kid } => {
                    ring.revoke(kid);
                    Ok(())
                }
                _ => Ok(()),
            })?;
            self.stale.store(true, Ordering::Release);
            self.became_stale.notify_one();
        }
        Ok(())
    }

    /// Holds these keys to sign with, but for those that the log has revoked meanwhile.
    pub fn hold(&self, signers: Vec<Signer>) {
        let held = self.change(|ring| {
            ring.hold(signers);
            Ok(())
        });
        held.expect("nothing is read");
    }

    /// Whether the log spoke of keys since this was last asked.
    pub fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }

    /// Has it be asked again.
    pub fn set_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Waits until the log speaks of keys.
    pub async fn became_stale(&self) {
        self.became_stale.notified().await;
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Keyring) -> Result<(), BadKey>,
    ) -> Result<(), BadKey> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ring = Keyring::clone(&self.ring.load());
        change(&mut ring)?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nt_token::EntryId;
    use nt_token::key::KeyKind;

    use super::*;

    fn signer(kind: KeyKind, state: KeyState) -> Signer {
        let (key, _) = SigningKey::generate_kind(kind).expect("entropy");
        Signer { key: Arc::new(key), state, seq: 1 }
    }

    fn added(signer: &Signer) -> Entry {
        let jwk = serde_json::to_string(&signer.key.jwk()).expect("plain data");
        entry(Fact::KeyAdded { kid: signer.key.kid().clone(), jwk })
    }

    fn entry(fact: Fact) -> Entry {
        Entry { seq: 1, id: EntryId([1; 16]), fact }
    }

    #[test]
    fn a_revoked_key_checks_but_signs_nothing_and_is_not_published() {
        let keys = Keys::default();
        let one = signer(KeyKind::Ed25519, KeyState::Active);
        let other = signer(KeyKind::P256, KeyState::Retired);
        keys.follow(&[added(&one), added(&other), added(&one)]).expect("two keys");
        keys.hold(vec![one.clone(), other.clone()]);
        assert!(keys.take_stale() && !keys.take_stale());
        assert_eq!(keys.now().active().map(|signer| signer.key.kid()), Some(one.key.kid()));
        assert_eq!(keys.now().jwks().keys.len(), 2);
        let kid = one.key.kid().clone();
        keys.follow(&[entry(Fact::KeyRevoked { kid: kid.clone() })]).expect("follows");
        assert!(keys.take_stale());
        // What the store said before it knew.
        keys.hold(vec![one, other.clone()]);
        let ring = keys.now();
        assert!(ring.active().is_none() && ring.signing(&kid).is_none());
        assert!(ring.checking().key(kid.as_str()).is_some());
        assert_eq!(ring.jwks().keys, [other.key.jwk()]);
    }

    #[test]
    fn a_key_that_cannot_be_read_is_no_key() {
        let kid = "kid".parse().expect("a kid");
        let fact = Fact::KeyAdded { kid, jwk: "{".to_owned() };
        assert_eq!(Keys::default().follow(&[entry(fact)]), Err(BadKey::Public));
    }
}
