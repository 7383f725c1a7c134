//! The seam: what a store can do.

use async_trait::async_trait;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol;
use nt_revocation::{Entry, Fact, Position};
use nt_token::{
    ClientName, EntryId, Jti, KeyId, OperatorId, Timestamp, TokenRecord, VerifierId, VerifierName,
    WorkspaceId,
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
use crate::verifier::{AddedVerifier, CredentialHash, NewVerifier, Verifier};

/// Is told of entries in log order, after their commit and before the step that appended them is
/// answered. It must be quick and must not call the store.
pub type Follower = Box<dyn Fn(&[Entry]) + Send + Sync>;

/// Whether somebody else may change what a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Only whoever has this store: what it has said stays so until it is told otherwise.
    Alone,
    /// Other nodes may, at any time: what must be exact has to be asked each time.
    WithOthers,
}

/// What became of a workspace to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedWorkspace {
    /// It is there, with its first token.
    New(Workspace, TokenRecord),
    /// A request with this idempotency key had already created this one.
    Repeated(Workspace, TokenRecord),
    /// The owner has a live workspace of this name.
    NameTaken,
    /// The idempotency key was used for another request.
    KeyReused,
}

/// What became of a token to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreatedToken {
    /// It is there.
    New(TokenRecord),
    /// A request with this idempotency key had already created this one.
    Repeated(TokenRecord),
    /// There is no such live workspace.
    NoWorkspace,
    /// The right that the step was decided for is gone.
    NotAllowed,
    /// The idempotency key was used for another request.
    KeyReused,
}

/// What became of a token to be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once a request, and the large one is usual")]
pub enum RevokedToken {
    /// It is revoked by the entry at this position of the log.
    Revoked {
        /// The record, with the time of the first revocation.
        token: TokenRecord,
        /// The entry that this step appended.
        seq: u64,
        /// Whether it had been revoked before. An entry is appended all the same: the earlier one
        /// may still be on its way.
        before: bool,
    },
    /// The workspace has no such token.
    NotFound,
}

/// What became of a token to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once a request, and the large one is usual")]
pub enum RefreshedToken {
    /// The new one is there and the old one is revoked.
    Refreshed {
        /// The new one.
        new: TokenRecord,
        /// The old one.
        old: TokenRecord,
    },
    /// The workspace has no such token.
    NotFound,
    /// The right that the step was decided for is gone.
    NotAllowed,
    /// The idempotency key was used for another request.
    KeyReused,
}

/// What became of a workspace to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletedWorkspace {
    /// It is gone since this time, and its tokens are revoked.
    Deleted {
        /// When it was deleted first.
        at: Timestamp,
    },
    /// There is no such live workspace.
    NotFound,
}

/// What became of somebody to be added to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddedMember {
    /// Is a member now.
    Added(Belonging),
    /// Is invited now, or was before, with this role.
    Invited(Belonging),
    /// Was a member before; nothing was changed.
    AlreadyMember(Belonging),
    /// There is no such operator.
    NoOperator,
    /// Several operators have this e-mail address; these.
    Ambiguous(Vec<OperatorId>),
    /// There is no such live workspace.
    NoWorkspace,
}

/// What became of a change to somebody who belongs to a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedMember {
    /// It is done: what the person was, or now is.
    Done {
        /// The person, with the new role, or with the last one where the person was removed.
        belonging: Belonging,
        /// How many live tokens were revoked in the same step.
        revoked: u64,
    },
    /// The person does not belong to the workspace with the role that the step was decided for.
    NotFound,
    /// A workspace without an organisation always has an owner; this one is the last.
    LastOwner,
}

