//! The rules, on a real database and a clock that the tests move.

mod nodes;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nt_api::auth::TokenExchange;
use nt_api::members::{AddMember, ChangeMember, MemberStatus, RemoveMember, RoleName};
use nt_api::tokens::{CreateToken, ListTokens, StatusFilter, TokenCreated};
use nt_api::workspaces::{CreateWorkspace, WorkspaceCreated};
use nt_identity::trust::TrustedIssuers;
use nt_revocation::Position;
use nt_revocation::receipt::{self, Proven};
use nt_store::{
    CreatedToken, Grant, Identity, NewSession, Organisation, RevokedToken, Role, SessionId,
    SharedMemory, SqliteOptions, SqliteStore, Store,
};
use nt_token::clock::{Clock as _, ManualClock};
use nt_token::{Jti, Lifetime, OperatorId, Refusal as TokenRefusal, Timestamp, WorkspaceId};

use super::access::Action;
use super::entropy::{entry_id, random, session_hash, session_secret};
use super::error::{Error, Refusal};
use super::feed::Admission;
use super::follow::Following;
use super::seen::Last;
use super::sign_in::Origin;
use super::start::{Start, StartError};
use super::{Authority, Binding, Caller, Demand, NotAccepted, Policy, Source, Unmet};
use crate::data_dir::DataDir;
use crate::key_secret::KeySecretSource;
use crate::tls::clients::CertificateDemand;

pub(super) struct World {
    pub(super) authority: Authority,
    pub(super) clock: Arc<ManualClock>,
    dir: tempfile::TempDir,
    pub(super) lock: DataDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
        Self::start(dir, clock).await
    }

    async fn start(dir: tempfile::TempDir, clock: Arc<ManualClock>) -> Self {
        let started = Self::try_start(&dir, &clock).await;
        let (authority, lock) = started.expect("a new authority");
        Self { authority, clock, dir, lock }
    }

    pub(super) async fn try_start(
        dir: &tempfile::TempDir,
        clock: &Arc<ManualClock>,
    ) -> Result<(Authority, DataDir), StartError> {
        let data_dir = DataDir::create(&dir.path().join("data")).expect("a new directory");
        let following = Following::new(clock.clone());
        let options =
            SqliteOptions { database: data_dir.database(), high_water: data_dir.high_water() };
        let store = SqliteStore::open(options, following.follower())?;
        let secret = KeySecretSource::DataDir(dir.path().join("data"));
        let authority = begin(&data_dir, Arc::new(store), following, secret, clock).await?;
        Ok((authority, data_dir))
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What is left when it has stopped.
    pub(super) async fn stopped(self) -> (tempfile::TempDir, Arc<ManualClock>) {
        let Self { authority, clock, dir, .. } = self;
        authority.close().await;
        (dir, clock)
    }

    /// A node whose store others share; all nodes have the same key secret.
    pub(super) async fn node(
        memory: &SharedMemory,
        clock: &Arc<ManualClock>,
        key: Option<&Self>,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let lock = DataDir::create(&dir.path().join("data")).expect("a new directory");
        let secret = key.map_or_else(|| dir.path().join("data"), Self::data_dir);
        let secret = KeySecretSource::DataDir(secret);
        let following = Following::new(clock.clone());
        let store = memory.store(following.follower());
        let authority = begin(&lock, Arc::new(store), following, secret, clock).await;
        let authority = authority.expect("a new authority");
        Self { authority, clock: Arc::clone(clock), dir, lock }
    }

    pub(super) async fn restart(self) -> Self {
        let Self { authority, clock, dir, lock } = self;
        authority.close().await;
        drop(lock);
        Self::start(dir, clock).await
    }

    /// An operator with a session, as a sign-in would leave one.
    pub(super) async fn operator(&self, email: &str) -> (Caller, String) {
        self.admitted(email, None, None).await
    }

    /// The same, acting for an organisation, or limited as a CI job is.
    pub(super) async fn admitted(
        &self,
        email: &str,
        organisation: Option<Organisation>,
        grant: Option<Grant>,
    ) -> (Caller, String) {
        admitted(&self.authority, email, organisation, grant).await
    }

    pub(super) async fn workspace(&self, caller: &Caller, name: &str) -> WorkspaceCreated {
        let request = named(name);
        self.authority.create_workspace(caller, request, None).await.expect("a free name")
    }

    pub(super) async fn token(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        seconds: i64,
    ) -> TokenCreated {
        let request = CreateToken { expires_in: Some(seconds), ..CreateToken::default() };
        self.authority.issue(caller, workspace, request, None).await.expect("an owner may")
    }

    pub(super) fn verdict(&self, token: &str) -> Result<(), NotAccepted> {
        self.authority.verify(token, &Demand::NOTHING).map(drop)
    }
}

