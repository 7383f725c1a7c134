//! An authority of several nodes, and verifiers that go from one to another without refusing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nt_feed::server::Stream;
use nt_revocation::protocol::{Boot, Lengths, Tenure};
use nt_revocation::{Entry, Fact, Why, first_of_epoch};
use nt_token::clock::{Clock, Stopwatch, SystemClock};
use nt_token::sign::sign;
use nt_token::{Claims, EntryId, Place, SigningKey};
use nt_verifier::{NotAccepted, Refused, Verifier};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::proxy::Proxy;
use super::token::{claims, key_added, revoked};
use super::world::{LEASE, Log, World, ready, until};
use super::{SOON, world};

/// Three nodes with one log, each behind a proxy.
struct Cluster {
    log: Arc<Log>,
    nodes: Vec<World>,
    proxies: Vec<Proxy>,
    key: SigningKey,
    /// Where the key stands in the log.
    head: u64,
}

impl Cluster {
    async fn with(tenure: Tenure) -> Self {
        let log = Log::with_entries(3);
        let (key, _) = SigningKey::generate().expect("randomness");
        log.add(Entry { fact: key_added(&key), ..log.next() });
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let node = World::node(&log, tenure).await;
            proxies.push(Proxy::to(&node.endpoint).await);
            nodes.push(node);
        }
        let head = log.position().seq;
        Self { log, nodes, proxies, key, head }
    }

    async fn start() -> Self {
        Self::with(Tenure::Sole { before: None }).await
    }

    async fn follow(&self) -> (Verifier, nt_feed::client::Following) {
        let endpoints = self.proxies.iter().map(Proxy::endpoint).collect();
        let (verifier, following) = World::follow_any("service", endpoints);
        ready(&verifier, self.head).await;
        (verifier, following)
    }

    fn append(&self, fact: Fact) -> u64 {
        self.push(Entry { fact, ..self.log.next() })
    }

    fn push(&self, entry: Entry) -> u64 {
        let entries = [entry];
        self.log.add(entries[0].clone());
        self.nodes.iter().for_each(|node| node.feed.push(&entries));
        entries[0].seq
    }

    /// Waits until an entry is in force at all nodes.
    async fn complete(&self, seq: u64) {
        for node in &self.nodes {
            node.feed.wait_complete(seq).await;
        }
    }

    /// Revokes something each few milliseconds for so long; returns the longest time that one took.
    async fn revokes(&self, during: Duration) -> Duration {
        let (began, mut longest) = (Stopwatch::start(), Duration::ZERO);
        while began.elapsed() < during {
            let one = Stopwatch::start();
            let seq = self.push(self.log.next());
            self.complete(seq).await;
            longest = longest.max(one.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
        longest
    }

    fn follows(&self) -> Vec<bool> {
        let open = |node: &World| {
            node.session("service").is_some_and(|session| session.stream == Stream::Open)
        };
        self.nodes.iter().map(open).collect()
    }
}

/// Checks a good token again and again on a thread of its own, until it is stopped.
struct Hammer {
    goes_on: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Option<NotAccepted>)>,
}

impl Hammer {
    fn on(verifier: &Verifier, cluster: &Cluster) -> Self {
        let unrevoked = Claims { place: Place { list: 5, idx: 1 }, ..claims(cluster.head) };
        let token = sign(&unrevoked, &cluster.key);
        let goes_on = Arc::new(AtomicBool::new(true));
        let (verifier, flag) = (verifier.clone(), Arc::clone(&goes_on));
        let thread = tokio::task::spawn_blocking(move || {
            let mut checks = 0;
            while flag.load(Ordering::Relaxed) {
                if let Err(refused) = verifier.verify(token.expose()) {
                    return (checks, Some(refused));
                }
                checks += 1;
            }
            (checks, None)
        });
        Self { goes_on, thread }
    }

