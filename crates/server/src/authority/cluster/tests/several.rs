//! Several nodes in one process, on one store in memory, with real sockets between them.

mod keys;

use std::sync::Arc;
use std::time::Duration;

use nt_api::tokens::{CreateToken, TokenRevoked};
use nt_api::workspaces::WorkspaceCreated;
use nt_feed::client::{Following as Follows, Settings, connect};
use nt_identity::trust::TrustedIssuers;
use nt_postgres_testing::Cluster;
use nt_revocation::receipt::{Proven, Receipt, read_unverified};
use nt_store::{Follower, Gate, MemoryStore, SharedMemory};
use nt_token::clock::{Stopwatch, SystemClock};
use nt_token::{Jti, Lifetime, Secret, WorkspaceId};
use nt_verifier::Verifier;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tonic::service::Routes;

use super::*;
use crate::authority::cluster::node::{Ending, Node, Takes};
use crate::authority::cluster::peers::{Listening, PeerKey};
use crate::authority::error::{Error, Refusal};
use crate::authority::feed::Admission;
use crate::authority::follow::Following;
use crate::authority::start::{Start, StartError};
use crate::authority::tests::{admitted, named};
use crate::authority::{Authority, Caller, Demand, NotAccepted, Policy};
use crate::commands::database::{Shared as Opened, open_shared};
use crate::data_dir::DataDir;
use crate::key_secret::KeySecretSource;
use crate::tls::clients::CertificateDemand;

/// What nodes share.
struct Shared {
    memory: SharedMemory,
    /// Where they share a database on a server instead: its URL.
    server: Option<Secret>,
    /// Another way to it, for the tests.
    store: MemoryStore,
}

struct One {
    authority: Arc<Authority>,
    url: String,
    doors: JoinHandle<()>,
    lock: DataDir,
    dir: Option<tempfile::TempDir>,
}

impl Shared {
    fn new() -> Self {
        let memory = SharedMemory::default();
        Self { store: memory.store(Box::new(|_| {})), memory, server: None }
    }

    fn on_a_server() -> Self {
        let server = Cluster::shared().and_then(Cluster::database).expect("a PostgreSQL");
        Self { server: Some(Secret::from(server)), ..Self::new() }
    }

    fn open(&self, data_dir: &DataDir, follower: Follower) -> Opened {
        match &self.server {
            Some(url) => open_shared(url, Gate::AllowLoss, data_dir, follower).expect("it opens"),
            None => Opened {
                store: Arc::new(self.memory.store(follower)),
                hint: Box::new(|_, _| {}),
                doubted: Box::pin(std::future::pending()),
            },
        }
    }

    async fn node(&self) -> One {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::create(&dir.path().join("data")).expect("a new directory");
        let identity = Identity::begin(&data_dir).expect("a number");
        let mut one = self.start(data_dir, identity).await.expect("it joins");
        one.dir = Some(dir);
        one
    }

    async fn start(&self, data_dir: DataDir, identity: Identity) -> Result<One, StartError> {
        let clock = Arc::new(SystemClock);
        let following = Following::of_several(clock.clone(), short());
        let Opened { store, hint, doubted } = self.open(&data_dir, following.follower());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let takes = Takes {
            identity,
            address: url.clone(),
            key: PeerKey::new(&[7; 32]),
            ca: None,
            hint,
            doubted,
        };
        let start = Start {
            store,
            following,
            node: Some(takes),
            granted: data_dir.granted(),
            admission: Admission::Everybody,
            client_certificate: CertificateDemand::Nothing,
            key_secret: KeySecretSource::Development,
            keys: data_dir.keys(),
            issuer: "https://tokens.example.com".to_owned(),
            audience: None,
            policy: Policy {
                longest_token: Lifetime::TEN_YEARS,
                session: Lifetime::YEAR,
                session_idle: Lifetime::YEAR,
                job_session: Lifetime::YEAR,
                admins: Vec::new(),
                canary_each: None,
            },
            clock,
            provider: None,
            trusted: TrustedIssuers::new(Vec::new()).expect("no rules"),
        };
        let authority = Arc::new(Authority::start(start).await?);
        let routes = Routes::new(authority.feed().service())
            .add_service(Listening::service(authority.node().expect("one").peers()));
        let doors = routes.into_axum_router();
        let doors = tokio::spawn(async { axum::serve(listener, doors).await.expect("serves") });
        let one = One { authority, url, doors, lock: data_dir, dir: None };
        one.until(|node| node.not_serving().is_none()).await;
        Ok(one)
    }

