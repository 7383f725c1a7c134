//! The seam: each method of [`Store`] as a step on the state.

use async_trait::async_trait;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol;
use nt_revocation::{Entry, Fact, Position};
use nt_token::{
    ClientName, EntryId, Jti, KeyId, OperatorId, Timestamp, TokenRecord, VerifierId, VerifierName,
    WorkspaceId,
};

use super::MemoryStore;
use crate::audit::{Act, AuditPage, AuditQuery, Denial, Visibility};
use crate::client::{AddedClient, Client, NewClient};
use crate::error::StoreError;
use crate::key::{AddedKey, NewKey, RetiredKey, RevokedKey, StoredKey};
use crate::list::{KnownList, ListedPlaces};
use crate::node::{End, KnownNode, NewNode, Renewal, Renewed};
use crate::receipt::KeptReceipt;
use crate::record::{
    Authority, Belonging, Identity, JobToken, Member, NewSession, NewToken, NewWorkspace, Operator,
    PageRequest, PersonKey, Role, Session, SessionHash, TokenFilter, TokenPage, UseDelta,
    Workspace,
};
use crate::store::{
    AddedMember, ChangedMember, CreatedToken, CreatedWorkspace, DeletedWorkspace, RefreshedToken,
    RevokedToken, Sharing, Store,
};
use crate::verifier::{AddedVerifier, CredentialHash, NewVerifier, Verifier};

#[async_trait]
impl Store for MemoryStore {
    fn sharing(&self) -> Sharing {
        self.sharing
    }

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

    async fn operator(
        &self,
        identity: Identity,
        candidate: OperatorId,
        at: Timestamp,
    ) -> Result<Operator, StoreError> {
        self.write(|state| state.operator(identity, candidate, at))
    }

    async fn end_sessions(&self, hashes: Vec<SessionHash>, act: Act) -> Result<u64, StoreError> {
        self.write(|state| Ok(state.end_sessions(&hashes, &act)))
    }

    async fn touch_sessions(&self, used: Vec<(SessionHash, Timestamp)>) -> Result<(), StoreError> {
        self.write(|state| {
            state.touch_sessions(&used);
            Ok(())
        })
    }

    async fn session(&self, hash: SessionHash) -> Result<Option<Session>, StoreError> {
        self.read(|state| Ok(state.session(hash)))
    }

    async fn sessions_of(
        &self,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        self.read(|state| Ok(state.sessions_of(operator, now)))
    }

    async fn use_job_token(&self, token: JobToken, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.use_job_token(token, now)))
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

    async fn live_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.read(|state| Ok(state.live_workspace(id)))
    }

    async fn workspaces_of(&self, organisation: &str) -> Result<Vec<Workspace>, StoreError> {
        self.read(|state| Ok(state.workspaces_of(organisation)))
    }

    async fn members(&self, workspace: WorkspaceId) -> Result<Vec<Belonging>, StoreError> {
        self.read(|state| Ok(state.members_of(workspace)))
    }

    async fn add_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        role: Role,
        act: Act,
    ) -> Result<AddedMember, StoreError> {
        self.write(|state| Ok(state.add_member(workspace, &who, role, &act)))
    }

    async fn change_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        role: Role,
        act: Act,
    ) -> Result<ChangedMember, StoreError> {
        self.write(|state| Ok(state.change_member(workspace, &who, was, role, &act)))
    }

    async fn remove_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        revoke: Option<EntryId>,
        act: Act,
    ) -> Result<ChangedMember, StoreError> {
        self.write(|state| state.remove_member(workspace, &who, was, revoke, &act))
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

    async fn keep_receipts(&self, receipts: Vec<KeptReceipt>) -> Result<(), StoreError> {
        self.write(|state| {
            state.keep_receipts(receipts);
            Ok(())
        })
    }

    async fn receipt(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<String>, StoreError> {
        self.read(|state| Ok(state.first_receipt(workspace, jti)))
    }

    async fn revocation_of(&self, token: &TokenRecord) -> Result<Option<Position>, StoreError> {
        self.read(|state| Ok(state.revocation_of(token)))
    }

    async fn lists(&self) -> Result<Vec<KnownList>, StoreError> {
        self.read(|state| Ok(state.known_lists()))
    }

    async fn listed_places(&self, list: KnownList) -> Result<ListedPlaces, StoreError> {
        self.read(|state| Ok(state.listed_places(&list)))
    }

    async fn refresh_token(
        &self,
        old: Jti,
        new: NewToken,
        act: Act,
    ) -> Result<RefreshedToken, StoreError> {
        self.write(|state| state.refresh_token(&old, new, &act))
    }

    async fn add_verifier(&self, new: NewVerifier, act: Act) -> Result<AddedVerifier, StoreError> {
        self.write(|state| state.add_verifier(new, &act))
    }

    async fn verifiers(&self) -> Result<Vec<Verifier>, StoreError> {
        self.read(|state| Ok(state.verifiers()))
    }

    async fn verifier(&self, hash: CredentialHash) -> Result<Option<Verifier>, StoreError> {
        self.read(|state| Ok(state.verifier(hash)))
    }

    async fn remove_verifier(&self, name: VerifierName, act: Act) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.remove_verifier(&name, &act)))
    }

    async fn touch_verifiers(
        &self,
        connected: Vec<(VerifierId, Timestamp, String)>,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            state.touch_verifiers(&connected);
            Ok(())
        })
    }

    async fn add_client(&self, new: NewClient, act: Act) -> Result<AddedClient, StoreError> {
        self.write(|state| state.add_client(new, &act))
    }

    async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        self.read(|state| Ok(state.clients()))
    }

    async fn client(&self, hash: CredentialHash) -> Result<Option<Client>, StoreError> {
        self.read(|state| Ok(state.client(hash)))
    }

    async fn remove_client(&self, name: ClientName, act: Act) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.remove_client(&name, &act)))
    }

    async fn join(&self, new: NewNode, entry: EntryId) -> Result<u64, StoreError> {
        self.write(|state| state.join(new, entry))
    }

    async fn renew(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        self.write(|state| Ok(state.renew(renewal)))
    }

    async fn fence(
        &self,
        member: protocol::Member,
        proof: ProofOfDeath,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        self.write(|state| state.fence(member, proof, entry))
    }

    async fn gone(
        &self,
        member: protocol::Member,
        end: End,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        self.write(|state| state.gone(member, end, entry))
    }

    async fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        self.read(|state| Ok(state.nodes()))
    }

    async fn add_key(&self, new: NewKey, act: Act) -> Result<AddedKey, StoreError> {
        self.write(|state| state.add_key(new, &act))
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(|state| Ok(state.signing_keys()))
    }

    async fn activate_key(&self, kid: &KeyId, act: Act) -> Result<bool, StoreError> {
        self.write(|state| Ok(state.activate_key(kid, &act)))
    }

    async fn retire_key(&self, kid: &KeyId, act: Act) -> Result<RetiredKey, StoreError> {
        self.write(|state| Ok(state.retire_key(kid, &act)))
    }

    async fn revoke_key(
        &self,
        kid: &KeyId,
        entry: EntryId,
        successor: NewKey,
        act: Act,
    ) -> Result<RevokedKey, StoreError> {
        self.write(|state| state.revoke_key(kid, entry, successor, &act))
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
