//! What the tests stand on: stores to try a rule on, and requests to make.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nt_postgres_testing::Cluster;
use nt_revocation::Entry;
use nt_store::{
    Act, CreatedToken, CreatedWorkspace, Follower, Gate, Identity, MemoryStore, NewSession,
    NewToken, NewWorkspace, Operator, PostgresOptions, PostgresStore, Right, SessionHash,
    SessionId, SqliteOptions, SqliteStore, Store, StoreError, Workspace,
};
use nt_token::{
    EntryId, Expiry, Jti, KeyId, Networks, OperatorId, Scopes, Timestamp, TokenRecord, WorkspaceId,
};
use tempfile::TempDir;

/// When the tests begin.
pub(crate) const T0: Timestamp = Timestamp::from_unix(1_800_000_000);

/// Runs a rule on a store in memory, on one in SQLite and on one in PostgreSQL.
pub(crate) async fn on_each(rule: impl AsyncFn(World)) {
    let (follower, told) = follower();
    rule(World::new(Arc::new(MemoryStore::new(follower)), told, None)).await;
    let directory = tempfile::tempdir().expect("a directory");
    rule(World::sqlite(directory)).await;
    rule(World::postgres()).await;
}

/// A store, what its follower was told, and a source of fresh identifiers.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) followed: Followed,
    pub(crate) ids: Ids,
    files: Option<TempDir>,
}

pub(crate) type Followed = Arc<Mutex<Vec<Entry>>>;

impl World {
    fn new(store: Arc<dyn Store>, followed: Followed, directory: Option<TempDir>) -> Self {
        Self { store, followed, ids: Ids::default(), files: directory }
    }

    /// A fresh store on SQLite.
    pub(crate) fn sqlite(directory: TempDir) -> Self {
        let (store, followed) = open_following(directory.path()).expect("opens");
        Self::new(Arc::new(store), followed, Some(directory))
    }

    /// A fresh store on PostgreSQL.
    pub(crate) fn postgres() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = fresh_database();
        let (follower, told) = follower();
        let store = PostgresStore::open(postgres_options(&url, directory.path()), follower);
        Self::new(Arc::new(store.expect("opens")), told, Some(directory))
    }

    /// Where a store on SQLite keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.files.as_ref().expect("a store with files").path()
    }

    /// A workspace of this operator, with its first token.
    pub(crate) async fn workspace(
        &self,
        owner: &OperatorId,
        name: &str,
    ) -> (Workspace, TokenRecord) {
        let (new, first) = self.ids.workspace(name);
        match self.store.create_workspace(new, first, act(owner, 0)).await {
            Ok(CreatedWorkspace::New(workspace, token)) => (workspace, token),
            other => panic!("no workspace: {other:?}"),
        }
    }

    /// An operator of this number, who signs in with this address as the tests begin.
    pub(crate) async fn sign_in(&self, number: u8, email: Option<&str>) -> Operator {
        let identity = identity(&number.to_string(), email);
        let new = self.ids.session(identity, operator(number), 0);
        self.store.open_session(new).await.expect("opened").operator
    }

    /// Another token of a workspace.
    pub(crate) async fn token(&self, workspace: WorkspaceId, act: Act) -> TokenRecord {
        match self.store.create_token(self.ids.token(workspace), act).await {
            Ok(CreatedToken::New(token)) => token,
            other => panic!("no token: {other:?}"),
        }
    }

    /// What the follower was told so far.
    pub(crate) fn followed(&self) -> Vec<Entry> {
        self.followed.lock().expect("no panic").clone()
    }
}

/// An empty database of the cluster that all tests share.
pub(crate) fn fresh_database() -> String {
    Cluster::shared().and_then(Cluster::database).expect("a database")
}

/// How a store on a throw-away database is opened.
pub(crate) fn postgres_options(url: &str, directory: &Path) -> PostgresOptions {
    let mut options = PostgresOptions::new(url, &directory.join("journal")).expect("a URL");
    options.gate = Gate::AllowLoss;
    options
}

/// A follower that remembers.
pub(crate) fn follower() -> (Follower, Followed) {
    let told = Followed::default();
    let sink = Arc::clone(&told);
    let follower = move |entries: &[Entry]| {
        sink.lock().expect("no panic").extend_from_slice(entries);
    };
    (Box::new(follower), told)
}

