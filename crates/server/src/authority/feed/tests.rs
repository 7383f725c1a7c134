use nt_api::verifiers::AddVerifier;
use nt_feed::client::{Following, Settings, connect};
use nt_revocation::Fact;
use nt_token::clock::Stopwatch;
use nt_token::key::KeyKind;
use nt_token::{EntryId, Place};
use nt_verifier::Verifier;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::service::Routes;

use super::*;
use crate::authority::Caller;
use crate::authority::tests::World;

fn source(authority: &Authority, admission: Admission) -> FeedSource {
    FeedSource {
        store: Arc::downgrade(&authority.store),
        set: Arc::clone(&authority.set),
        doubt: Arc::clone(&authority.doubt),
        epochs: Arc::default(),
        verifiers: Arc::clone(&authority.verifiers),
        clock: Arc::clone(&authority.clock),
        admission,
        client_certificate: CertificateDemand::Nothing,
        granted: Arc::clone(&authority.granted),
        snapshots: tokio::sync::Mutex::default(),
    }
}

fn showing(authorization: Option<&str>) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    if let Some(shown) = authorization {
        metadata.insert("authorization", shown.parse().expect("visible characters"));
    }
    metadata
}

/// A connection of which nothing is known.
fn unknown() -> Extensions {
    Extensions::new()
}

#[tokio::test]
async fn without_a_credential_nobody_follows_but_in_development() {
    let world = World::new().await;
    let strict = source(&world.authority, Admission::Registered);
    let open = source(&world.authority, Admission::Everybody);
    for shown in [None, Some("Bearer dev"), Some("Basic YTpi"), Some("Bearer ntv_none")] {
        let refused = strict.authenticate(&showing(shown), &unknown()).await;
        assert_eq!(refused, Err(NotAdmitted::Unauthenticated), "{shown:?}");
    }
    assert!(!world.authority.granted.by_the_process_before(), "nobody was admitted");
    for shown in [None, Some("Bearer dev")] {
        assert_eq!(
            open.authenticate(&showing(shown), &unknown()).await,
            Ok("dev".to_owned()),
            "{shown:?}"
        );
    }
    let refused = open.authenticate(&showing(Some("Bearer ntv_none")), &unknown()).await;
    assert_eq!(refused, Err(NotAdmitted::Unauthenticated), "a bad one is bad everywhere");
    assert!(world.authority.granted.by_the_process_before(), "it is noted before it is answered");
}

#[tokio::test]
async fn where_a_client_certificate_is_demanded_a_credential_alone_is_not_enough() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let mut credentials = Vec::new();
    for name in ["edge-1", "edge-2"] {
        let named = AddVerifier { name: name.to_owned() };
        let added = world.authority.add_verifier(&admin, named).await.expect("an admin may");
        credentials.push(format!("Bearer {}", added.credential.expose()));
    }
    let mut strict = source(&world.authority, Admission::Registered);
    strict.client_certificate = CertificateDemand::Certificate;
    let shown = showing(Some(&credentials[0]));
    let refused = strict.authenticate(&shown, &unknown()).await;
    assert_eq!(refused, Err(NotAdmitted::NoCertificate));
    let mut open = source(&world.authority, Admission::Everybody);
    open.client_certificate = CertificateDemand::Certificate;
    let refused = open.authenticate(&showing(None), &unknown()).await;
    assert_eq!(refused, Err(NotAdmitted::NoCertificate), "in development too");

    let over = |certificate: ClientCertificate| {
        let mut connection = unknown();
        connection.insert(certificate);
        connection
    };
    for its_own in [
        ClientCertificate::naming([]),
        ClientCertificate::naming(["gateway.example.com"]),
        ClientCertificate::naming(["edge-1"]),
        ClientCertificate::naming(["edge-2", "spiffe://example.com/verifiers/edge-1"]),
    ] {
        let admitted = strict.authenticate(&shown, &over(its_own.clone())).await;
        assert!(admitted.is_ok(), "{its_own:?}");
    }
    let others = over(ClientCertificate::naming(["EDGE-2"]));
    for source in [&strict, &source(&world.authority, Admission::Registered)] {
        let refused = source.authenticate(&shown, &others).await;
        assert_eq!(refused, Err(NotAdmitted::OthersCertificate), "also where none is demanded");
    }
    let stranger = strict.authenticate(&showing(Some("Bearer ntv_none")), &others).await;
    assert_eq!(stranger, Err(NotAdmitted::Unauthenticated), "a certificate is no credential");
}

#[tokio::test]
async fn where_the_note_cannot_be_made_nobody_is_admitted() {
    let world = World::new().await;
    let mut open = source(&world.authority, Admission::Everybody);
    open.granted = Arc::new(Granted::at("/proc/no-such-place/feed.granted".into()));
    assert_eq!(open.authenticate(&showing(None), &unknown()).await, Err(NotAdmitted::Unavailable));
}

