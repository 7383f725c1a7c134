//! The signing keys.

use super::db::{Bind, Db, Value, all, change, one};
use super::row::{Row, number, parsed, signed, time};
use super::writing::Writing;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::key::{
    AddedKey, KEY_REVOKED, KeyState, Logged, NewKey, Purpose, RetiredKey, RevokedKey, SealedKey,
    StoredKey,
};
use nt_revocation::Fact;
use nt_token::key::Algorithm;
use nt_token::{EntryId, KeyId, Timestamp};

/// All keys, in the order of the log.
pub(super) fn list(db: Db<'_>) -> Result<Vec<StoredKey>, StoreError> {
    const SQL: &str = "SELECT kid, algorithm, jwk, sealed, seq, state, created_at, signs_from,
            changed_at
        FROM signing_keys ORDER BY seq, kid";
    all(db, SQL, &[], key)
}

fn key(row: Row<'_>) -> Result<StoredKey, StoreError> {
    let (algorithm, state): (String, String) = (row.get(1)?, row.get(5)?);
    let state = match state.as_str() {
        "announced" => KeyState::Announced { signs_from: time(row, 7)? },
        "active" => KeyState::Active,
        "retired" => KeyState::Retired,
        "revoked" => KeyState::Revoked,
        _ => return Err(StoreError::Corrupt("a key's state")),
    };
    Ok(StoredKey {
        kid: parsed(row, 0, "a key's ID")?,
        algorithm: Algorithm::named(&algorithm).ok_or(StoreError::Corrupt("an algorithm"))?,
        jwk: row.get(2)?,
        sealed: sealed(row, 3)?,
        seq: number(row, 4)?,
        created_at: time(row, 6)?,
        state,
        since: time(row, 8)?,
    })
}

fn sealed(row: Row<'_>, column: usize) -> Result<Option<SealedKey>, StoreError> {
    match row.value(column)? {
        Value::Null => Ok(None),
        Value::Blob(bytes) => Ok(Some(SealedKey(bytes.to_owned()))),
        _ => Err(StoreError::Corrupt("a sealed key")),
    }
}

fn state_of(db: Db<'_>, kid: &KeyId) -> Result<Option<String>, StoreError> {
    const SQL: &str = "SELECT state FROM signing_keys WHERE kid = ?1";
    one(db, SQL, &[&kid.as_str()], |row| row.get(0))
}

/// The one key in this state, of those of which there is one at the most.
fn only(db: Db<'_>, state: &str) -> Result<Option<KeyId>, StoreError> {
    const SQL: &str = "SELECT kid FROM signing_keys WHERE state = ?1";
    one(db, SQL, &[&state], |row| parsed(row, 0, "a key's ID"))
}

impl Writing<'_> {
    pub(super) fn add_key(&mut self, new: &NewKey, act: &Act) -> Result<AddedKey, StoreError> {
        if state_of(self.db, &new.kid)?.is_some() {
            return Ok(AddedKey::Known);
        }
        let (state, signs_from) = match new.purpose {
            Purpose::First => ("active", act.at),
            Purpose::Next(from) => ("announced", from),
            Purpose::Old => ("retired", act.at),
        };
        if new.purpose != Purpose::Old
            && let Some(other) = only(self.db, state)?
        {
            return Ok(AddedKey::Taken(other));
        }
        self.keep_key(new, state, signs_from, act)?;
        Ok(AddedKey::Added)
    }

    fn keep_key(
        &mut self,
        new: &NewKey,
        state: &str,
        signs_from: Timestamp,
        act: &Act,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO signing_keys (kid, algorithm, jwk, sealed, seq, state,
                created_at, signs_from, changed_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)";
        let seq = match new.logged {
            Logged::At(seq) => seq,
            Logged::With(entry) => {
                let (kid, jwk) = (new.kid.clone(), new.jwk.clone());
                self.append(entry, Fact::KeyAdded { kid, jwk })?
            }
        };
        let params: &[&dyn Bind] = &[
            &new.kid.as_str(),
            &new.algorithm.name(),
            &new.jwk,
            &new.sealed.0,
            &signed(seq),
            &state,
            &act.at.unix(),
            &signs_from.unix(),
        ];
        change(self.db, SQL, params)?;
        self.audit_key(act, Action::KeyAdded, &new.kid);
        Ok(())
    }

    pub(super) fn activate_key(&mut self, kid: &KeyId, act: &Act) -> Result<bool, StoreError> {
        if state_of(self.db, kid)?.as_deref() != Some("announced") {
            return Ok(false);
        }
        if let Some(old) = only(self.db, "active")? {
            self.set_state(&old, "retired", act.at)?;
            self.audit_key(act, Action::KeyRetired, &old);
        }
        self.set_state(kid, "active", act.at)?;
        self.audit_key(act, Action::KeyActivated, kid);
        Ok(true)
    }

    pub(super) fn retire_key(&mut self, kid: &KeyId, act: &Act) -> Result<RetiredKey, StoreError> {
        match state_of(self.db, kid)?.as_deref() {
            None => Ok(RetiredKey::NotFound),
            Some("active") => Ok(RetiredKey::Signs),
            Some("announced") => {
                self.set_state(kid, "retired", act.at)?;
                self.audit_key(act, Action::KeyRetired, kid);
                Ok(RetiredKey::Retired)
            }
            Some(_) => Ok(RetiredKey::Before),
        }
    }

    /// The entry is appended whatever the key was: an earlier one may still be on its way.
    pub(super) fn revoke_key(
        &mut self,
        kid: &KeyId,
        entry: EntryId,
        successor: &NewKey,
        act: &Act,
    ) -> Result<RevokedKey, StoreError> {
        const KEY: &str =
            "UPDATE signing_keys SET state = 'revoked', sealed = NULL, changed_at = ?2
            WHERE kid = ?1 AND state <> 'revoked'";
        const TOKENS: &str = "UPDATE tokens
            SET revoked_at = ?2, revoked_by = ?3, revoked_because = ?4
            WHERE kid = ?1 AND revoked_at IS NULL";
        let Some(was) = state_of(self.db, kid)? else { return Ok(RevokedKey::NotFound) };
        change(self.db, KEY, &[&kid.as_str(), &act.at.unix()])?;
        let successor = if was == "active" { Some(self.succeed(successor, act)?) } else { None };
        let seq = self.append(entry, Fact::KeyRevoked { kid: kid.clone() })?;
        let params: &[&dyn Bind] =
            &[&kid.as_str(), &act.at.unix(), &act.operator.as_str(), &KEY_REVOKED];
        let tokens = change(self.db, TOKENS, params)?;
        self.audit_key(&act.with_revoked(tokens), Action::KeyRevoked, kid);
        Ok(RevokedKey::Revoked { seq, tokens, successor })
    }

    /// Has the key sign that is announced, else this one.
    fn succeed(&mut self, new: &NewKey, act: &Act) -> Result<KeyId, StoreError> {
        if let Some(announced) = only(self.db, "announced")? {
            self.activate_key(&announced, act)?;
            return Ok(announced);
        }
        self.keep_key(new, "active", act.at, act)?;
        Ok(new.kid.clone())
    }

    fn set_state(&self, kid: &KeyId, state: &str, at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE signing_keys SET state = ?2, changed_at = ?3 WHERE kid = ?1";
        change(self.db, SQL, &[&kid.as_str(), &state, &at.unix()])?;
        Ok(())
    }
}
