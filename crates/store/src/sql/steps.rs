//! The seam: each method of [`Store`] handed to the thread that does it, whatever the database.
//!
//! A step owns what it was asked with and may be taken again: where its transaction was rolled back
//! through no fault of its own.

use async_trait::async_trait;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol;
use nt_revocation::{Entry, Fact, Position};
use nt_token::{
    ClientName, EntryId, Jti, KeyId, OperatorId, Timestamp, TokenRecord, VerifierId, VerifierName,
    WorkspaceId,
};

use super::engine::Engine;
use super::revocation::Revocation;
use super::{
    audit, by_key, client, keys, list, log, member, node, receipt, token, verifier, workspace,
};
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
impl<E: Engine> Store for E {
    fn sharing(&self) -> Sharing {
        E::SHARING
    }

    async fn found(&self, issuer: &str) -> Result<Authority, StoreError> {
        let issuer = issuer.to_owned();
        self.write(move |writing| writing.found(&issuer)).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        match self.recovered() {
            Some(head) => Ok(head),
            None => self.read(log::head).await,
        }
    }

    async fn entries_after(&self, seq: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read(move |db| log::entries_after(db, seq, limit)).await
    }

    async fn append(&self, facts: Vec<(EntryId, Fact)>) -> Result<Position, StoreError> {
        self.write(move |writing| writing.append_all(&facts)).await
    }

    async fn open_session(&self, new: NewSession) -> Result<Session, StoreError> {
        self.write(move |writing| writing.open_session(&new)).await
    }

    async fn operator(
        &self,
        identity: Identity,
        candidate: OperatorId,
        at: Timestamp,
    ) -> Result<Operator, StoreError> {
        self.write(move |writing| writing.operator(&identity, &candidate, at)).await
    }

    async fn end_sessions(&self, hashes: Vec<SessionHash>, act: Act) -> Result<u64, StoreError> {
        self.write(move |writing| writing.end_sessions(&hashes, &act)).await
    }

    async fn touch_sessions(&self, used: Vec<(SessionHash, Timestamp)>) -> Result<(), StoreError> {
        self.write(move |writing| writing.touch_sessions(&used)).await
    }

    async fn session(&self, hash: SessionHash) -> Result<Option<Session>, StoreError> {
        self.read(move |db| by_key::session_of(db, hash)).await
    }

    async fn sessions_of(
        &self,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let operator = operator.clone();
        self.read(move |db| by_key::sessions_of(db, &operator, now)).await
    }