#[tokio::test]
async fn who_comes_back_goes_on_from_its_position_only_if_that_is_of_this_log() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let source = source(&world.authority, Admission::Registered);
    let (first, bytes) = source.snapshot().await.expect("a snapshot");
    let read = RevocationSet::from_snapshot(&bytes).expect("a whole one");
    assert_eq!((read.position(), first), (first, world.authority.set.position()));
    assert_eq!(source.entries_after(first).await, Ok(Some(Vec::new())));

    let made = world.workspace(&owner, "main").await;
    let revoke = world.authority.revoke(&owner, made.workspace_id, made.jti, None, None);
    revoke.await.expect("an owner may");
    let entries = source.entries_after(first).await.expect("an answer").expect("of this log");
    let seqs: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [first.seq + 1]);
    for other in [
        Position { entry: EntryId([9; 16]), ..first },
        Position { epoch: first.epoch + 1, ..first },
        Position { seq: first.seq + 1, ..first },
        Position { seq: first.seq + 2, ..first },
        Position { seq: 0, ..first },
    ] {
        assert_eq!(source.entries_after(other).await, Ok(None), "{other:?}");
    }
}

#[tokio::test]
async fn a_snapshot_is_shared_until_there_is_more_to_say() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    let source = source(&world.authority, Admission::Everybody);
    let (first, bytes) = source.snapshot().await.expect("it follows its log");
    let (_, same) = source.snapshot().await.expect("it follows its log");
    assert_eq!(bytes.as_ptr(), same.as_ptr(), "made once");
    world.authority.revoke(&admin, made.workspace_id, made.jti, None, None).await.expect("may");
    let (later, _) = source.snapshot().await.expect("it follows its log");
    assert_eq!((later, later.seq), (world.authority.set.position(), first.seq + 1));
}

#[tokio::test]
async fn an_authority_that_cannot_follow_its_log_tells_nobody_what_it_says() {
    let world = World::new().await;
    let source = source(&world.authority, Admission::Everybody);
    let position = world.authority.set.position();
    world.authority.doubt.begin("a test".to_owned());
    assert_eq!(source.snapshot().await, Err(Unavailable));
    assert_eq!(source.entries_after(position).await, Err(Unavailable));
    assert_eq!(
        source.authenticate(&showing(None), &unknown()).await,
        Err(NotAdmitted::Unavailable)
    );
}

/// A registered verifier that follows the authority over a socket.
async fn verifier(world: &World, admin: &Caller) -> (Verifier, Following) {
    let named = AddVerifier { name: "edge".to_owned() };
    let registered = world.authority.add_verifier(admin, named).await.expect("an admin may");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let doors = Routes::new(world.authority.feed.service()).into_axum_router();
    tokio::spawn(async { axum::serve(listener, doors).await.expect("serves") });
    let authority = format!("http://{address}").parse().expect("a URL");
    let mut settings = Settings::new(authority, "edge");
    settings.credential = Some(registered.credential);
    connect(settings).await.expect("it answers")
}

/// One that had a lease and crashed.
async fn lost_verifier(world: &World, admin: &Caller) {
    let (verifier, following) = verifier(world, admin).await;
    let leased = async {
        while verifier.stats().lease_left.is_zero() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), leased).await.expect("it has a lease");
    following.abort();
}

#[tokio::test]
async fn whoever_asks_for_a_receipt_while_the_revoke_waits_gets_the_one_that_it_is_answered_with() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    lost_verifier(&world, &admin).await;
    let (id, jti) = (made.workspace_id, &made.jti);
    let revoking = world.authority.revoke(&admin, id, jti.clone(), None, Some(Duration::ZERO));
    assert_eq!(revoking.await.expect("an admin may").status, "revoking");
    let revoke = world.authority.revoke(&admin, id, jti.clone(), None, None);
    let asked = world.authority.receipt(&admin, id, jti.clone());
    let (revoked, shown) = tokio::join!(revoke, asked);
    let (revoked, shown) = (revoked.expect("an admin may"), shown.expect("it is revoked"));
    assert_eq!(shown.proven, "expired");
    assert!(shown.waited_ms.is_some_and(|waited| waited > 100), "{shown:?}");
    let counted = shown.verifiers.expect("it was waited for");
    assert_eq!((counted.acknowledged, counted.cut_off[0].name.as_str()), (0, "edge"));
    let repeated = world.authority.revoke(&admin, id, jti.clone(), None, None);
    assert_eq!(repeated.await.expect("an admin may").receipt, Some(shown.receipt));
    assert!(revoked.receipt.is_some());
}

#[tokio::test]
async fn a_token_that_is_dead_is_not_being_revoked_again_whoever_is_waited_for() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    let (id, jti) = (made.workspace_id, &made.jti);
    let first = world.authority.revoke(&admin, id, jti.clone(), None, None).await;
    let first = first.expect("an admin may");
    lost_verifier(&world, &admin).await;
    let again = world.authority.revoke(&admin, id, jti.clone(), None, Some(Duration::ZERO)).await;
    let again = again.expect("an admin may");
    assert_eq!((again.status.as_str(), again.already_revoked), ("revoked", true));
    assert_eq!(again.receipt, first.receipt);
}