async fn begin(
    data_dir: &DataDir,
    store: Arc<dyn Store>,
    following: Following,
    key_secret: KeySecretSource,
    clock: &Arc<ManualClock>,
) -> Result<Authority, StartError> {
    let start = Start {
        store,
        following,
        node: None,
        granted: data_dir.granted(),
        admission: Admission::Registered,
        client_certificate: CertificateDemand::Nothing,
        key_secret,
        keys: data_dir.keys(),
        issuer: "http://127.0.0.1:8480".to_owned(),
        audience: None,
        policy: Policy {
            longest_token: Lifetime::TEN_YEARS,
            session: Lifetime::from_seconds(3_600).expect("an hour"),
            session_idle: Lifetime::from_seconds(600).expect("ten minutes"),
            job_session: Lifetime::from_seconds(900).expect("a quarter of an hour"),
            admins: vec!["admin@example.com".to_owned()],
            canary_each: None,
        },
        clock: clock.clone(),
        provider: None,
        trusted: TrustedIssuers::new(Vec::new()).expect("no rules"),
    };
    Authority::start(start).await
}

/// An operator with a session at this authority, as a sign-in would leave one.
pub(super) async fn admitted(
    authority: &Authority,
    email: &str,
    organisation: Option<Organisation>,
    grant: Option<Grant>,
) -> (Caller, String) {
    let now = authority.clock.now();
    let secret = session_secret().expect("entropy");
    let new = NewSession {
        identity: Identity {
            issuer: "test".to_owned(),
            subject: email.to_owned(),
            email: Some(email.to_owned()),
            name: None,
        },
        operator: OperatorId::mint(authority.clock.wall_ms(), random().expect("entropy")),
        id: SessionId::mint(authority.clock.wall_ms(), random().expect("entropy")),
        hash: session_hash(secret.expose()),
        at: now,
        expires_at: now.plus_seconds(3_600),
        from: None,
        client: Some("test".to_owned()),
        organisation,
        grant,
    };
    let session = authority.store.open_session(new).await.expect("a working store");
    let session = authority.sessions.add(session);
    (Caller::with_session(session, None), secret.expose().to_owned())
}

fn asked(answer: Result<Caller, Error>) -> Result<(), Refusal> {
    match answer {
        Ok(_) => Ok(()),
        Err(Error::Refused(refusal)) => Err(refusal),
        Err(Error::Failed(error)) => panic!("the store failed: {error}"),
    }
}

pub(super) fn named(name: &str) -> CreateWorkspace {
    CreateWorkspace { name: name.to_owned(), description: None, organisation: false }
}

pub(super) fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> Refusal {
    match answer {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_good_until_it_is_revoked_and_never_again() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await;
    let token = workspace.access_token.expose();
    assert_eq!(world.verdict(token), Ok(()));
    let revoked =
        world.authority.revoke(&owner, workspace.workspace_id, workspace.jti.clone(), None, None);
    assert!(!revoked.await.expect("an owner may").already_revoked);
    assert_eq!(world.verdict(token), Err(NotAccepted::Revoked));

    let token = token.to_owned();
    let world = world.restart().await;
    assert_eq!(world.verdict(&token), Err(NotAccepted::Revoked), "after a restart");
}

#[tokio::test]
async fn revoking_again_keeps_the_first_time_and_appends_to_the_log_all_the_same() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    let revoke = || world.authority.revoke(&owner, workspace_id, jti.clone(), None, None);
    let first = revoke().await.expect("an owner may");
    let head = world.authority.set.applied();
    world.clock.advance(Duration::from_mins(1));
    let second = revoke().await.expect("an owner may");
    assert!(second.already_revoked);
    assert_eq!(second.revoked_at, first.revoked_at);
    assert_eq!(world.authority.set.applied(), head + 1);
}

#[tokio::test]
async fn a_revoke_answers_with_a_receipt_that_is_shown_from_then_on() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    let revoked = world.authority.revoke(&owner, workspace_id, jti.clone(), None, None).await;
    let text = revoked.expect("an owner may").receipt.expect("a receipt");
    let stated = receipt::verify(&text, world.authority.keyring().checking()).expect("ours");
    let head = world.authority.store.head().await.expect("answers");
    assert_eq!((&stated.jti, stated.workspace_id, stated.position), (&jti, workspace_id, head));
    assert_eq!((stated.proven, stated.nodes), (Proven::Acked, 1));
    let waited = stated.waited_ms.expect("it was waited for");
    assert_eq!(stated.in_force_at_ms, world.clock.wall_ms() + waited);
    assert_eq!(world.verdict(&text), Err(NotAccepted::Refused(TokenRefusal::Type)), "no token");

    let shown = async |world: &World| {
        world.authority.receipt(&owner, workspace_id, jti.clone()).await.expect("it is revoked")
    };
    assert_eq!(shown(&world).await.receipt, text, "before it is written down");
    world.authority.write_counts().await;
    world.clock.advance(Duration::from_mins(1));
    let again = world.authority.revoke(&owner, workspace_id, jti.clone(), None, None).await;
    assert_eq!(
        again.expect("an owner may").receipt.as_ref(),
        Some(&text),
        "it is in force since then"
    );
    assert_eq!(shown(&world).await.receipt, text, "the first proof stays");
    let world = world.restart().await;
    let after = shown(&world).await;
    assert_eq!((after.receipt, after.position.seq), (text, head.seq));
}

