use std::sync::Arc;

use nt_api::audit::ListAudit;
use nt_api::tokens::{ListTokens, StatusFilter};
use nt_api::verifiers::AddVerifier;
use nt_feed::client::{Follower, Following, follow};
use nt_revocation::Entry;
use nt_store::SharedMemory;
use nt_token::clock::ManualClock;
use nt_token::{EntryId, Expected, Timestamp};
use nt_verifier::{Options, Verifier};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

use super::*;
use crate::authority::Caller;
use crate::authority::tests::World;
use crate::metrics;

/// A verifier of this name that follows, and may say "good".
async fn followed(world: &World, admin: &Caller, name: &str) -> (Verifier, Following) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let serving = Server::builder().add_service(world.authority.feed().service());
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    let request = AddVerifier { name: name.to_owned() };
    let added = world.authority.add_verifier(admin, request).await.expect("an admin may");
    let shown = format!("Bearer {}", added.credential.expose());
    let issuer = world.authority.issuer().to_owned();
    let expected = Expected { audience: issuer.clone(), issuer };
    let (verifier, state) = Verifier::new(Options::new(expected));
    let follower = Follower {
        name: "anything".to_owned(),
        instance: [7; 16],
        authorization: shown.parse().expect("visible characters"),
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let following = follow(endpoint, follower, state);
    let leased = async {
        while verifier.stats().lease_left.is_zero() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(5), leased).await.expect("it gets a lease");
    (verifier, following)
}

#[test]
fn no_token_is_called_as_the_canary_and_none_has_its_place() {
    let jti: Jti = JTI.parse().expect("a JTI");
    assert!(jti.as_str().len() < Jti::mint(0, [0; 10]).as_str().len());
    let set = RevocationSet::new();
    let fact = Fact::TokenRevoked { place: PLACE, jti, exp: Timestamp::from_unix(1) };
    set.apply(&Entry { seq: 1, id: EntryId([1; 16]), fact }).expect("a place of the set");
}

#[tokio::test]
async fn a_canary_measures_each_verifier_and_leaves_nothing_but_an_entry() {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let made = world.workspace(&admin, "main").await;
    let head = async || world.authority.store.head().await.expect("a working store").seq;
    let before = head().await;
    world.authority.canary().await.expect("nothing is done");
    assert_eq!(head().await, before, "there is nobody to see it");

    let (verifier, following) = followed(&world, &admin, "edge-1").await;
    let audit = async || {
        let query = ListAudit::default();
        world.authority.audit(&admin, query).await.expect("an admin may").records.len()
    };
    let records = audit().await;
    for round in 1..=2 {
        world.authority.canary().await.expect("a working store");
        assert_eq!(head().await, before + round);
        assert_eq!(verifier.stats().applied, before + round);
    }
    assert_eq!(audit().await, records);
    let query = ListTokens { status: StatusFilter::All, ..ListTokens::default() };
    let listed =
        world.authority.list(&admin, made.workspace_id, query).await.expect("an owner may");
    assert_eq!(listed.count, 1, "the workspace's first token");

    let text = metrics::text(world.authority.measured());
    for line in [
        "ntd_canary_revoked_total 2",
        "ntd_canary_late_total 0",
        "ntd_canary_silent 0",
        "ntd_verifiers_connected 1",
        "ntd_verifiers_without_lease 0",
        "ntd_verifier_lag_entries{verifier=\"edge-1\"} 0",
        &format!("ntd_log_head {}", before + 2),
        &format!("ntd_log_complete {}", before + 2),
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
    }
    let took = text.lines().find_map(|line| {
        line.strip_prefix("ntd_canary_refused_seconds{verifier=\"edge-1\"} ")?.parse::<f64>().ok()
    });
    assert!(took.is_some_and(|took| 0.0 < took && took < 1.0), "{text}");
    following.stop().await;
}

#[tokio::test]
async fn the_canaries_of_two_nodes_have_one_place_and_each_counts_its_own() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
    let memory = SharedMemory::default();
    let one = World::node(&memory, &clock, None).await;
    let two = World::node(&memory, &clock, Some(&one)).await;
    let (admin, _) = one.operator("admin@example.com").await;
    let (first, following_one) = followed(&one, &admin, "edge-1").await;
    let (second, following_two) = followed(&two, &admin, "edge-2").await;
    let before = one.authority.store.head().await.expect("a working store").seq;
    for _ in 0..3 {
        let both = tokio::join!(one.authority.canary(), two.authority.canary());
        both.0.and(both.1).expect("a working store");
    }
    let head = one.authority.store.head().await.expect("a working store").seq;
    assert_eq!(head, before + 6);
    for (node, seen, other) in [(&one, "edge-1", "edge-2"), (&two, "edge-2", "edge-1")] {
        let text = metrics::text(node.authority.measured());
        let has = |line: &str| text.lines().any(|have| have.starts_with(line));
        for line in ["ntd_canary_revoked_total 3", "ntd_canary_late_total 0", "ntd_canary_silent 0"]
        {
            assert!(has(line), "{line} in\n{text}");
        }
        assert!(has(&format!("ntd_canary_refused_seconds{{verifier=\"{seen}\"}} ")), "{text}");
        assert!(!has(&format!("ntd_canary_refused_seconds{{verifier=\"{other}\"}} ")), "{text}");
    }
    let follow = async {
        while first.stats().applied < head || second.stats().applied < head {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(5), follow).await.expect("each verifier hears of all of them");
    following_one.stop().await;
    following_two.stop().await;
}

#[tokio::test]
async fn a_verifier_that_is_removed_at_one_node_is_cut_off_at_another() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
    let memory = SharedMemory::default();
    let one = World::node(&memory, &clock, None).await;
    let two = World::node(&memory, &clock, Some(&one)).await;
    let (admin, _) = one.operator("admin@example.com").await;
    let (_verifier, following) = followed(&two, &admin, "edge-1").await;
    let open =
        || two.authority.feed.sessions().iter().any(|session| session.stream == Stream::Open);
    assert!(open());
    one.authority.remove_verifier(&admin, "edge-1").await.expect("an admin may");
    let cut_off = async {
        while open() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = two.authority.keep_following_the_register() => panic!("it goes on"),
        ended = timeout(Duration::from_secs(5), cut_off) => ended.expect("within a second or two"),
    }
    following.stop().await;
}

#[tokio::test]
async fn a_revoke_is_counted_and_timed_and_nothing_secret_is_told() {
    let world = World::new().await;
    let (owner, secret) = world.operator("owner@example.com").await;
    let made = world.workspace(&owner, "main").await;
    let revoke = world.authority.revoke(&owner, made.workspace_id, made.jti.clone(), None, None);
    revoke.await.expect("an owner may");
    let token = made.access_token.expose();
    world.authority.verify(token, &crate::authority::Demand::NOTHING).expect_err("revoked");
    let text = metrics::text(world.authority.measured());
    for line in [
        "ntd_revocations_total 1",
        "ntd_revocation_in_force_seconds_count 1",
        "ntd_revocation_in_force_seconds_bucket{le=\"+Inf\"} 1",
        "ntd_refused_total 1",
        "ntd_not_ready_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
    }
    for hidden in [made.jti.as_str(), token, &secret, "main", "owner@example.com"] {
        assert!(!text.contains(hidden), "{hidden} in\n{text}");
    }
}