#[tokio::test]
async fn a_receipt_says_so_where_leases_of_the_process_before_were_waited_for() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    let open = source(&world.authority, Admission::Everybody);
    open.authenticate(&showing(None), &unknown()).await.expect("admitted");
    drop(open);
    let world = world.restart().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let revoked = world.authority.revoke(&admin, made.workspace_id, made.jti, None, None).await;
    let text = revoked.expect("an admin may").receipt.expect("a receipt");
    let stated = nt_revocation::receipt::read_unverified(&text).expect("a receipt");
    assert_eq!(stated.proven, nt_revocation::receipt::Proven::Expired);
}

#[tokio::test]
async fn verifiers_of_an_authority_that_cannot_follow_its_log_end_with_their_leases() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    // The verifier reads the system's clock.
    let ten_years = 3_600 * 24 * 3_650;
    let token = world.token(&admin, made.workspace_id, ten_years).await.access_token;
    let (verifier, _following) = verifier(&world, &admin).await;
    let until = async |accepts: bool| {
        while verifier.verify(token.expose()).is_ok() != accepts {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), until(true)).await.expect("it has a lease");

    let beyond = Place { list: RevocationSet::LISTS_MAX, idx: 0 };
    let (jti, exp) = ("jti_beyond".parse().expect("a JTI"), world.clock.now());
    let fact = Fact::TokenRevoked { place: beyond, jti, exp };
    world.authority.store.append(vec![(EntryId([9; 16]), fact)]).await.expect("it is appended");
    assert!(!world.authority.is_ready());
    timeout(longest_wait(), until(false)).await.expect("its lease ends");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(verifier.verify(token.expose()).is_err(), "it gets no other");
}

#[tokio::test]
async fn a_restart_costs_a_wait_only_where_leases_may_be_out() {
    let (world, began) = (World::new().await.restart().await, Stopwatch::start());
    world.authority.all_in_force().await.expect("it serves");
    assert!(began.elapsed() < Duration::from_secs(1), "no verifier ever connected");

    let open = source(&world.authority, Admission::Everybody);
    open.authenticate(&showing(None), &unknown()).await.expect("admitted");
    drop(open);
    let world = world.restart().await;
    let soon = timeout(Duration::from_secs(1), world.authority.all_in_force()).await;
    assert!(soon.is_err(), "leases of the process before may run");
    world.authority.settle_feed().await;
    assert!(world.authority.granted.by_the_process_before(), "it is not settled yet");
    world.authority.all_in_force().await.expect("it serves");
    world.authority.settle_feed().await;
    assert!(!world.authority.granted.by_the_process_before());
}

#[tokio::test]
async fn a_new_key_signs_nothing_before_every_verifier_knows_it() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let made = world.workspace(&owner, "main").await;
    let open = source(&world.authority, Admission::Everybody);
    open.authenticate(&showing(None), &unknown()).await.expect("admitted");
    drop(open);
    let second = world.announce(KeyKind::P256, 0).await;

    // Twice: who logged the key may have been killed before anybody heard of it.
    let world = world.restart().await.restart().await;
    let began = Stopwatch::start();
    world.authority.tend_keys().await.expect("a working store");
    assert!(began.elapsed() > Lengths::default().verifier, "leases of before may run");
    let ring = world.authority.keyring();
    let signer = ring.active().expect("one signs");
    assert_eq!(signer.key.kid(), &second);
    assert!(*world.authority.feed.complete().borrow() >= signer.seq);
    let token = world.token(&owner, made.workspace_id, 60).await;
    assert_eq!(world.verdict(token.access_token.expose()), Ok(()));
    let began = Stopwatch::start();
    world.token(&owner, made.workspace_id, 60).await;
    assert!(began.elapsed() < Duration::from_secs(1), "and it costs nothing afterwards");
}

#[test]
fn a_verifier_is_listed_by_its_program_else_by_the_library_that_follows() {
    for (agent, library, listed) in [
        ("ntd-edge/0.1.0 tonic/0.14.9", Some("nt-feed/0.1.0"), "ntd-edge 0.1.0"),
        ("tonic/0.14.9", Some("nt-feed/0.1.0"), "nt-feed 0.1.0"),
        ("tonic/0.14.9", None, "tonic 0.14.9"),
        ("", None, ""),
    ] {
        let mut metadata = showing(None);
        metadata.insert("user-agent", agent.parse().expect("visible characters"));
        if let Some(library) = library {
            metadata.insert(LIBRARY, library.parse().expect("visible characters"));
        }
        assert_eq!(version(&metadata), listed, "{agent}");
    }
}