#[tokio::test]
async fn a_receipt_says_how_long_was_waited_whatever_the_wall_clock_did() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    let stored = &world.authority.store;
    let (entry, act) = (entry_id().expect("entropy"), world.authority.act(&owner));
    let revoked = stored.revoke_token(workspace_id, jti, entry, None, act).await;
    let Ok(RevokedToken::Revoked { token, seq, .. }) = revoked else { panic!("{revoked:?}") };
    let position = Position { epoch: world.authority.epochs.of(seq), seq, entry };
    let committed = world.authority.commits.of(seq);
    assert!(committed.is_some());
    world.clock.advance(Duration::from_hours(1));
    let stated = |seq, committed| {
        // The first that is stated of an entry counts.
        let position = Position { seq, ..position };
        let text = world.authority.receipt_now(&token, position, committed).expect("a key signs");
        receipt::read_unverified(&text).expect("a receipt")
    };
    let waited = stated(seq, committed).waited_ms.expect("it is known");
    assert!(waited < 60_000, "{waited} ms");
    assert_eq!(stated(seq + 1, None).waited_ms, None, "it is not known any more");
}

#[tokio::test]
async fn a_receipt_that_is_written_when_the_authority_stops_is_not_lost() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    let revoked = world.authority.revoke(&owner, workspace_id, jti.clone(), None, None).await;
    let text = revoked.expect("an owner may").receipt;
    let world = world.restart().await;
    let shown = world.authority.receipt(&owner, workspace_id, jti).await.expect("it is revoked");
    assert_eq!(Some(shown.receipt), text);
}

#[tokio::test]
async fn a_revocation_without_a_receipt_is_stated_again_as_in_force_now() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    // A replaced token is revoked without a receipt, as one is whose receipt a crash took.
    let replaced =
        world.authority.refresh(&owner, workspace_id, jti.clone(), CreateToken::default(), None);
    replaced.await.expect("an owner may");
    let committed = world.clock.wall_ms();
    let head = world.authority.store.head().await.expect("answers");
    world.clock.advance(Duration::from_mins(1));
    let ask = || world.authority.receipt(&owner, workspace_id, jti.clone());
    let shown = ask().await.expect("it is revoked");
    let position = (shown.position.seq, shown.position.entry_id.clone());
    assert_eq!(position, (head.seq, head.entry.to_string()));
    assert_eq!((shown.waited_ms, shown.committed_at_ms), (None, committed));
    assert_eq!(shown.in_force_at_ms, world.clock.wall_ms());
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(ask().await.expect("it is revoked"), shown, "stated once");
}

#[tokio::test]
async fn a_receipt_is_shown_to_whoever_sees_the_token_and_only_of_a_revoked_one() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (outsider, _) = world.operator("outsider@example.com").await;
    let WorkspaceCreated { workspace_id, jti, .. } = world.workspace(&owner, "production").await;
    let ask = |caller, jti| world.authority.receipt(caller, workspace_id, jti);
    assert_eq!(refusal(ask(&owner, jti.clone()).await), Refusal::NotRevoked(jti.clone()));
    let unknown: Jti = "jti_unknown".parse().expect("a JTI");
    assert_eq!(refusal(ask(&owner, unknown.clone()).await), Refusal::NoToken(unknown));
    let revoked = world.authority.revoke(&owner, workspace_id, jti.clone(), None, None).await;
    revoked.expect("an owner may");
    assert_eq!(refusal(ask(&outsider, jti.clone()).await), Refusal::NoWorkspace);
    assert!(ask(&owner, jti).await.is_ok());
}

#[tokio::test]
async fn an_expired_token_is_refused_as_expired_and_can_still_be_revoked() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await.workspace_id;
    let token = world.token(&owner, workspace, 60).await;
    assert_eq!(world.verdict(token.access_token.expose()), Ok(()));
    world.clock.advance(Duration::from_secs(66));
    let verdict = world.verdict(token.access_token.expose());
    assert_eq!(verdict, Err(NotAccepted::Refused(TokenRefusal::Expired)));
    let list = |status| ListTokens { status, ..ListTokens::default() };
    let listed = world.authority.list(&owner, workspace, list(StatusFilter::Expired)).await;
    assert_eq!(listed.expect("an owner may").tokens[0].jti, token.jti);
    world.authority.revoke(&owner, workspace, token.jti, None, None).await.expect("an owner may");
    let verdict = world.verdict(token.access_token.expose());
    assert_eq!(verdict, Err(NotAccepted::Revoked), "revoked wins over expired");
}

