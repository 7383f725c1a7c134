//! The requests about OAuth clients.

use nt_api::ErrorCode;
use nt_api::clients::{AddClient, ClientAdded, ClientList, ClientRemoved};
use nt_api::path;
use nt_token::{ClientName, ClientRight, WorkspaceId};
use ureq::http::Method;

use super::Operator;
use crate::client::Call;
use crate::client::failure::{ClientError, Refusal};

impl Operator<'_> {
    /// Sent once: a repeated one would find the name taken, by its own first attempt.
    pub(crate) fn add_client(
        &self,
        name: &ClientName,
        may: &[ClientRight],
        workspace: Option<WorkspaceId>,
    ) -> Result<ClientAdded, ClientError> {
        let body = AddClient {
            name: name.to_string(),
            may: may.iter().map(ToString::to_string).collect(),
            workspace: workspace.map(|id| id.to_string()),
        };
        self.call(Call::new(Method::POST, path::CLIENTS).json(&body)?)
    }

    pub(crate) fn clients(&self) -> Result<ClientList, ClientError> {
        self.call(Call::new(Method::GET, path::CLIENTS))
    }

    pub(crate) fn remove_client(&self, name: &ClientName) -> Result<ClientRemoved, ClientError> {
        let removed = self.call(Call::new(Method::DELETE, path::client(name)));
        removed.map_err(|error| match error {
            ClientError::Refused(Refusal { code: code @ ErrorCode::ClientNotFound, .. }) => {
                Refusal { code, message: format!("Client '{name}' not found") }.into()
            }
            other => other,
        })
    }
}