    async fn use_job_token(&self, token: JobToken, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |writing| writing.use_job_token(&token, now)).await
    }

    async fn live_sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.write(move |writing| writing.live_sessions(now)).await
    }

    async fn create_workspace(
        &self,
        new: NewWorkspace,
        first: NewToken,
        act: Act,
    ) -> Result<CreatedWorkspace, StoreError> {
        self.write(move |writing| writing.create_workspace(&new, &first, &act)).await
    }

    async fn workspaces(&self, operator: &OperatorId) -> Result<Vec<Member>, StoreError> {
        let operator = operator.clone();
        self.read(move |db| workspace::list(db, &operator)).await
    }

    async fn workspace(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
    ) -> Result<Option<Member>, StoreError> {
        let operator = operator.clone();
        self.read(move |db| workspace::find(db, id, &operator)).await
    }

    async fn live_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        self.read(move |db| workspace::live(db, id)).await
    }

    async fn workspaces_of(&self, organisation: &str) -> Result<Vec<Workspace>, StoreError> {
        let organisation = organisation.to_owned();
        self.read(move |db| workspace::list_of(db, &organisation)).await
    }

    async fn members(&self, workspace: WorkspaceId) -> Result<Vec<Belonging>, StoreError> {
        self.read(move |db| member::list(db, workspace)).await
    }

    async fn add_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        role: Role,
        act: Act,
    ) -> Result<AddedMember, StoreError> {
        self.write(move |writing| writing.add_member(workspace, &who, role, &act)).await
    }

    async fn change_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        role: Role,
        act: Act,
    ) -> Result<ChangedMember, StoreError> {
        self.write(move |writing| writing.change_member(workspace, &who, was, role, &act)).await
    }

    async fn remove_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        revoke: Option<EntryId>,
        act: Act,
    ) -> Result<ChangedMember, StoreError> {
        self.write(move |writing| writing.remove_member(workspace, &who, was, revoke, &act)).await
    }

    async fn describe_workspace(
        &self,
        id: WorkspaceId,
        description: Option<String>,
        act: Act,
    ) -> Result<bool, StoreError> {
        self.write(move |writing| writing.describe_workspace(id, description.as_deref(), &act))
            .await
    }

    async fn deletion(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
        idempotency_key: &str,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (operator, key) = (operator.clone(), idempotency_key.to_owned());
        self.read(move |db| workspace::deletion(db, id, &operator, &key)).await
    }

    async fn delete_workspace(
        &self,
        id: WorkspaceId,
        entry: EntryId,
        idempotency_key: Option<String>,
        act: Act,
    ) -> Result<DeletedWorkspace, StoreError> {
        let key = idempotency_key;
        self.write(move |writing| writing.delete_workspace(id, entry, key.as_deref(), &act)).await
    }

    async fn create_token(&self, new: NewToken, act: Act) -> Result<CreatedToken, StoreError> {
        self.write(move |writing| writing.create_token(&new, &act)).await
    }

    async fn tokens(
        &self,
        workspace: WorkspaceId,
        filter: TokenFilter,
        page: PageRequest,
    ) -> Result<TokenPage, StoreError> {
        self.read(move |db| token::page(db, workspace, filter, &page)).await
    }

    async fn token(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<(TokenRecord, Option<String>)>, StoreError> {
        let jti = jti.clone();
        self.read(move |db| token::token(db, workspace, &jti)).await
    }

    async fn revoke_token(
        &self,
        workspace: WorkspaceId,
        jti: Jti,
        entry: EntryId,
        reason: Option<String>,
        act: Act,
    ) -> Result<RevokedToken, StoreError> {
        self.hand_in(move |caller| {
            let result = None;
            Box::new(Revocation { workspace, jti, entry, reason, act, result, caller })
        })
        .await
    }

    async fn keep_receipts(&self, receipts: Vec<KeptReceipt>) -> Result<(), StoreError> {
        self.write(move |writing| writing.keep_receipts(&receipts)).await
    }

    async fn receipt(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<String>, StoreError> {
        let jti = jti.clone();
        self.read(move |db| receipt::first(db, workspace, &jti)).await
    }

    async fn revocation_of(&self, token: &TokenRecord) -> Result<Option<Position>, StoreError> {
        let token = token.clone();
        self.read(move |db| receipt::revocation_of(db, &token)).await
    }

    async fn lists(&self) -> Result<Vec<KnownList>, StoreError> {
        self.read(list::known).await
    }

    async fn listed_places(&self, list: KnownList) -> Result<ListedPlaces, StoreError> {
        self.read(move |db| list::places(db, &list)).await
    }

    async fn refresh_token(
        &self,
        old: Jti,
        new: NewToken,
        act: Act,
    ) -> Result<RefreshedToken, StoreError> {
        self.write(move |writing| writing.refresh_token(&old, &new, &act)).await
    }

    async fn add_verifier(&self, new: NewVerifier, act: Act) -> Result<AddedVerifier, StoreError> {
        self.write(move |writing| writing.add_verifier(&new, &act)).await
    }

    async fn verifiers(&self) -> Result<Vec<Verifier>, StoreError> {
        self.read(verifier::list).await
    }

    async fn verifier(&self, hash: CredentialHash) -> Result<Option<Verifier>, StoreError> {
        self.read(move |db| by_key::verifier_of(db, hash)).await
    }

    async fn remove_verifier(&self, name: VerifierName, act: Act) -> Result<bool, StoreError> {
        self.write(move |writing| writing.remove_verifier(&name, &act)).await
    }

    async fn touch_verifiers(
        &self,
        connected: Vec<(VerifierId, Timestamp, String)>,
    ) -> Result<(), StoreError> {
        self.write(move |writing| writing.touch_verifiers(&connected)).await
    }

    async fn add_client(&self, new: NewClient, act: Act) -> Result<AddedClient, StoreError> {
        self.write(move |writing| writing.add_client(&new, &act)).await
    }

    async fn clients(&self) -> Result<Vec<Client>, StoreError> {
        self.read(client::list).await
    }

    async fn client(&self, hash: CredentialHash) -> Result<Option<Client>, StoreError> {
        self.read(move |db| client::of(db, hash)).await
    }

    async fn remove_client(&self, name: ClientName, act: Act) -> Result<bool, StoreError> {
        self.write(move |writing| writing.remove_client(&name, &act)).await
    }

    async fn join(&self, new: NewNode, entry: EntryId) -> Result<u64, StoreError> {
        self.write(move |writing| writing.join(&new, entry)).await
    }

    async fn renew(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        Engine::renew(self, renewal).await
    }

    async fn fence(
        &self,
        member: protocol::Member,
        proof: ProofOfDeath,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        self.write(move |writing| writing.fence(member, proof, entry)).await
    }

    async fn gone(
        &self,
        member: protocol::Member,
        end: End,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        self.write(move |writing| writing.gone(member, end, entry)).await
    }

    async fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        self.read(node::list).await
    }

    async fn add_key(&self, new: NewKey, act: Act) -> Result<AddedKey, StoreError> {
        self.write(move |writing| writing.add_key(&new, &act)).await
    }

    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.read(keys::list).await
    }

    async fn activate_key(&self, kid: &KeyId, act: Act) -> Result<bool, StoreError> {
        let kid = kid.clone();
        self.write(move |writing| writing.activate_key(&kid, &act)).await
    }

    async fn retire_key(&self, kid: &KeyId, act: Act) -> Result<RetiredKey, StoreError> {
        let kid = kid.clone();
        self.write(move |writing| writing.retire_key(&kid, &act)).await
    }

    async fn revoke_key(
        &self,
        kid: &KeyId,
        entry: EntryId,
        successor: NewKey,
        act: Act,
    ) -> Result<RevokedKey, StoreError> {
        let kid = kid.clone();
        self.write(move |writing| writing.revoke_key(&kid, entry, &successor, &act)).await
    }

    async fn count(&self, uses: Vec<UseDelta>, denials: Vec<Denial>) -> Result<(), StoreError> {
        self.write(move |writing| writing.count(&uses, &denials)).await
    }

    async fn audit(&self, query: AuditQuery) -> Result<AuditPage, StoreError> {
        self.read(move |db| audit::page(db, &query)).await
    }

    async fn denials(
        &self,
        visible: Visibility,
        jti: Option<Jti>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Denial>, StoreError> {
        self.read(move |db| audit::denials(db, &visible, jti.as_ref(), since, limit)).await
    }

    async fn close(&self) {
        self.finish().await;
    }
}
