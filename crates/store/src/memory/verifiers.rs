//! The register of verifiers.

use nt_token::{Timestamp, VerifierId, VerifierName};

use super::state::State;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::verifier::{AddedVerifier, NewVerifier, Verifier};

impl State {
    pub(super) fn add_verifier(
        &mut self,
        new: NewVerifier,
        act: &Act,
    ) -> Result<AddedVerifier, StoreError> {
        if self.verifiers.values().any(|known| known.name == new.name) {
            return Ok(AddedVerifier::NameTaken);
        }
        let live = self.verifiers.iter().map(|(id, known)| (id, &known.hash));
        let mut all = live.chain(&self.removed_verifiers);
        if all.any(|(id, hash)| *id == new.id || *hash == new.hash) {
            return Err(StoreError::Database("such a verifier is there".to_owned()));
        }
        let added = Verifier {
            id: new.id,
            name: new.name,
            hash: new.hash,
            created_at: act.at,
            created_by: act.operator.clone(),
            last_connected: None,
        };
        self.verifiers.insert(added.id.clone(), added.clone());
        self.record_verifier(act, Action::VerifierAdded, &added.name);
        Ok(AddedVerifier::Added(added))
    }

    pub(super) fn verifiers(&self) -> Vec<Verifier> {
        let mut all: Vec<_> = self.verifiers.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(super) fn remove_verifier(&mut self, name: &VerifierName, act: &Act) -> bool {
        let found = self.verifiers.values().find(|known| known.name == *name);
        let Some(Verifier { id, hash, .. }) = found.cloned() else { return false };
        self.verifiers.remove(&id);
        self.removed_verifiers.insert(id, hash);
        self.record_verifier(act, Action::VerifierRemoved, name);
        true
    }

    pub(super) fn touch_verifiers(&mut self, connected: &[(VerifierId, Timestamp, String)]) {
        for (id, at, version) in connected {
            if let Some(known) = self.verifiers.get_mut(id)
                && known.last_connected.as_ref().is_none_or(|(last, _)| last <= at)
            {
                known.last_connected = Some((*at, version.clone()));
            }
        }
    }
}
