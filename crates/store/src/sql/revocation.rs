//! Revoking one token, as a step that a database may do together with others of its kind.

use nt_token::{EntryId, Jti, WorkspaceId};
use tokio::sync::oneshot;

use super::job::{Failure, Job};
use super::writing::Writing;
use crate::audit::Act;
use crate::error::StoreError;
use crate::store::RevokedToken;

/// A token to be revoked, and its caller.
pub(crate) struct Revocation {
    pub(crate) workspace: WorkspaceId,
    pub(crate) jti: Jti,
    pub(crate) entry: EntryId,
    pub(crate) reason: Option<String>,
    pub(crate) act: Act,
    /// What became of it.
    pub(crate) result: Option<Result<RevokedToken, StoreError>>,
    pub(crate) caller: oneshot::Sender<Result<RevokedToken, StoreError>>,
}

impl Job<Writing<'_>> for Revocation {
    fn run(&mut self, on: &mut Writing<'_>) -> Result<(), Failure> {
        let Self { workspace, jti, entry, reason, act, .. } = self;
        let result = on.revoke_token(*workspace, jti, *entry, reason.as_deref(), act);
        let result = self.result.insert(result);
        result.as_ref().map(|_| ()).map_err(Failure::of)
    }

    fn revocation(&mut self) -> Option<&mut Revocation> {
        Some(self)
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        let answer = match (failure, self.result) {
            (Some(failure), _) => Err(failure.error()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Stopped),
        };
        // A caller that went away has its step all the same.
        let _ = self.caller.send(answer);
    }
}