#[tokio::test]
async fn deleting_a_workspace_revokes_all_its_tokens_and_no_others() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let doomed = world.workspace(&owner, "doomed").await;
    let second = world.token(&owner, doomed.workspace_id, 3_600).await;
    let other = world.workspace(&owner, "other").await;
    let deleted = world.authority.delete_workspace(&owner, doomed.workspace_id, None).await;
    assert_eq!(deleted.expect("an owner may").status, "deleted");
    for token in [&doomed.access_token, &second.access_token] {
        assert_eq!(world.verdict(token.expose()), Err(NotAccepted::Revoked));
    }
    assert_eq!(world.verdict(other.access_token.expose()), Ok(()));
    let again = world.workspace(&owner, "doomed").await;
    assert_eq!(world.verdict(again.access_token.expose()), Ok(()), "the name is free again");
}

#[tokio::test]
async fn a_deletion_is_repeated_only_by_who_made_it_and_with_its_key() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (outsider, _) = world.operator("outsider@example.com").await;
    let doomed = world.workspace(&owner, "doomed").await.workspace_id;
    let key = || Some("one-key".to_owned());
    let delete = |caller, key| world.authority.delete_workspace(caller, doomed, key);
    assert_eq!(refusal(delete(&outsider, key()).await), Refusal::NoWorkspace, "while it lives");
    assert!(world.authority.workspace(&owner, doomed).await.is_ok(), "and it lives on");
    let first = delete(&owner, key()).await.expect("an owner may");
    let second = delete(&owner, key()).await.expect("the same request again");
    assert_eq!(second.deleted_at, first.deleted_at);
    assert_eq!(refusal(delete(&owner, None).await), Refusal::NoWorkspace);
    assert_eq!(refusal(delete(&outsider, key()).await), Refusal::NoWorkspace);
}

#[tokio::test]
async fn whoever_is_no_member_cannot_tell_a_workspace_from_none() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (outsider, _) = world.operator("outsider@example.com").await;
    let WorkspaceCreated { workspace_id, jti, access_token, .. } =
        world.workspace(&owner, "production").await;
    for id in [workspace_id, WorkspaceId::mint([0; 16])] {
        let authority = &world.authority;
        let create = authority.issue(&outsider, id, CreateToken::default(), None).await;
        assert_eq!(refusal(create), Refusal::NoWorkspace);
        let list = authority.list(&outsider, id, ListTokens::default()).await;
        assert_eq!(refusal(list), Refusal::NoWorkspace);
        assert_eq!(refusal(authority.show(&outsider, id, jti.clone()).await), Refusal::NoWorkspace);
        let revoke = authority.revoke(&outsider, id, jti.clone(), None, None).await;
        assert_eq!(refusal(revoke), Refusal::NoWorkspace);
        let refresh = authority.refresh(&outsider, id, jti.clone(), CreateToken::default(), None);
        assert_eq!(refusal(refresh.await), Refusal::NoWorkspace);
        assert_eq!(refusal(authority.workspace(&outsider, id).await), Refusal::NoWorkspace);
        let delete = authority.delete_workspace(&outsider, id, None).await;
        assert_eq!(refusal(delete), Refusal::NoWorkspace);
    }
    assert_eq!(world.verdict(access_token.expose()), Ok(()), "nothing was revoked");
}

#[tokio::test]
async fn a_token_of_one_workspace_is_not_found_in_another_of_the_same_owner() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let one = world.workspace(&owner, "one").await;
    let two = world.workspace(&owner, "two").await;
    let revoke =
        world.authority.revoke(&owner, two.workspace_id, one.jti.clone(), None, None).await;
    assert_eq!(refusal(revoke), Refusal::NoToken(one.jti));
    assert_eq!(world.verdict(one.access_token.expose()), Ok(()));
}

