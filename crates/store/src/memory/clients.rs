//! The register of clients of the OAuth endpoints.

use nt_token::client::ClientName;

use super::state::State;
use crate::audit::{Act, Action};
use crate::client::{AddedClient, Client, NewClient};
use crate::error::StoreError;
use crate::verifier::CredentialHash;

impl State {
    pub(super) fn add_client(
        &mut self,
        new: NewClient,
        act: &Act,
    ) -> Result<AddedClient, StoreError> {
        if self.clients.contains_key(&new.name) {
            return Ok(AddedClient::NameTaken);
        }
        let mut all = self.clients.values().map(|known| &known.hash).chain(&self.removed_clients);
        if all.any(|hash| *hash == new.hash) {
            return Err(StoreError::Database("such a client is there".to_owned()));
        }
        let NewClient { name, hash, rights, workspace } = new;
        let (created_at, created_by) = (act.at, act.operator.clone());
        let added = Client { name, hash, rights, workspace, created_at, created_by };
        self.clients.insert(added.name.clone(), added.clone());
        let rights = added.rights.to_string();
        self.record_client(act, Action::ClientAdded, &added, Some(&rights));
        Ok(AddedClient::Added(added))
    }

    pub(super) fn clients(&self) -> Vec<Client> {
        self.clients.values().cloned().collect()
    }

    pub(super) fn client(&self, hash: CredentialHash) -> Option<Client> {
        self.clients.values().find(|known| known.hash == hash).cloned()
    }

    pub(super) fn remove_client(&mut self, name: &ClientName, act: &Act) -> bool {
        let Some(gone) = self.clients.remove(name) else { return false };
        self.removed_clients.push(gone.hash);
        self.record_client(act, Action::ClientRemoved, &gone, None);
        true
    }
}
