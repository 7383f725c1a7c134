//! The signing keys and the store: the first one, those of earlier versions, and the change from one to
//! the next while the authority runs.
//!
//! ```text
//!            ntd keys rotate             known everywhere,            another one signs
//!                                      and the time has come
//! (made) ──────────────▶ announced ──────────────────────▶ active ─────────────────────▶ retired
//!                            │ retire                        │            revoke            │
//!                            └─────────▶ retired             └──────────▶ revoked ◀─────────┘
//! ```
//!
//! Every node that knows of an announced key waits until all verifiers know it, and has it sign then:
//! whoever is first does, and the others find it done. A node that still signs with the key before is
//! no harm: a retired key checks.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nt_store::{
    Act, AddedKey, KeyState, Logged, NewKey, Purpose, SealedKey, Store, StoreError, StoredKey,
};
use nt_token::key::{BadKey, KeyKind};
use nt_token::{KeyId, OperatorId, SigningKey, Timestamp};

use crate::authority::entropy::entry_id;
use crate::authority::error::Answer;
use crate::authority::keyring::{Keyring, Signer};
use crate::authority::{Authority, limits};
use crate::data_dir::DataDirError;
use crate::key_files::{self, KeyFile, KeyFileError};
use crate::key_secret::envelope::{self, NotSealed, NotUnsealed};
use crate::key_secret::{IfMissing, KeySecret, KeySecretError, KeySecretSource};