#[tokio::test]
async fn a_workspace_token_is_never_an_operator_whatever_its_standing() {
    let world = World::new().await;
    let (owner, secret) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await;
    let token = workspace.access_token.expose();
    let bare = token.strip_prefix("wst_").expect("has the prefix");
    let caller = async |credential| asked(world.authority.caller(credential, None).await);
    assert_eq!(caller(Some(secret.as_str())).await, Ok(()));
    let tokens = [token, bare, "wst_rubbish"];
    for token in tokens {
        assert_eq!(caller(Some(token)).await, Err(Refusal::OperatorNeeded));
    }
    world
        .authority
        .revoke(&owner, workspace.workspace_id, workspace.jti, None, None)
        .await
        .expect("may");
    for token in tokens {
        assert_eq!(caller(Some(token)).await, Err(Refusal::OperatorNeeded), "also when revoked");
    }
    for credential in [None, Some(""), Some("rubbish"), Some("nts_rubbish")] {
        assert_eq!(caller(credential).await, Err(Refusal::NotSignedIn), "{credential:?}");
    }
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over_and_when_its_owner_says_so() {
    let world = World::new().await;
    let (_, first) = world.operator("owner@example.com").await;
    let (owner, second) = world.operator("owner@example.com").await;
    world.authority.sign_out(&owner).await.expect("a working store");
    let caller = async |secret: &str| asked(world.authority.caller(Some(secret), None).await);
    assert_eq!(caller(&second).await, Err(Refusal::NotSignedIn), "signed out");
    assert_eq!(caller(&first).await, Ok(()), "another session of the same operator goes on");
    let world = world.restart().await;
    let caller = async |secret: &str| asked(world.authority.caller(Some(secret), None).await);
    assert_eq!(caller(&first).await, Ok(()), "a restart keeps sessions");
    assert_eq!(caller(&second).await, Err(Refusal::NotSignedIn), "and their end");
    for _ in 0..7 {
        world.clock.advance(Duration::from_secs(500));
        assert_eq!(caller(&first).await, Ok(()), "in use, it lasts");
    }
    world.clock.advance(Duration::from_secs(500));
    assert_eq!(caller(&first).await, Err(Refusal::SessionExpired), "but not for ever");
}

#[tokio::test]
async fn a_session_that_is_not_used_ends_also_across_a_restart() {
    let world = World::new().await;
    let (_, secret) = world.operator("owner@example.com").await;
    world.clock.advance(Duration::from_secs(500));
    assert_eq!(asked(world.authority.caller(Some(&secret), None).await), Ok(()));
    world.authority.write_counts().await;
    let world = world.restart().await;
    world.clock.advance(Duration::from_secs(500));
    let found = asked(world.authority.caller(Some(&secret), None).await);
    assert_eq!(found, Ok(()), "the use was written down");
    world.clock.advance(Duration::from_mins(10));
    let found = asked(world.authority.caller(Some(&secret), None).await);
    assert_eq!(found, Err(Refusal::SessionExpired));
}

#[tokio::test]
async fn somebody_sees_and_ends_their_own_sessions_and_nobody_elses() {
    let world = World::new().await;
    let (here, _) = world.operator("owner@example.com").await;
    let (_, elsewhere) = world.operator("owner@example.com").await;
    let (outsider, foreign) = world.operator("outsider@example.com").await;
    let listed = world.authority.sessions_of(&here).await.expect("answers");
    assert_eq!(listed.total, 2);
    assert_eq!(listed.sessions.iter().filter(|session| session.current).count(), 1);
    let mut theirs = world.authority.sessions_of(&outsider).await.expect("answers").sessions;
    let theirs = theirs.remove(0).id;
    let theirs = SessionId::parse(&theirs).expect("as written");
    assert_eq!(
        refusal(world.authority.end_sessions(&here, Some(theirs)).await),
        Refusal::NoSession
    );
    let ended = world.authority.end_sessions(&here, None).await.expect("one's own");
    assert_eq!(ended.count, 1);
    let found = async |secret: &str| asked(world.authority.caller(Some(secret), None).await);
    assert_eq!(found(&elsewhere).await, Err(Refusal::NotSignedIn));
    assert_eq!(found(&foreign).await, Ok(()));
}

#[tokio::test]
async fn a_role_lets_do_what_the_table_says_and_an_invitation_becomes_one() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await;
    let id = workspace.workspace_id;
    let invite = |email: &str, role| {
        let email = Some(email.to_owned());
        world.authority.add_member(&owner, id, AddMember { email, operator_id: None, role })
    };
    let invited = invite("Dev@Example.com", RoleName::Developer).await.expect("an owner may");
    assert_eq!(invited.status, MemberStatus::Invited);
    let (developer, _) = world.operator("dev@example.com").await;
    let own = world.token(&developer, id, 3_600).await;
    let revoke = |caller, jti: &Jti| world.authority.revoke(caller, id, jti.clone(), None, None);
    assert_eq!(refusal(revoke(&developer, &workspace.jti).await), Refusal::NotAllowed);
    revoke(&developer, &own.jti).await.expect("its own");
    let delete = world.authority.delete_workspace(&developer, id, None).await;
    assert_eq!(refusal(delete), Refusal::NotAllowed);
    invite("viewer@example.com", RoleName::Viewer).await.expect("an owner may");
    let (viewer, _) = world.operator("viewer@example.com").await;
    let list = world.authority.list(&viewer, id, ListTokens::default()).await;
    assert_eq!(list.expect("a viewer sees").count, 1);
    let issue = world.authority.issue(&viewer, id, CreateToken::default(), None).await;
    assert_eq!(refusal(issue), Refusal::NotAllowed);
}

#[tokio::test]
async fn only_owners_make_unmake_and_remove_owners_and_one_always_stays() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (admin, _) = world.operator("deputy@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    let add = |caller, email: &str, role| {
        let request = AddMember { email: Some(email.to_owned()), operator_id: None, role };
        world.authority.add_member(caller, id, request)
    };
    add(&owner, "deputy@example.com", RoleName::Admin).await.expect("an owner may");
    assert_eq!(refusal(add(&admin, "x@example.com", RoleName::Owner).await), Refusal::NotAllowed);
    let change = |caller, who: &'static str, role| {
        world.authority.change_member(caller, id, who, ChangeMember { role })
    };
    let lower = change(&admin, "owner@example.com", RoleName::Viewer).await;
    assert_eq!(refusal(lower), Refusal::NotAllowed);
    let rise = change(&admin, "deputy@example.com", RoleName::Owner).await;
    assert_eq!(refusal(rise), Refusal::NotAllowed);
    let remove = |caller, who: &'static str| {
        world.authority.remove_member(caller, id, who, RemoveMember::default())
    };
    assert_eq!(refusal(remove(&admin, "owner@example.com").await), Refusal::NotAllowed);
    assert_eq!(refusal(remove(&owner, "owner@example.com").await), Refusal::LastOwner);
    change(&owner, "deputy@example.com", RoleName::Owner).await.expect("an owner may");
    remove(&owner, "owner@example.com").await.expect("another owner stays");
    assert_eq!(refusal(world.authority.workspace(&owner, id).await), Refusal::NoWorkspace);
}

