//! The signing keys.

use nt_revocation::Fact;
use nt_token::{EntryId, KeyId, State as Standing};

use super::state::State;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::key::{
    AddedKey, KEY_REVOKED, KeyState, Logged, NewKey, Purpose, RetiredKey, RevokedKey, StoredKey,
};

impl State {
    pub(super) fn signing_keys(&self) -> Vec<StoredKey> {
        let mut all: Vec<_> = self.keys.values().cloned().collect();
        all.sort_by(|a, b| (a.seq, &a.kid).cmp(&(b.seq, &b.kid)));
        all
    }

    pub(super) fn add_key(&mut self, new: NewKey, act: &Act) -> Result<AddedKey, StoreError> {
        if self.keys.contains_key(&new.kid) {
            return Ok(AddedKey::Known);
        }
        let state = match new.purpose {
            Purpose::First => KeyState::Active,
            Purpose::Next(signs_from) => KeyState::Announced { signs_from },
            Purpose::Old => KeyState::Retired,
        };
        if new.purpose != Purpose::Old
            && let Some(other) = self.only(state.name())
        {
            return Ok(AddedKey::Taken(other));
        }
        self.may_keep(&new)?;
        self.keep_key(new, state, act);
        Ok(AddedKey::Added)
    }

    fn only(&self, state: &str) -> Option<KeyId> {
        self.keys.values().find(|key| key.state.name() == state).map(|key| key.kid.clone())
    }

    fn may_keep(&self, new: &NewKey) -> Result<(), StoreError> {
        match new.logged {
            Logged::At(_) => Ok(()),
            Logged::With(entry) => self.may_append(entry, &added(new)),
        }
    }

    fn keep_key(&mut self, new: NewKey, state: KeyState, act: &Act) {
        let seq = match new.logged {
            Logged::At(seq) => seq,
            Logged::With(entry) => self.append(entry, added(&new)),
        };
        self.record_key(act, Action::KeyAdded, &new.kid);
        let kept = StoredKey {
            kid: new.kid.clone(),
            algorithm: new.algorithm,
            jwk: new.jwk,
            sealed: Some(new.sealed),
            seq,
            created_at: act.at,
            state,
            since: act.at,
        };
        self.keys.insert(new.kid, kept);
    }

    pub(super) fn activate_key(&mut self, kid: &KeyId, act: &Act) -> bool {
        if self.only("announced").as_ref() != Some(kid) {
            return false;
        }
        if let Some(old) = self.only("active") {
            self.set_state(&old, KeyState::Retired, act);
            self.record_key(act, Action::KeyRetired, &old);
        }
        self.set_state(kid, KeyState::Active, act);
        self.record_key(act, Action::KeyActivated, kid);
        true
    }

    pub(super) fn retire_key(&mut self, kid: &KeyId, act: &Act) -> RetiredKey {
        match self.keys.get(kid).map(|key| key.state) {
            None => RetiredKey::NotFound,
            Some(KeyState::Active) => RetiredKey::Signs,
            Some(KeyState::Announced { .. }) => {
                self.set_state(kid, KeyState::Retired, act);
                self.record_key(act, Action::KeyRetired, kid);
                RetiredKey::Retired
            }
            Some(KeyState::Retired | KeyState::Revoked) => RetiredKey::Before,
        }
    }

    pub(super) fn revoke_key(
        &mut self,
        kid: &KeyId,
        entry: EntryId,
        successor: NewKey,
        act: &Act,
    ) -> Result<RevokedKey, StoreError> {
        let Some(was) = self.keys.get(kid).map(|key| key.state) else {
            return Ok(RevokedKey::NotFound);
        };
        let announced = self.only("announced");
        if was == KeyState::Active && announced.is_none() {
            self.may_keep(&successor)?;
            if self.keys.contains_key(&successor.kid) {
                return Err(StoreError::Database("such a key is there".to_owned()));
            }
            if matches!(successor.logged, Logged::With(other) if other == entry) {
                return Err(StoreError::EntryReused(entry));
            }
        }
        let fact = Fact::KeyRevoked { kid: kid.clone() };
        self.may_append(entry, &fact)?;
        if was != KeyState::Revoked {
            self.set_state(kid, KeyState::Revoked, act);
        }
        let successor = match (was, announced) {
            (KeyState::Active, Some(announced)) => {
                self.activate_key(&announced, act);
                Some(announced)
            }
            (KeyState::Active, None) => {
                let kid = successor.kid.clone();
                self.keep_key(successor, KeyState::Active, act);
                Some(kid)
            }
            _ => None,
        };
        let seq = self.append(entry, fact);
        let tokens = self.revoke_signed_by(kid, act);
        self.record_key(&act.with_revoked(tokens), Action::KeyRevoked, kid);
        Ok(RevokedKey::Revoked { seq, tokens, successor })
    }

    fn revoke_signed_by(&mut self, kid: &KeyId, act: &Act) -> u64 {
        let tokens = self.tokens.values_mut().map(|issued| &mut issued.token);
        let mut count = 0;
        for token in tokens.filter(|token| token.kid == *kid && token.state == Standing::Live) {
            let (by, reason) = (act.operator.clone(), Some(KEY_REVOKED.to_owned()));
            token.state = Standing::Revoked { at: act.at, by, reason };
            count += 1;
        }
        count
    }

    fn set_state(&mut self, kid: &KeyId, state: KeyState, act: &Act) {
        if let Some(key) = self.keys.get_mut(kid) {
            key.state = state;
            key.since = act.at;
            if state == KeyState::Revoked {
                key.sealed = None;
            }
        }
    }
}

fn added(new: &NewKey) -> Fact {
    Fact::KeyAdded { kid: new.kid.clone(), jwk: new.jwk.clone() }
}