    /// So many nodes that are connected to each other.
    async fn nodes<const N: usize>(&self) -> [One; N] {
        let mut nodes = Vec::new();
        for _ in 0..N {
            nodes.push(self.node().await);
        }
        for one in &nodes {
            one.until(|node| node.peers().connected() == N - 1).await;
        }
        nodes.try_into().unwrap_or_else(|_| unreachable!("so many were made"))
    }
}

impl One {
    fn node(&self) -> &Node {
        self.authority.node().expect("one of several")
    }

    async fn until(&self, condition: impl Fn(&Node) -> bool) {
        let holds = async {
            while !condition(self.node()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), holds).await.expect("it comes to that");
    }

    async fn owner(&self, email: &str) -> (Caller, WorkspaceCreated) {
        let (caller, _) = admitted(&self.authority, email, None, None).await;
        let made = self.authority.create_workspace(&caller, named("production"), None).await;
        (caller, made.expect("a free name"))
    }

    /// A verifier that has a lease of this node.
    async fn verifier(&self, token: &str) -> (Verifier, Follows) {
        let settings = Settings::new(self.url.parse().expect("a URL"), "edge");
        let (verifier, follows) = connect(settings).await.expect("it answers");
        let accepts = async {
            while verifier.verify(token).is_err() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), accepts).await.expect("it has a lease");
        (verifier, follows)
    }

    fn verdict(&self, token: &str) -> Result<(), NotAccepted> {
        self.authority.verify(token, &Demand::NOTHING).map(drop)
    }

    async fn revoke(&self, by: &Caller, of: WorkspaceId, jti: &Jti) -> (TokenRevoked, Duration) {
        let began = Stopwatch::start();
        let revoked = self.authority.revoke(by, of, jti.clone(), None, None).await;
        (revoked.expect("an owner may"), began.elapsed())
    }

    /// Another token, revoked: how long that takes.
    async fn another(&self, by: &Caller, of: WorkspaceId) -> Duration {
        let made = self.authority.issue(by, of, CreateToken::default(), None).await;
        self.revoke(by, of, &made.expect("an owner may").jti).await.1
    }

    /// As a crash: nothing is said to anybody.
    async fn kill(self) -> (DataDir, Option<tempfile::TempDir>) {
        self.doors.abort();
        let Self { authority, lock, dir, .. } = self;
        authority.node.as_ref().expect("one of several").stop_at_once();
        authority.close_feed();
        // Its streams end on tasks of their own.
        sleep(Duration::from_millis(20)).await;
        (lock, dir)
    }
}

fn receipt(revoked: &TokenRevoked) -> Receipt {
    let text = revoked.receipt.as_ref().expect("it is in force");
    read_unverified(text).expect("a receipt")
}

/// Far less than any lease.
const SOON: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_revoke_at_one_node_waits_for_the_verifiers_of_another() {
    let [a, b] = Shared::new().nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    assert_eq!((a.verdict(token), b.verdict(token)), (Ok(()), Ok(())));
    let (verifier, follows) = b.verifier(token).await;
    let (revoked, took) = a.revoke(&owner, made.workspace_id, &made.jti).await;
    assert!(verifier.verify(token).is_err(), "at the very moment");
    assert_eq!(b.verdict(token), Err(NotAccepted::Revoked));
    assert_eq!(revoked.status, "revoked");
    assert!(took < SOON, "{took:?}");
    let stated = receipt(&revoked);
    assert_eq!((stated.nodes, stated.proven), (2, Proven::Acked));
    follows.stop().await;
}