#[tokio::test]
async fn removing_a_member_can_revoke_what_they_had_issued_there_and_nothing_else() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (developer, _) = world.operator("dev@example.com").await;
    let created = world.workspace(&owner, "production").await;
    let id = created.workspace_id;
    let elsewhere = world.workspace(&developer, "own").await;
    let email = Some("dev@example.com".to_owned());
    let request = AddMember { email, operator_id: None, role: RoleName::Developer };
    world.authority.add_member(&owner, id, request).await.expect("an owner may");
    let theirs = world.token(&developer, id, 3_600).await;
    let request = RemoveMember { revoke_their_tokens: true };
    let removed = world.authority.remove_member(&owner, id, "dev@example.com", request).await;
    assert_eq!(removed.expect("an owner may").revoked_tokens, 1);
    assert_eq!(world.verdict(theirs.access_token.expose()), Err(NotAccepted::Revoked));
    for token in [&created.access_token, &elsewhere.access_token] {
        assert_eq!(world.verdict(token.expose()), Ok(()));
    }
    let shown = world.authority.show(&owner, id, theirs.jti).await.expect("an owner may");
    assert_eq!(shown.status, nt_token::TokenStatus::Revoked);
}

#[tokio::test]
async fn what_was_decided_before_a_removal_makes_no_token_after_it() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (developer, _) = world.operator("dev@example.com").await;
    let id = world.workspace(&owner, "production").await.workspace_id;
    let (email, operator_id) = (Some("dev@example.com".to_owned()), None);
    let request = AddMember { email, operator_id, role: RoleName::Developer };
    world.authority.add_member(&owner, id, request).await.expect("an owner may");
    let standing = world.authority.permitted(&developer, id, Action::Issue).await;
    let right = standing.expect("a developer may").right(Action::Issue);
    let request = RemoveMember { revoke_their_tokens: true };
    let removed = world.authority.remove_member(&owner, id, "dev@example.com", request).await;
    removed.expect("an owner may");
    let kid = world.authority.signing_kid().await.expect("a key");
    let new = world.authority.new_token(id, right, kid, CreateToken::default(), None);
    let new = new.expect("valid");
    let late = world.authority.store.create_token(new, world.authority.act(&developer)).await;
    assert_eq!(late.expect("answers"), CreatedToken::NotAllowed);
}

#[tokio::test]
async fn an_organisation_owns_workspaces_that_its_admins_administer() {
    let world = World::new().await;
    let organisation =
        |role: &str| Some(Organisation { id: "org_1".to_owned(), role: Some(role.to_owned()) });
    let (admin, _) = world.admitted("a@example.com", organisation("org:admin"), None).await;
    let (second, _) = world.admitted("b@example.com", organisation("org:admin"), None).await;
    let (member, _) = world.admitted("c@example.com", organisation("org:member"), None).await;
    let (outsider, _) = world.operator("outsider@example.com").await;
    let request = CreateWorkspace { organisation: true, ..named("shared") };
    let none = world.authority.create_workspace(&outsider, request.clone(), None).await;
    assert!(matches!(refusal(none), Refusal::Invalid { field: "organisation", .. }));
    let created = world.authority.create_workspace(&admin, request, None).await.expect("an admin");
    let id = created.workspace_id;
    world.token(&second, id, 60).await;
    let revoke = world.authority.revoke(&second, id, created.jti, None, None).await;
    revoke.expect("an admin of the organisation may");
    assert_eq!(
        world.authority.workspaces(&member).await.expect("may").workspaces[0].role,
        "viewer"
    );
    let issue = world.authority.issue(&member, id, CreateToken::default(), None).await;
    assert_eq!(refusal(issue), Refusal::NotAllowed);
    assert_eq!(refusal(world.authority.workspace(&outsider, id).await), Refusal::NoWorkspace);
}