/// Why there are no keys to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The key secret.
    #[error(transparent)]
    Secret(#[from] KeySecretError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key files of an earlier version.
    #[error(transparent)]
    Files(#[from] KeyFileError),
    /// Their directory.
    #[error(transparent)]
    Directory(#[from] DataDirError),
    /// A private key that cannot be decrypted.
    #[error(
        "the signing key {kid} cannot be read: {why}. Nothing was changed. Give back the secret that \
         this database was used with ({place}), from your backup of it; if it is lost, the keys are, and \
         `ntd keys revoke` makes new ones"
    )]
    Unsealed {
        /// Which.
        kid: KeyId,
        /// Why not.
        why: NotUnsealed,
        /// Where the secret came from.
        place: String,
    },
    /// A private key that is another's.
    #[error("the database holds another private key under {0}: nothing is signed with it")]
    Misnamed(KeyId),
    /// A private key that cannot be encrypted.
    #[error(transparent)]
    Sealed(#[from] NotSealed),
    /// A private key that cannot be made.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// No key signs, and none can be made.
    #[error("the database has signing keys, but none that signs: `ntd keys rotate` makes one")]
    NoneSigns,
}

/// In whose name the authority itself does something.
pub fn by_itself(now: Timestamp, note: Option<&str>) -> Act {
    let operator: OperatorId = "op_ntd".parse().expect("an identifier as they are written");
    Act { operator, at: now, from: None, note: note.map(str::to_owned) }
}

/// A new key to be kept.
pub fn make(secret: &KeySecret, kind: KeyKind, purpose: Purpose) -> Result<NewKey, KeysError> {
    let (key, pkcs8) = SigningKey::generate_kind(kind)?;
    keep(secret, &key, &pkcs8, purpose, Logged::With(entry_id()?))
}

fn keep(
    secret: &KeySecret,
    key: &SigningKey,
    pkcs8: &[u8],
    purpose: Purpose,
    logged: Logged,
) -> Result<NewKey, KeysError> {
    let (kid, algorithm) = (key.kid().clone(), key.algorithm());
    let sealed = SealedKey(envelope::seal(secret, &kid, algorithm, pkcs8)?);
    let jwk = serde_json::to_string(&key.jwk()).expect("a JWK is strings only");
    Ok(NewKey { kid, algorithm, jwk, sealed, purpose, logged })
}

/// The secret, where it fits the keys that are kept. It is made only where there are none: a new one
/// would open nothing.
pub fn secret_for(
    kept: &[StoredKey],
    source: &KeySecretSource,
) -> Result<(KeySecret, Vec<Signer>), KeysError> {
    let missing = if kept.is_empty() { IfMissing::Make } else { IfMissing::Refuse };
    let secret = source.open(missing)?;
    let signers = unseal(kept, &secret, &source.to_string(), &Keyring::default())?;
    Ok((secret, signers))
}

/// The private halves of those that have one. Those that are held already are not read again.
fn unseal(
    kept: &[StoredKey],
    secret: &KeySecret,
    place: &str,
    held: &Keyring,
) -> Result<Vec<Signer>, KeysError> {
    let with_private = kept.iter().filter_map(|key| Some((key, key.sealed.as_ref()?)));
    let signer = |(kept, sealed): (&StoredKey, &SealedKey)| {
        let StoredKey { kid, algorithm, state, seq, .. } = kept;
        let key = if let Some(held) = held.signing(kid) {
            Arc::clone(&held.key)
        } else {
            let pkcs8 = envelope::open(secret, kid, *algorithm, &sealed.0).map_err(|why| {
                KeysError::Unsealed { kid: kid.clone(), why, place: place.to_owned() }
            })?;
            Arc::new(SigningKey::from_pkcs8(*algorithm, &pkcs8)?)
        };
        if key.kid() != kid {
            return Err(KeysError::Misnamed(kid.clone()));
        }
        Ok(Signer { key, state: *state, seq: *seq })
    };
    with_private.map(signer).collect()
}

/// The keys of the store, with those of files taken over and a first one made where there is none.
pub(super) async fn open(
    store: &dyn Store,
    source: &KeySecretSource,
    files: &Path,
    logged: &HashMap<KeyId, u64>,
    now: Timestamp,
) -> Result<(KeySecret, Vec<Signer>), KeysError> {
    let kept = store.keys().await?;
    let (secret, signers) = secret_for(&kept, source)?;
    let found = key_files::read(files)?;
    if found.is_empty() && signers.iter().any(|signer| signer.state == KeyState::Active) {
        return Ok((secret, signers));
    }
    for file in &found {
        take_over(store, &secret, file, logged, now).await?;
    }
    if !found.is_empty() {
        key_files::put_aside(files)?;
    }
    if kept.is_empty() && !found.iter().any(|file| file.signs) {
        let first = make(&secret, KeyKind::Ed25519, Purpose::First)?;
        // Of several nodes that start for the first time, one has its key kept.
        store.add_key(first, by_itself(now, Some("first key"))).await?;
    }
    let signers = unseal(&store.keys().await?, &secret, &source.to_string(), &Keyring::default())?;
    if !signers.iter().any(|signer| signer.state == KeyState::Active) {
        return Err(KeysError::NoneSigns);
    }
    Ok((secret, signers))
}

/// Keeps a key of a file. The log knows it already, if it ever signed.
async fn take_over(
    store: &dyn Store,
    secret: &KeySecret,
    file: &KeyFile,
    known: &HashMap<KeyId, u64>,
    now: Timestamp,
) -> Result<(), KeysError> {
    let kid = file.key.kid();
    let logged = match known.get(kid) {
        Some(seq) => Logged::At(*seq),
        None => Logged::With(entry_id()?),
    };
    let purpose = if file.signs { Purpose::First } else { Purpose::Old };
    let act = || by_itself(now, Some("from a file"));
    let new = keep(secret, &file.key, &file.pkcs8, purpose, logged)?;
    let kept = store.add_key(new.clone(), act()).await?;
    if let AddedKey::Taken(_) = kept {
        store.add_key(NewKey { purpose: Purpose::Old, ..new }, act()).await?;
    }
    tracing::info!(key.kid = %kid, signs = file.signs, "a signing key was taken over from its file");
    Ok(())
}

impl Authority {
    /// The name of the key that signs.
    pub(super) async fn signing_kid(&self) -> Answer<KeyId> {
        let active = || self.keys.now().active().map(|signer| signer.key.kid().clone());
        if let Some(kid) = active() {
            return Ok(kid);
        }
        // It was revoked a moment ago, and the store knows its successor.
        self.hold_keys().await.map_err(|error| {
            tracing::error!(%error, "the signing keys cannot be read");
            StoreError::Corrupt("no signing key")
        })?;
        Ok(active().ok_or(StoreError::Corrupt("no signing key"))?)
    }

    /// Does what is to be done about the keys, whenever the log speaks of them or a time has come.
    pub async fn keep_keys(&self) {
        loop {
            let next = match self.keys.now().announced() {
                Some(_) => limits::KEYS_EVERY,
                None => Duration::MAX,
            };
            let became_stale = tokio::time::timeout(next, self.keys.became_stale());
            let _either = became_stale.await;
            if let Err(error) = self.tend_keys().await {
                tracing::error!(%error, "the signing keys cannot be brought up to date");
                tokio::time::sleep(limits::KEYS_EVERY).await;
            }
        }
    }

    /// Reads the keys again if the log spoke of them, and has the announced one sign when its time has
    /// come and everybody knows it.
    pub(super) async fn tend_keys(&self) -> Result<(), KeysError> {
        if self.keys.take_stale()
            && let Err(error) = self.hold_keys().await
        {
            self.keys.set_stale();
            return Err(error);
        }
        let Some(next) = self.keys.now().announced().cloned() else { return Ok(()) };
        let due = |from| self.clock.now() >= from;
        if !matches!(next.state, KeyState::Announced { signs_from } if due(signs_from)) {
            return Ok(());
        }
        if self.in_force(next.seq).await.is_err() {
            // Another node goes on, or this one when it serves again.
            return Ok(());
        }
        let kid = next.key.kid();
        if self.store.activate_key(kid, by_itself(self.clock.now(), None)).await? {
            tracing::info!(key.kid = %kid, "another key signs from now on");
        }
        self.hold_keys().await
    }

    /// Holds the keys that the store has now.
    async fn hold_keys(&self) -> Result<(), KeysError> {
        let kept = self.store.keys().await?;
        let signers = unseal(&kept, &self.key_secret, &self.key_place, &self.keys.now())?;
        self.keys.hold(signers);
        Ok(())
    }
}