#[tokio::test]
async fn a_silent_verifier_of_another_node_is_waited_for_until_its_lease_has_ended() {
    let [a, b] = Shared::new().nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    let (verifier, follows) = b.verifier(token).await;
    follows.abort();
    let accepting = verifier.verify(token).is_ok();
    let (_, took) = a.revoke(&owner, made.workspace_id, &made.jti).await;
    assert!(verifier.verify(token).is_err());
    let longest = kappa(short().verifier) + short().ack_grace;
    assert!(took <= longest + SOON, "{took:?}");
    assert!(accepting, "it had a lease when it fell silent");
    assert!(a.another(&owner, made.workspace_id).await < SOON, "once");
}

#[tokio::test]
async fn a_node_that_crashed_holds_revokes_up_once_and_then_no_more() {
    let [a, b, c] = Shared::new().nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let lost = format!("node {:016x}", b.node().me().node.0);
    let killed = b.kill().await;
    let asked = async {
        sleep(SOON / 4).await;
        let asked = a.authority.revocation(&owner, made.workspace_id, made.jti.clone()).await;
        let asked = asked.expect("it is being revoked");
        assert_eq!((asked.status.as_str(), asked.waiting_for), ("revoking", vec![lost]));
    };
    let revoke = a.revoke(&owner, made.workspace_id, &made.jti);
    let ((revoked, took), ()) = tokio::join!(revoke, asked);
    assert!(took >= short().verifier && took <= short().floor() + SOON, "{took:?}");
    assert_eq!(receipt(&revoked).proven, Proven::Expired);
    for one in [&a, &c] {
        one.until(|node| node.everywhere().members() == 2).await;
    }
    let took = c
        .another(
            &admitted(&c.authority, "owner@example.com", None, None).await.0,
            made.workspace_id,
        )
        .await;
    assert!(took < SOON, "{took:?}");
    drop(killed);
}

#[tokio::test]
async fn a_node_that_comes_back_to_its_home_is_waited_for_no_longer_than_its_verifiers_leases() {
    let shared = Shared::new();
    let [a, b] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let (lock, _dir) = b.kill().await;
    let identity = Identity::begin(&lock).expect("the same number");
    let began = Stopwatch::start();
    let b = shared.start(lock, identity).await.expect("it joins");
    a.another(&owner, made.workspace_id).await;
    let longest = kappa(short().verifier);
    a.until(|node| node.everywhere().members() == 2).await;
    assert!(began.elapsed() < longest + short().node, "{:?}", began.elapsed());
    b.until(|node| node.peers().connected() == 1).await;
    assert!(a.another(&owner, made.workspace_id).await < SOON);
}