#[tokio::test]
async fn a_ci_job_is_limited_to_its_workspace_and_revokes_only_where_its_rule_says_so() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let created = world.workspace(&owner, "production").await;
    let other = world.workspace(&owner, "other").await.workspace_id;
    let workspace = created.workspace_id;
    let grant = |may_revoke| Some(Grant { workspace, role: Role::Admin, may_revoke });
    let (careful, _) = world.admitted("job-1", None, grant(false)).await;
    let (bold, _) = world.admitted("job-2", None, grant(true)).await;
    world.token(&careful, workspace, 60).await;
    let revoke =
        |caller| world.authority.revoke(caller, workspace, created.jti.clone(), None, None);
    assert_eq!(refusal(revoke(&careful).await), Refusal::NotAllowed);
    revoke(&bold).await.expect("its rule says so");
    let elsewhere = world.authority.issue(&bold, other, CreateToken::default(), None).await;
    assert_eq!(refusal(elsewhere), Refusal::NoWorkspace);
    let create = world.authority.create_workspace(&bold, named("third"), None).await;
    assert_eq!(refusal(create), Refusal::NotAllowed);
    let delete = world.authority.delete_workspace(&bold, workspace, None).await;
    assert_eq!(refusal(delete), Refusal::NotAllowed);
    let listed = world.authority.workspaces(&bold).await.expect("may").workspaces;
    assert_eq!(listed.len(), 1, "its own, and nothing of the owner's other");
}

#[tokio::test]
async fn lifetimes_are_refused_and_never_guessed() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await.workspace_id;
    let now = world.clock.now().unix();
    let bad = [
        CreateToken { expires_in: Some(0), ..CreateToken::default() },
        CreateToken { expires_in: Some(-5), ..CreateToken::default() },
        CreateToken { expires_in: Some(315_360_001), ..CreateToken::default() },
        CreateToken { expires_in: Some(i64::MAX), ..CreateToken::default() },
        CreateToken { expires_at: Some(now), ..CreateToken::default() },
        CreateToken { expires_at: Some(i64::MIN), ..CreateToken::default() },
        CreateToken { expires_in: Some(60), no_expiry: true, ..CreateToken::default() },
        CreateToken { expires_in: Some(60), expires_at: Some(now + 60), ..CreateToken::default() },
    ];
    for request in bad {
        let said = refusal(world.authority.issue(&owner, workspace, request.clone(), None).await);
        assert_eq!(said.to_string(), "Invalid expiration time", "{request:?}");
    }
    let issue = |request| world.authority.issue(&owner, workspace, request, None);
    let year = issue(CreateToken::default()).await.expect("the default");
    assert_eq!(year.expires_in, Some(31_536_000));
    let never =
        issue(CreateToken { no_expiry: true, ..CreateToken::default() }).await.expect("may");
    assert_eq!((never.expires_in, never.expires_at), (None, None));
    let until = CreateToken { expires_at: Some(now + 60), ..CreateToken::default() };
    assert_eq!(issue(until).await.expect("may").expires_in, Some(60));
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_token_and_another_request_does_not() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "production").await.workspace_id;
    let issue = |seconds| {
        let request = CreateToken { expires_in: Some(seconds), ..CreateToken::default() };
        world.authority.issue(&owner, workspace, request, Some("one-key".to_owned()))
    };
    let first = issue(60).await.expect("an owner may");
    world.clock.advance(Duration::from_secs(30));
    let again = issue(60).await.expect("an owner may");
    assert_eq!(again.access_token, first.access_token);
    assert_eq!(again.jti, first.jti);
    assert!(matches!(refusal(issue(61).await), Refusal::Invalid { field: "Idempotency-Key", .. }));
}

#[tokio::test]
async fn a_repeated_workspace_creation_gets_the_same_workspace_and_first_token() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let create = |name: &str| {
        let request = named(name);
        world.authority.create_workspace(&owner, request, Some("one-key".to_owned()))
    };
    let first = create("production").await.expect("a free name");
    world.clock.advance(Duration::from_secs(30));
    let again = create("production").await.expect("the same request again");
    assert_eq!(again.workspace_id, first.workspace_id);
    assert_eq!(again.access_token, first.access_token);
    let other = refusal(create("staging").await);
    assert!(matches!(other, Refusal::Invalid { field: "Idempotency-Key", .. }));
    let taken = named("production");
    let taken = world.authority.create_workspace(&owner, taken, None).await;
    assert_eq!(refusal(taken), Refusal::NameTaken("production".to_owned()));
}

#[tokio::test]
async fn a_refresh_gives_a_new_token_and_ends_the_old_one_in_one_step() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let old = world.workspace(&owner, "production").await;
    let refresh = || {
        let key = Some("one-key".to_owned());
        let request = CreateToken::default();
        world.authority.refresh(&owner, old.workspace_id, old.jti.clone(), request, key)
    };
    let refreshed = refresh().await.expect("an owner may");
    assert_eq!(refreshed.old_token.jti, old.jti);
    assert_eq!(world.verdict(old.access_token.expose()), Err(NotAccepted::Revoked));
    assert_eq!(world.verdict(refreshed.new_token.access_token.expose()), Ok(()));
    let again = refresh().await.expect("the same request again");
    assert_eq!(again.new_token.access_token, refreshed.new_token.access_token);
    let unknown = Jti::mint(1, [0; 10]);
    let missing = world.authority.refresh(
        &owner,
        old.workspace_id,
        unknown.clone(),
        CreateToken::default(),
        None,
    );
    assert_eq!(refusal(missing.await), Refusal::NoToken(unknown));
}