/// Where a SQLite store in this directory keeps its files.
pub(crate) fn options(directory: &Path) -> SqliteOptions {
    SqliteOptions { database: database(directory), high_water: high_water(directory) }
}

pub(crate) fn database(directory: &Path) -> PathBuf {
    directory.join("ntd.sqlite3")
}

pub(crate) fn high_water(directory: &Path) -> PathBuf {
    directory.join("high-water")
}

/// Opens a SQLite store in this directory.
pub(crate) fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    open_following(directory).map(|(store, _)| store)
}

fn open_following(directory: &Path) -> Result<(SqliteStore, Followed), StoreError> {
    let (follower, told) = follower();
    Ok((SqliteStore::open(options(directory), follower)?, told))
}

/// Someone's step, some seconds after the tests begin.
pub(crate) fn act(operator: &OperatorId, after: i64) -> Act {
    let from = Some(std::net::IpAddr::from([192, 0, 2, 7]));
    Act { operator: operator.clone(), at: T0.plus_seconds(after), from, note: None }
}

/// An operator, by number.
pub(crate) fn operator(number: u8) -> OperatorId {
    OperatorId::mint(1, [number; 10])
}

/// A person at the identity provider.
pub(crate) fn identity(subject: &str, email: Option<&str>) -> Identity {
    Identity {
        issuer: "https://id.example".to_owned(),
        subject: subject.to_owned(),
        email: email.map(str::to_owned),
        name: None,
    }
}

/// Fresh identifiers and requests; each is different from all before.
#[derive(Debug, Default)]
pub(crate) struct Ids(AtomicU64);

impl Ids {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn entry(&self) -> EntryId {
        EntryId((u128::from(self.next()) + 1).to_be_bytes())
    }

    pub(crate) fn jti(&self) -> Jti {
        Jti::mint(self.next(), [3; 10])
    }

    pub(crate) fn workspace_id(&self) -> WorkspaceId {
        WorkspaceId::mint(u128::from(self.next()).to_be_bytes())
    }

    /// A workspace to be made, and its first token.
    pub(crate) fn workspace(&self, name: &str) -> (NewWorkspace, NewToken) {
        let id = self.workspace_id();
        let new = NewWorkspace {
            id,
            name: name.to_owned(),
            description: Some("for tests".to_owned()),
            idempotency_key: None,
            organisation: None,
        };
        (new, self.token(id))
    }

    /// A token to be made that lives for a year.
    pub(crate) fn token(&self, workspace: WorkspaceId) -> NewToken {
        NewToken {
            jti: self.jti(),
            workspace,
            right: Right::Unrecorded,
            expiry: Expiry::At(T0.plus_seconds(31_536_000)),
            scope: Scopes::default(),
            source_networks: Networks::default(),
            description: Some("a token".to_owned()),
            kid: kid(),
            audience: "https://api.example".to_owned(),
            idempotency_key: None,
            entry: self.entry(),
            request_digest: [1; 32],
        }
    }

    /// A login of an hour.
    pub(crate) fn session(
        &self,
        identity: Identity,
        operator: OperatorId,
        after: i64,
    ) -> NewSession {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.next().to_be_bytes());
        let at = T0.plus_seconds(after);
        let expires_at = at.plus_seconds(3_600);
        NewSession {
            identity,
            operator,
            id: SessionId::mint(self.next(), [5; 10]),
            hash: SessionHash(hash),
            at,
            expires_at,
            from: None,
            client: None,
            organisation: None,
            grant: None,
        }
    }
}

pub(crate) fn kid() -> KeyId {
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse().expect("a kid")
}

/// A node that begins its life.
pub(crate) fn new_node() -> nt_store::NewNode {
    use nt_revocation::protocol::{Incarnation, Member, NodeId};
    nt_store::NewNode {
        member: Member { node: NodeId(7), incarnation: Incarnation(u64::MAX) },
        address: "https://one.example".to_owned(),
        home: nt_store::Home([7; 16]),
        version: "1.0.0".to_owned(),
        at: T0,
    }
}