/// A store of the authority. Each method is one atomic step: it happens whole or not at all, it is
/// durable when it answers, and its audit record is part of it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Whether other nodes may change what is kept here.
    fn sharing(&self) -> Sharing;

    /// What was fixed at the first start; fixes it now if this is the first.
    async fn found(&self, issuer: &str) -> Result<Authority, StoreError>;

    /// The end of the log.
    async fn head(&self) -> Result<Position, StoreError>;

    /// At most `limit` entries of the log that come after this number, in order.
    async fn entries_after(&self, seq: u64, limit: u32) -> Result<Vec<Entry>, StoreError>;

    /// Appends to the log. An entry whose id the log has already is not appended again, so that a
    /// step with unknown outcome can be repeated.
    async fn append(&self, facts: Vec<(EntryId, Fact)>) -> Result<Position, StoreError>;

    /// Keeps a login and brings its operator up to date. Invitations for the operator's e-mail
    /// address become memberships in the same step.
    async fn open_session(&self, new: NewSession) -> Result<Session, StoreError>;

    /// The operator of an identity that was proven without a login; kept and brought up to date as
    /// by a login, invitations included. What the proof says nothing of stays as it was known.
    async fn operator(
        &self,
        identity: Identity,
        candidate: OperatorId,
        at: Timestamp,
    ) -> Result<Operator, StoreError>;

    /// Forgets logins, with one audit record each; answers how many there were.
    async fn end_sessions(&self, hashes: Vec<SessionHash>, act: Act) -> Result<u64, StoreError>;

    /// Writes down when sessions were last used. Unknown ones are passed over, and no time goes
    /// backwards.
    async fn touch_sessions(&self, used: Vec<(SessionHash, Timestamp)>) -> Result<(), StoreError>;

    /// The login of this hash, if it is kept: also one whose time is over and that was not forgotten.
    async fn session(&self, hash: SessionHash) -> Result<Option<Session>, StoreError>;

    /// The logins of an operator that have not ended at this time, the latest first.
    async fn sessions_of(
        &self,
        operator: &OperatorId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError>;

    /// Notes that a CI job's token was used, and forgets those that are not to be remembered at this
    /// time any more. Answers whether it was used for the first time.
    async fn use_job_token(&self, token: JobToken, now: Timestamp) -> Result<bool, StoreError>;

    /// The logins that have not ended at this time; forgets the others.
    async fn live_sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Creates a workspace that the operator owns, and its first token.
    async fn create_workspace(
        &self,
        new: NewWorkspace,
        first: NewToken,
        act: Act,
    ) -> Result<CreatedWorkspace, StoreError>;

    /// The live workspaces that an operator is a member of, by name.
    async fn workspaces(&self, operator: &OperatorId) -> Result<Vec<Member>, StoreError>;

    /// A live workspace, if the operator is a member of it.
    async fn workspace(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
    ) -> Result<Option<Member>, StoreError>;

    /// A live workspace, whoever asks: for callers whose right does not rest on a membership.
    async fn live_workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;

    /// The live workspaces that an organisation owns, by name.
    async fn workspaces_of(&self, organisation: &str) -> Result<Vec<Workspace>, StoreError>;

    /// Who belongs to a live workspace: members by role and time, then who is invited, by address.
    async fn members(&self, workspace: WorkspaceId) -> Result<Vec<Belonging>, StoreError>;

    /// Adds somebody to a live workspace. By e-mail address: the one operator who has it, else an
    /// invitation; a new invitation replaces the role of an earlier one.
    async fn add_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        role: Role,
        act: Act,
    ) -> Result<AddedMember, StoreError>;

    /// Changes the role of somebody who belongs to a live workspace and is `was` there: what the
    /// step was decided for still holds when it is taken.
    async fn change_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        role: Role,
        act: Act,
    ) -> Result<ChangedMember, StoreError>;

    /// Removes somebody who belongs to a live workspace and is `was` there. With `revoke`, all live
    /// tokens of the workspace that the person had issued are revoked by one entry of the log with
    /// this id, and their records say so.
    async fn remove_member(
        &self,
        workspace: WorkspaceId,
        who: PersonKey,
        was: Role,
        revoke: Option<EntryId>,
        act: Act,
    ) -> Result<ChangedMember, StoreError>;

    /// Changes a live workspace's description; answers whether there was one.
    async fn describe_workspace(
        &self,
        id: WorkspaceId,
        description: Option<String>,
        act: Act,
    ) -> Result<bool, StoreError>;

    /// When this operator deleted this workspace under this idempotency key, if so: for answering a
    /// repeated request, which finds the workspace gone.
    async fn deletion(
        &self,
        id: WorkspaceId,
        operator: &OperatorId,
        idempotency_key: &str,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Deletes a live workspace and revokes all its tokens by one entry of the log. A workspace that
    /// is not live is not found, whatever the key; the key is kept for [`Store::deletion`].
    async fn delete_workspace(
        &self,
        id: WorkspaceId,
        entry: EntryId,
        idempotency_key: Option<String>,
        act: Act,
    ) -> Result<DeletedWorkspace, StoreError>;

    /// Issues a token: decides its place and reads the log's head in the same transaction.
    async fn create_token(&self, new: NewToken, act: Act) -> Result<CreatedToken, StoreError>;

    /// A workspace's tokens, newest first.
    async fn tokens(
        &self,
        workspace: WorkspaceId,
        filter: TokenFilter,
        page: PageRequest,
    ) -> Result<TokenPage, StoreError>;

    /// One token of a workspace, with the e-mail address of who had it issued.
    async fn token(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<(TokenRecord, Option<String>)>, StoreError>;

    /// Revokes a token, for good. Always appends to the log.
    async fn revoke_token(
        &self,
        workspace: WorkspaceId,
        jti: Jti,
        entry: EntryId,
        reason: Option<String>,
        act: Act,
    ) -> Result<RevokedToken, StoreError>;

    /// Keeps receipts of revocations. Of two for the same token and entry, the first stays. Unknown
    /// tokens are passed over or kept in vain: nobody can ask for theirs.
    async fn keep_receipts(&self, receipts: Vec<KeptReceipt>) -> Result<(), StoreError>;

    /// The receipt of a token of a workspace: where it was revoked several times, that of the
    /// earliest entry for which there is one, because from then on it was in force.
    async fn receipt(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Option<String>, StoreError>;

    /// Where in the log the first entry is that revokes this token: alone, or with a scope or a key.
    async fn revocation_of(&self, token: &TokenRecord) -> Result<Option<Position>, StoreError>;

    /// The lists that tokens have or had their places in, by number.
    async fn lists(&self) -> Result<Vec<KnownList>, StoreError>;

    /// Which places of a list do not count: of tokens that were revoked alone, or with a scope or a key.
    async fn listed_places(&self, list: KnownList) -> Result<ListedPlaces, StoreError>;

    /// Issues a token and revokes the one that it replaces.
    async fn refresh_token(
        &self,
        old: Jti,
        new: NewToken,
        act: Act,
    ) -> Result<RefreshedToken, StoreError>;

    /// Registers a verifier. A name is given once among those that are registered.
    async fn add_verifier(&self, new: NewVerifier, act: Act) -> Result<AddedVerifier, StoreError>;

    /// The verifiers that are registered, by name.
    async fn verifiers(&self) -> Result<Vec<Verifier>, StoreError>;

    /// The verifier that is registered with this credential.
    async fn verifier(&self, hash: CredentialHash) -> Result<Option<Verifier>, StoreError>;

    /// Removes a verifier from the register; answers whether there was one. Its name is free then.
    async fn remove_verifier(&self, name: VerifierName, act: Act) -> Result<bool, StoreError>;

    /// Writes down when verifiers last connected, and with which version of their program. Those that
    /// are not registered are passed over, and no time goes backwards.
    async fn touch_verifiers(
        &self,
        connected: Vec<(VerifierId, Timestamp, String)>,
    ) -> Result<(), StoreError>;

    /// Registers a client of the OAuth endpoints. A name is given once among those that are registered.
    async fn add_client(&self, new: NewClient, act: Act) -> Result<AddedClient, StoreError>;

    /// The clients that are registered, by name.
    async fn clients(&self) -> Result<Vec<Client>, StoreError>;

    /// The client that is registered with this secret.
    async fn client(&self, hash: CredentialHash) -> Result<Option<Client>, StoreError>;

    /// Removes a client from the register; answers whether there was one. Its name is free then.
    async fn remove_client(&self, name: ClientName, act: Act) -> Result<bool, StoreError>;

    /// A node begins a life: its row and the log's entry. Answers the entry's number. An error while
    /// another of its lives is granted renewals.
    async fn join(&self, new: NewNode, entry: EntryId) -> Result<u64, StoreError>;

    /// Renews a node's lease, by a durable write that a database which was replaced cannot make. Waits
    /// for no other step.
    async fn renew(&self, renewal: Renewal) -> Result<Renewed, StoreError>;

    /// Refuses a node's renewals from now on. Answers the number of the log's entry; nothing where the
    /// node was not active any more.
    async fn fence(
        &self,
        member: protocol::Member,
        proof: ProofOfDeath,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError>;

    /// Ends a node's life. Answers the number of the log's entry; nothing where the node was not what
    /// this end begins with: active where it leaves by itself, fenced where it ran out.
    async fn gone(
        &self,
        member: protocol::Member,
        end: End,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError>;

    /// The nodes that are not gone, by number.
    async fn nodes(&self) -> Result<Vec<KnownNode>, StoreError>;

    /// Keeps a signing key, and tells the log of it. What it is to be is decided in the same step: of
    /// several nodes that bring a first key, or a next one, one has it kept.
    async fn add_key(&self, new: NewKey, act: Act) -> Result<AddedKey, StoreError>;

    /// The signing keys, in the order in which the log brought them.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Has the announced key sign, and retires the one that signed; answers whether it was announced.
    async fn activate_key(&self, kid: &KeyId, act: Act) -> Result<bool, StoreError>;

    /// Retires a key that was announced: it will not sign.
    async fn retire_key(&self, kid: &KeyId, act: Act) -> Result<RetiredKey, StoreError>;

    /// Revokes a key, for good, and with it all tokens that it signed; their records say so. Its
    /// private half is forgotten. If it was the one that signs, the announced one does from now on,
    /// and where there is none, the successor. Always appends to the log.
    async fn revoke_key(
        &self,
        kid: &KeyId,
        entry: EntryId,
        successor: NewKey,
        act: Act,
    ) -> Result<RevokedKey, StoreError>;

    /// Adds what was counted of uses and of attempts with revoked tokens.
    async fn count(&self, uses: Vec<UseDelta>, denials: Vec<Denial>) -> Result<(), StoreError>;

    /// A page of the audit log.
    async fn audit(&self, query: AuditQuery) -> Result<AuditPage, StoreError>;

    /// Attempts with revoked tokens, the latest first, at most `limit`.
    async fn denials(
        &self,
        visible: Visibility,
        jti: Option<Jti>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Denial>, StoreError>;

    /// Finishes what was accepted and closes the database. Later calls answer
    /// [`StoreError::Stopped`].
    async fn close(&self);
}