#[tokio::test]
async fn a_connection_remembers_a_token_and_never_a_verdict() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let created = world.workspace(&owner, "production").await;
    let other = world.workspace(&owner, "other").await;
    let (token, last) = (created.access_token.expose(), Last::default());
    let verify = |token: &str| {
        let verified = world.authority.verify_after(token, &Demand::NOTHING, Some(&last));
        verified.map(|token| token.claims().jti.clone())
    };
    for _ in 0..2 {
        assert_eq!(verify(token), Ok(created.jti.clone()));
        assert_eq!(verify(other.access_token.expose()), Ok(other.jti.clone()));
        assert_eq!(verify(other.access_token.expose()), Ok(other.jti.clone()));
    }
    assert_eq!(verify(token), Ok(created.jti.clone()));
    let at = token.len() - 20;
    let another = if &token[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{another}{}", &token[..at], &token[at + 1..]);
    let refused = verify(&forged).expect_err("one byte is another");
    assert!(matches!(refused, NotAccepted::Refused(_)), "{refused}");
    let jti = created.jti.clone();
    world.authority.revoke(&owner, created.workspace_id, jti, None, None).await.expect("may");
    assert_eq!(verify(token), Err(NotAccepted::Revoked));
}

#[tokio::test]
async fn uses_and_attempts_with_dead_tokens_are_counted_per_token() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let created = world.workspace(&owner, "production").await;
    let token = created.access_token.expose();
    let from: IpAddr = "203.0.113.9".parse().expect("an address");
    let used = Demand { source: Source::At(from), ..Demand::NOTHING };
    let from = Some(from);
    for _ in 0..3 {
        world.authority.verify(token, &used).expect("good");
    }
    world.authority.write_counts().await;
    let shown = world.authority.show(&owner, created.workspace_id, created.jti.clone()).await;
    let shown = shown.expect("an owner may");
    assert_eq!((shown.use_count, shown.last_used_from), (3, from));
    assert_eq!(shown.last_used_at, Some(world.clock.now()));
    let jti = created.jti.clone();
    world.authority.revoke(&owner, created.workspace_id, jti, None, None).await.expect("may");
    for _ in 0..2 {
        world.authority.verify(token, &used).expect_err("revoked");
        world.authority.write_counts().await;
        world.clock.advance(Duration::from_mins(2));
    }
    let audit = world.authority.audit(&owner, nt_api::audit::ListAudit::default()).await;
    let denied = audit.expect("an owner may").denied;
    assert_eq!(denied.len(), 1);
    assert_eq!((denied[0].count, denied[0].last_from), (2, from));
    assert!(denied[0].first_at < denied[0].last_at);
}

#[tokio::test]
async fn a_binding_to_another_workspace_refuses_and_counts_no_use() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let created = world.workspace(&owner, "production").await;
    let token = created.access_token.expose();
    let other = Binding::To(WorkspaceId::mint([0; 16]));
    for binding in [other, Binding::Contradiction] {
        let demand = Demand { binding, ..Demand::NOTHING };
        let verdict = world.authority.verify(token, &demand).map(drop);
        assert_eq!(verdict, Err(NotAccepted::Unmet(Unmet::Workspace)));
    }
    let demand = Demand { binding: Binding::To(created.workspace_id), ..Demand::NOTHING };
    let verdict = world.authority.verify(token, &demand);
    assert_eq!(verdict.map(|token| token.claims().jti.clone()).ok(), Some(created.jti));
}

#[tokio::test]
async fn the_audit_log_shows_everything_to_administrators_and_to_others_what_is_theirs() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let (outsider, _) = world.operator("outsider@example.com").await;
    let (admin, _) = world.operator("admin@example.com").await;
    world.workspace(&owner, "production").await;
    let actions = async |caller| {
        let page = world.authority.audit(caller, nt_api::audit::ListAudit::default()).await;
        page.expect("may").records.into_iter().map(|record| record.action).collect::<Vec<_>>()
    };
    assert_eq!(actions(&owner).await, ["workspace.created", "session.created"]);
    assert_eq!(actions(&outsider).await, ["session.created"]);
    let all = actions(&admin).await;
    assert_eq!((all.len(), all.last().map(String::as_str)), (5, Some("key.added")));
}

#[tokio::test]
async fn without_an_identity_provider_nobody_signs_in() {
    let world = World::new().await;
    let request = TokenExchange { oauth_token: "e30.e30.AA".to_owned().into(), nonce: None };
    assert_eq!(
        refusal(world.authority.sign_in(request, Origin::default()).await),
        Refusal::NoProvider
    );
}

#[tokio::test]
async fn a_log_that_cannot_be_followed_gives_no_verdicts() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let created = world.workspace(&owner, "production").await;
    world.authority.doubt.begin("a test".to_owned());
    assert_eq!(world.verdict(created.access_token.expose()), Err(NotAccepted::NotReady));
    assert!(!world.authority.is_ready());
}