#[tokio::test]
async fn a_node_that_was_fenced_comes_back_in_another_life() {
    let shared = Shared::new();
    let [a, b] = shared.nodes().await;
    let (_, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    let before = b.node().me();
    let fence = shared.store.fence(before, ProofOfDeath::None, EntryId([9; 16]));
    assert!(fence.await.expect("a working store").is_some());
    b.until(|node| node.me() != before && node.not_serving().is_none()).await;
    assert_eq!(b.verdict(token), Ok(()));
    a.until(|node| node.everywhere().members() == 2 && node.peers().connected() == 1).await;
}

#[tokio::test]
async fn a_node_that_cannot_reach_the_database_refuses_when_its_lease_has_ended() {
    let shared = Shared::new();
    let [a] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    a.authority.store.close().await;
    assert_eq!(a.verdict(token), Ok(()), "its lease still runs");
    sleep(short().node).await;
    assert_eq!(a.verdict(token), Err(NotAccepted::NotReady));
    let measured = crate::metrics::text(a.authority.measured());
    for line in ["ntd_ready 0", "ntd_node_lease_left_seconds 0.0", "ntd_nodes 1"] {
        assert!(measured.contains(line), "{line}: {measured}");
    }
    let why = a.authority.not_ready().expect("it has no lease");
    assert!(why.contains("the database gives no answer since"), "{why}");
    let issued = a.authority.issue(&owner, made.workspace_id, CreateToken::default(), None).await;
    assert!(matches!(issued, Err(Error::Failed(_))));
    assert!(matches!(a.authority.in_force(1).await, Err(Error::Refused(Refusal::NotServing))));
}

#[tokio::test]
async fn a_copy_of_a_data_directory_does_not_start_beside_the_original() {
    let shared = Shared::new();
    let [a] = shared.nodes().await;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let copy = DataDir::create(&dir.path().join("copy")).expect("a new directory");
    std::fs::copy(a.lock.node(), copy.node()).expect("both exist");
    let identity = Identity::begin(&copy).expect("the same number");
    let refused = shared.start(copy, identity).await.err().expect("it is a copy");
    assert!(refused.to_string().contains(&a.url), "{refused}");
    assert_eq!(a.node().not_serving(), None, "the original goes on");
}

#[tokio::test]
async fn a_node_that_leaves_in_order_holds_no_revoke_up() {
    let [a, b] = Shared::new().nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    let (_verifier, _follows) = b.verifier(token).await;
    let slowest = async {
        let mut slowest = Duration::ZERO;
        while a.node().everywhere().members() == 2 {
            slowest = slowest.max(a.another(&owner, made.workspace_id).await);
        }
        slowest.max(a.another(&owner, made.workspace_id).await)
    };
    let leaving = async {
        b.authority.leave().await;
        assert!(b.authority.not_ready().is_some_and(|why| why.contains("about to end")));
        b.authority.end_node().await;
        assert_eq!(b.verdict(token), Err(NotAccepted::NotReady));
    };
    let (slowest, ()) = tokio::join!(slowest, leaving);
    assert!(slowest < SOON, "{slowest:?}");
}

#[tokio::test]
async fn a_node_that_does_not_know_its_log_says_nothing_and_holds_the_others_up_once() {
    let shared = Shared::new();
    let [a, b] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    b.authority.doubt.begin("a test".to_owned());
    b.until(|node| node.not_serving().is_some()).await;
    assert_eq!(b.verdict(made.access_token.expose()), Err(NotAccepted::NotReady));
    assert_eq!(b.authority.not_ready().as_deref(), Some("quarantine: a test"));
    a.until(|node| node.everywhere().members() == 1).await;
    assert!(a.another(&owner, made.workspace_id).await < SOON);
    assert!(timeout(SOON, b.authority.has_to_end()).await.is_err(), "it stays to be read");
}

#[tokio::test]
async fn a_process_in_whose_name_another_renews_ends() {
    let shared = Shared::new();
    let [a] = shared.nodes().await;
    let ending = async {
        loop {
            // As its copy would: by the counter as it is.
            let nodes = shared.store.nodes().await.expect("a working store");
            let (member, renewals) = (nodes[0].member, nodes[0].renewals);
            let at = Timestamp::from_unix(0);
            let renewal = Renewal { member, renewals, acked: 0, at };
            shared.store.renew(renewal).await.expect("a working store");
            sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::select! {
        ended = timeout(Duration::from_secs(5), a.authority.has_to_end()) => ended,
        () = ending => unreachable!("it goes on"),
    };
    assert_eq!(ended, Ok(Ending::Copied));
    assert!(a.node().not_serving().is_some());
}

#[tokio::test]
async fn nodes_of_one_postgresql_wait_for_each_others_verifiers_and_for_nobody_who_has_left() {
    let shared = Shared::on_a_server();
    let [a, b, c] = shared.nodes().await;
    let (owner, made) = a.owner("owner@example.com").await;
    let token = made.access_token.expose();
    let (verifier, _follows) = b.verifier(token).await;
    let (revoked, took) = a.revoke(&owner, made.workspace_id, &made.jti).await;
    assert!(verifier.verify(token).is_err(), "at the very moment");
    assert!(took < SOON, "{took:?}");
    assert_eq!(receipt(&revoked).nodes, 3);

    b.authority.leave().await;
    b.authority.end_node().await;
    a.until(|node| node.everywhere().members() == 2).await;
    let took = a.another(&owner, made.workspace_id).await;
    assert!(took < SOON, "{took:?}");

    let (lock, _dir) = c.kill().await;
    a.until(|node| node.everywhere().members() == 1).await;
    let took = a.another(&owner, made.workspace_id).await;
    assert!(took < SOON, "{took:?}");
    drop(lock);
}
