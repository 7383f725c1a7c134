//! The seam: each method of [`Store`] as a step on the state.

use async_trait::async_trait;
use nt_revocation::{Entry, Fact, Position};
use nt_token::{EntryId, Jti, OperatorId, Timestamp, TokenRecord, WorkspaceId};

use super::MemoryStore;
use crate::audit::{Act, AuditPage, AuditQuery, Denial, Visibility};
use crate::error::StoreError;
use crate::record::{
    Authority, Member, NewSession, NewToken, NewWorkspace, PageRequest, Session, SessionHash,
    TokenFilter, TokenPage, UseDelta,
};
use crate::store::{
    CreatedToken, CreatedWorkspace, DeletedWorkspace, RefreshedToken, RevokedToken, Store,
};

#[async_trait]
impl Store for MemoryStore {
    async fn found(&self, issuer: &str) -> Result<Authority, StoreError> {
        self.write(|state| Ok(state.found(issuer)))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.read(|state| Ok(state.head()))
    }

    async fn entries_after(&self, seq: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read(|state| Ok(state.entries_after(seq, limit)))
    }

    async fn append(&self, facts: Vec<(EntryId, Fact)>) -> Result<Position, StoreError> {
        self.write(|state| state.append_all(facts))
    }

    async fn open_session(&self, new: NewSession) -> Result<Session, StoreError> {
        self.write(|state| state.open_session(new))
    }

    async fn end_session(&self, hash: SessionHash, act: Act) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.end_session(hash, &act)))
    }

    async fn live_sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.write(|state| Ok(state.live_sessions(now)))
    }

    async fn create_workspace(
        &self,
        new: NewWorkspace,
        first: NewToken,
        act: Act,
    ) -> Result<CreatedWorkspace, StoreError> {
        self.write(|state| state.create_workspace(new, first, &act))
    }

    async fn workspaces(&self, operator: &OperatorId) -> Result<Vec<Member>, StoreError> {
        self.read(|state| Ok(state.members_workspaces(operator)))
    }

    async fn workspace(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
    ) -> Result<Option<Member>, StoreError> {
        self.read(|state| Ok(state.member(id, operator)))
    }

    async fn describe_workspace(
        &self,
        id: WorkspaceId,
        description: Option<String>,
        act: Act,
    ) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.describe_workspace(id, description, &act)))
    }

    async fn deletion(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
        idempotency_key: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.read(|state| Ok(state.deletion(id, operator, idempotency_key)))
    }

    async fn delete_workspace(
        &self,
        id: WorkspaceId,
        entry: EntryId,
        idempotency_key: Option<String>,
        act: Act,
    ) -> Result<DeletedWorkspace, StoreError> {
        self.write(|state| state.delete_workspace(id, entry, idempotency_key, &act))
    }

    async fn create_token(&self, new: NewToken, act: Act) -> Result<CreatedToken, StoreError> {
        self.write(|state| state.create_token(new, &act))
    }

    async fn tokens(
        &self,
        workspace: WorkspaceId,
        filter: TokenFilter,
        page: PageRequest,
    ) -> Result<TokenPage, StoreError> {
        self.read(|state| Ok(state.page(workspace, filter, &page)))
    }

    async fn token(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<(TokenRecord, Option<String>)>, StoreError> {
        self.read(|state| Ok(state.token_in(workspace, jti)))
    }

    async fn revoke_token(
        &self,
        workspace: WorkspaceId,
        jti: Jti,
        entry: EntryId,
        reason: Option<String>,
        act: Act,
    ) -> Result<RevokedToken, StoreError> {
        self.write(|state| state.revoke_token(workspace, &jti, entry, reason, &act))
    }

    async fn refresh_token(
        &self,
        old: Jti,
        new: NewToken,
        act: Act,
    ) -> Result<RefreshedToken, StoreError> {
        self.write(|state| state.refresh_token(&old, new, &act))
    }

    async fn count(&self, uses: Vec<UseDelta>, denials: Vec<Denial>) -> Result<(), StoreError> {
        self.write(|state| {
            state.count(uses, denials);
            Ok(())
        })
    }

    async fn audit(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        self.read(|state| Ok(state.audit_page(&query)))
    }

    async fn denials(
        &self,
        visible: Visibility,
        jti: Option<Jti>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Denial>, StoreError> {
        self.read(|state| Ok(state.denials(&visible, jti.as_ref(), since, limit)))
    }

    async fn close(&self) {
        self.forget();
    }
}