    async fn refused_nothing(self) {
        self.goes_on.store(false, Ordering::Relaxed);
        let (checks, refused) = self.thread.await.expect("it ends");
        assert_eq!(refused, None, "after {checks} checks");
        assert!(checks > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_is_killed_another_is_followed_before_the_lease_ends() {
    let cluster = Cluster::start().await;
    let (verifier, following) = cluster.follow().await;
    assert_eq!(cluster.follows(), [true, false, false], "one at a time");
    let hammer = Hammer::on(&verifier, &cluster);
    // The next is dead already.
    cluster.proxies[1].kill();
    cluster.proxies[0].kill();
    until("another is followed", || cluster.follows() == [false, false, true]).await;
    sleep(2 * LEASE).await;
    let seq = cluster.append(revoked(cluster.head));
    timeout(SOON, cluster.complete(seq)).await.expect("acknowledged, or out of lease by now");
    assert_eq!(verifier.stats().applied, seq);
    hammer.refused_nothing().await;
    following.stop().await;
    assert_eq!(cluster.follows(), [false; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_falls_silent_another_is_followed_before_the_lease_ends() {
    let cluster = Cluster::start().await;
    let (verifier, _following) = cluster.follow().await;
    let hammer = Hammer::on(&verifier, &cluster);
    cluster.proxies[0].freeze();
    until("another is followed", || cluster.follows()[1]).await;
    sleep(2 * LEASE).await;
    hammer.refused_nothing().await;
    let seq = cluster.append(revoked(cluster.head));
    timeout(SOON, cluster.complete(seq)).await.expect("acknowledged, or out of lease by now");
    assert_eq!(verifier.stats().applied, seq);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_in_order_costs_neither_a_check_nor_a_slow_revoke() {
    let cluster = Cluster::start().await;
    let (verifier, _following) = cluster.follow().await;
    let hammer = Hammer::on(&verifier, &cluster);
    // All three in turn, as in a rolling restart, but that the last has nobody behind it.
    for leaves in 0..2 {
        assert!(cluster.follows()[leaves]);
        let node = &cluster.nodes[leaves].feed;
        let left = async {
            let began = Stopwatch::start();
            node.leave();
            node.left().await;
            began.elapsed()
        };
        let (left, slowest) = tokio::join!(left, cluster.revokes(LEASE));
        assert!(left < LEASE / 2, "it had left after {left:?} only");
        assert!(slowest < LEASE / 4, "a revoke took {slowest:?}");
        assert!(!cluster.follows()[leaves]);
    }
    assert_eq!(cluster.follows(), [false, false, true]);
    hammer.refused_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_other_node_one_that_leaves_is_followed_as_long_as_it_can_be() {
    let cluster = Cluster::start().await;
    let (verifier, _following) = cluster.follow().await;
    cluster.proxies[1].kill();
    cluster.proxies[2].kill();
    let leaves = &cluster.nodes[0].feed;
    leaves.leave();
    let seq = cluster.append(revoked(cluster.head));
    timeout(SOON, cluster.complete(seq)).await.expect("it goes on acknowledging");
    assert!(!verifier.stats().lease_left.is_zero(), "by what it was granted before");
    timeout(2 * LEASE, leaves.left()).await.expect("then the lease has ended");
    assert!(verifier.stats().lease_left.is_zero());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_grants_no_more_is_left_for_one_that_does() {
    let cluster = Cluster::with(Tenure::Leased).await;
    let renew = |node: &World, anchor: Boot| node.feed.renewed(anchor, cluster.head);
    let now = SystemClock.boot();
    // The second has three seconds left.
    let earlier = Lengths::default().node.saturating_sub(Duration::from_secs(3));
    let before = now.nanos() - Boot::default().after(earlier).nanos();
    for (node, anchor) in cluster.nodes.iter().zip([now, Boot::from_nanos(before), now]) {
        renew(node, anchor);
    }
    let (verifier, _following) = cluster.follow().await;
    assert_eq!(cluster.follows(), [true, false, false]);
    let hammer = Hammer::on(&verifier, &cluster);
    // The first loses the database, and with it the right to grant. It says so, and lives on.
    cluster.nodes[0].feed.renewal_refused();
    until("another is followed", || cluster.follows() == [false, true, false]).await;
    hammer.refused_nothing().await;
    // The second is silent about it: its lease just runs out.
    let hammer = Hammer::on(&verifier, &cluster);
    until("the third is followed", || cluster.follows() == [false, false, true]).await;
    hammer.refused_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_in_a_recovery_stays_revoked_where_it_was_known() {
    let cluster = Cluster::start().await;
    let (verifier, _following) = cluster.follow().await;
    let token = sign(&claims(cluster.head), &cluster.key);
    verifier.verify(token.expose()).expect("good");
    let seq = cluster.append(revoked(cluster.head));
    cluster.complete(seq).await;
    // The revocation is lost with the database's primary, and the log is recovered without it.
    let log = Log::with_entries(3);
    log.add(Entry { fact: key_added(&cluster.key), ..log.next() });
    let at = log.position();
    let fact = Fact::EpochBegan { epoch: 2, after: at.seq, entry: at.entry };
    log.add(Entry { seq: first_of_epoch(at.seq), id: EntryId([2; 16]), fact });
    let recovered = World::node(&log, Tenure::Sole { before: None }).await;
    for proxy in &cluster.proxies {
        proxy.turn_to(&recovered.endpoint);
        proxy.cut();
    }
    ready(&verifier, first_of_epoch(at.seq)).await;
    let refused = verifier.verify(token.expose()).map(drop);
    assert_eq!(refused, Err(NotAccepted::Refused(Refused::Revoked(Why::Token))));
    let neighbour = Claims { place: Place { list: 5, idx: 1 }, ..claims(cluster.head) };
    until("a lease", || verifier.verify(sign(&neighbour, &cluster.key).expose()).is_ok()).await;
    // And goes on in the new epoch.
    let next = recovered.append(world::entry(900).fact);
    ready(&verifier, next).await;
}
