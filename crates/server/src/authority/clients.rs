//! The register of OAuth clients: who may change it, and whose credentials somebody presents. What a
//! client does with a token is not here.

#[cfg(test)]
pub(in crate::authority) mod tests;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nt_api::clients::{AddClient, ClientAdded, ClientList, ClientRemoved};
use nt_store::{AddedClient, Client, CredentialHash, NewClient, Sharing};
use nt_token::client::{InvalidClientName, InvalidClientRight};
use nt_token::{ClientName, ClientRight, ClientRights, Secret, WorkspaceId};
use tokio::sync::Mutex;

use crate::authority::entropy::{client_secret, credential_hash};
use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, Caller, limits};

/// The clients that are registered, mirrored in memory so that one that asks waits for no database.
/// Where nodes share the register it is asked each time, and here are those that were met.
#[derive(Debug)]
pub struct Clients {
    by_hash: RwLock<HashMap<CredentialHash, Arc<Client>>>,
    sharing: Sharing,
    /// Held while the register is changed, here and in the store: where one name is removed and added
    /// at a time, both must end with the same.
    changing: Mutex<()>,
}

impl Clients {
    /// Those that the store kept.
    pub fn new(clients: Vec<Client>, sharing: Sharing) -> Self {
        let by_hash = clients.into_iter().map(|client| (client.hash, Arc::new(client)));
        let by_hash = RwLock::new(by_hash.collect());
        Self { by_hash, sharing, changing: Mutex::default() }
    }

    fn find(&self, hash: CredentialHash) -> Option<Arc<Client>> {
        self.known().get(&hash).cloned()
    }

    fn insert(&self, client: Client) -> Arc<Client> {
        let client = Arc::new(client);
        self.changed().insert(client.hash, Arc::clone(&client));
        client
    }

    fn known(&self) -> RwLockReadGuard<'_, HashMap<CredentialHash, Arc<Client>>> {
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> RwLockWriteGuard<'_, HashMap<CredentialHash, Arc<Client>>> {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// The client with this name and secret, as the register is now. It is found by the secret's hash: how
    /// long that takes says nothing about those that are registered. A secret that was never met here is
    /// counted against where it comes from before a shared database is asked, so that guesses do not load
    /// it; one that was met is never refused for what its neighbours do.
    pub(super) async fn client(
        &self,
        name: &str,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Answer<Arc<Client>> {
        let hash = credential_hash(secret.expose());
        let known = self.clients.find(hash);
        if known.is_none() {
            self.rates.fails(from)?;
        }
        let registered = match self.clients.sharing {
            Sharing::Alone => known,
            Sharing::WithOthers => {
                self.store.client(hash).await?.map(|kept| self.clients.insert(kept))
            }
        };
        let Some(client) = registered else {
            self.clients.changed().remove(&hash);
            tracing::info!(from = from.map(tracing::field::display), "a client was refused");
            return Err(Refusal::BadClient.into());
        };
        if client.name.as_str() != name {
            self.rates.fails(from)?;
            return Err(Refusal::BadClient.into());
        }
        Ok(client)
    }

    /// Registers a client; the answer holds its secret, which is kept only as a hash.
    pub async fn add_client(&self, caller: &Caller, request: AddClient) -> Answer<ClientAdded> {
        self.demand_admin(caller)?;
        let name: ClientName = request
            .name
            .parse()
            .map_err(|error: InvalidClientName| Refusal::invalid("name", error.to_string()))?;
        let rights = rights(&request.may)?;
        let workspace = self.limit_of(request.workspace.as_deref()).await?;
        let secret = client_secret()?;
        let hash = credential_hash(secret.expose());
        let _changing = self.clients.changing.lock().await;
        if self.store.clients().await?.len() >= limits::CLIENTS {
            return Err(Refusal::TooManyClients.into());
        }
        let new = NewClient { name: name.clone(), hash, rights, workspace };
        let added = match self.store.add_client(new, self.act(caller)).await? {
            AddedClient::Added(added) => self.clients.insert(added),
            AddedClient::NameTaken => return Err(Refusal::ClientExists(name).into()),
        };
        tracing::info!(client = %added.name, rights = %added.rights, "an OAuth client was registered");
        Ok(ClientAdded {
            client_id: name,
            client_secret: secret,
            may: added.rights.clone(),
            workspace,
            created_at: added.created_at.into(),
        })
    }

    /// The clients that are registered, by name.
    pub async fn list_clients(&self, caller: &Caller) -> Answer<ClientList> {
        self.demand_admin(caller)?;
        let kept = self.store.clients().await?;
        Ok(ClientList { clients: kept.into_iter().map(shown).collect() })
    }

    /// Removes a client from the register; its secret opens nothing from now on, at whichever node.
    pub async fn remove_client(&self, caller: &Caller, name: &str) -> Answer<ClientRemoved> {
        self.demand_admin(caller)?;
        let name: ClientName = name.parse().map_err(|_| Refusal::NoClient)?;
        let _changing = self.clients.changing.lock().await;
        // Before the store forgets it: it must not be let in meanwhile.
        self.clients.changed().retain(|_, known| known.name != name);
        if !self.store.remove_client(name.clone(), self.act(caller)).await? {
            return Err(Refusal::NoClient.into());
        }
        tracing::info!(client = %name, "an OAuth client was removed");
        Ok(ClientRemoved { client_id: name, status: "removed".to_owned() })
    }

    /// The workspace that a client is to be limited to. It has to be there, or a slip of the pen would
    /// show only when nothing works.
    async fn limit_of(&self, workspace: Option<&str>) -> Answer<Option<WorkspaceId>> {
        let Some(workspace) = workspace else { return Ok(None) };
        let id = workspace.parse().map_err(|_| Refusal::NoWorkspace)?;
        match self.store.live_workspace(id).await? {
            Some(live) => Ok(Some(live.id)),
            None => Err(Refusal::NoWorkspace.into()),
        }
    }
}

fn rights(names: &[String]) -> Result<ClientRights, Refusal> {
    let wrong = |error: InvalidClientRight| Refusal::invalid("may", error.to_string());
    let rights: Result<BTreeSet<ClientRight>, _> = names.iter().map(|name| name.parse()).collect();
    rights.and_then(ClientRights::try_from).map_err(wrong)
}

fn shown(kept: Client) -> nt_api::clients::Client {
    nt_api::clients::Client {
        client_id: kept.name,
        may: kept.rights,
        workspace: kept.workspace,
        created_at: kept.created_at.into(),
        created_by: kept.created_by,
    }
}
