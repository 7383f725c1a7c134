//! Lives and leases, on the store in memory.

mod several;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nt_revocation::Fact;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::time::kappa;
use nt_revocation::protocol::{Boot, Incarnation, Lengths, Member, NodeId};
use nt_store::{Home, KnownNode, MemoryStore, Renewal, Renewed, Standing, Store};
use nt_token::clock::{Clock as _, SystemClock};
use nt_token::{EntryId, Timestamp};
use tokio::time::{sleep, timeout};

use super::identity::Identity;
use super::join::{JoinError, Joining};
use super::lease::{Health, Holder, Lease, Lost};

/// So short that tests need not wait long.
pub(super) fn short() -> Lengths {
    Lengths {
        node: Duration::from_secs(1),
        verifier: Duration::from_millis(500),
        ack_grace: Duration::from_millis(50),
    }
}

fn member(incarnation: u64) -> Member {
    Member { node: NodeId(7), incarnation: Incarnation(incarnation) }
}

fn joining(store: &Arc<dyn Store>, incarnation: u64, home: u8) -> Joining {
    Joining {
        store: Arc::clone(store),
        identity: Identity { member: member(incarnation), home: Home([home; 16]) },
        address: format!("http://127.0.0.1:{incarnation}"),
        lengths: short(),
        clock: Arc::new(SystemClock),
    }
}

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Box::new(|_| {})))
}

async fn renew(store: &Arc<dyn Store>, incarnation: u64, renewals: u64) -> Renewed {
    let at = Timestamp::from_unix(0);
    let renewal = Renewal { member: member(incarnation), renewals, acked: 0, at };
    store.renew(renewal).await.expect("a working store")
}

async fn standings(store: &Arc<dyn Store>) -> Vec<(u64, Standing)> {
    let nodes = store.nodes().await.expect("a working store");
    let shown = |known: KnownNode| (known.member.incarnation.0, known.standing);
    nodes.into_iter().map(shown).collect()
}

#[tokio::test]
async fn a_node_that_comes_back_to_its_home_knows_that_its_earlier_life_has_ended() {
    let store = store();
    joining(&store, 1, 1).join().await.expect("the first");
    let seq = joining(&store, 2, 1).join().await.expect("at once");
    assert_eq!(standings(&store).await, [(1, Standing::Fenced), (2, Standing::Active)]);
    let log = store.entries_after(0, 9).await.expect("a working store");
    let fenced = Fact::NodeFenced { node: 7, incarnation: 1, proof: ProofOfDeath::LockTaken };
    assert_eq!(log[1].fact, fenced);
    assert_eq!(seq, 3);
}

#[tokio::test]
async fn a_copy_of_a_node_that_runs_does_not_join() {
    let store = store();
    joining(&store, 1, 1).join().await.expect("the first");
    let renewing = async {
        for renewals in 0.. {
            assert!(matches!(renew(&store, 1, renewals).await, Renewed::Granted { .. }));
            sleep(short().node_renews_each()).await;
        }
    };
    let copy = joining(&store, 2, 2);
    let refused = tokio::select! {
        joined = copy.join() => joined.expect_err("a copy"),
        () = renewing => unreachable!("it renews for ever"),
    };
    assert!(matches!(refused, JoinError::Copy { .. }), "{refused}");
    assert!(refused.to_string().contains("http://127.0.0.1:1"), "{refused}");
    assert_eq!(standings(&store).await, [(1, Standing::Active)]);
}

#[tokio::test]
async fn a_node_whose_earlier_life_stood_still_elsewhere_fences_it_and_joins() {
    let store = store();
    joining(&store, 1, 1).join().await.expect("the first");
    joining(&store, 2, 2).join().await.expect("after a look");
    assert_eq!(standings(&store).await, [(1, Standing::Fenced), (2, Standing::Active)]);
    let log = store.entries_after(0, 9).await.expect("a working store");
    let fenced = Fact::NodeFenced { node: 7, incarnation: 1, proof: ProofOfDeath::None };
    assert_eq!(log[1].fact, fenced, "nothing proves that it is dead");
}

#[tokio::test]
async fn a_copy_does_not_join_where_the_original_came_back_in_another_life_meanwhile() {
    let store = store();
    joining(&store, 1, 1).join().await.expect("the first");
    let coming_back = async {
        sleep(short().node / 4).await;
        joining(&store, 3, 1).join().await.expect("at its home");
        for renewals in 0.. {
            assert!(matches!(renew(&store, 3, renewals).await, Renewed::Granted { .. }));
            sleep(short().node_renews_each()).await;
        }
    };
    let copy = joining(&store, 2, 2);
    let refused = tokio::select! {
        joined = copy.join() => joined.expect_err("a copy"),
        () = coming_back => unreachable!("it renews for ever"),
    };
    assert!(matches!(refused, JoinError::Copy { .. }), "{refused}");
    assert_eq!(standings(&store).await, [(1, Standing::Fenced), (3, Standing::Active)]);
}

/// Notes what it is told.
#[derive(Default)]
struct Told {
    anchors: Mutex<Vec<Boot>>,
    refused: AtomicU64,
}

impl Holder for Told {
    fn renewed(&self, anchor: Boot, _head: u64) {
        assert!(anchor <= SystemClock.boot());
        self.anchors.lock().expect("not poisoned").push(anchor);
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }

    fn complete(&self) -> u64 {
        1
    }
}

fn lease(store: &Arc<dyn Store>) -> Lease {
    Lease {
        store: Arc::clone(store),
        member: member(1),
        lengths: short(),
        clock: Arc::new(SystemClock),
        health: Arc::new(Health::default()),
    }
}

#[tokio::test]
async fn a_lease_is_renewed_until_the_node_is_fenced() {
    let (store, told) = (store(), Told::default());
    joining(&store, 1, 1).join().await.expect("the first");
    let lease = lease(&store);
    let fencing = async {
        sleep(short().node).await;
        let fenced = store.fence(member(1), ProofOfDeath::None, EntryId([9; 16])).await;
        assert!(fenced.expect("a working store").is_some());
    };
    let kept = timeout(Duration::from_secs(5), lease.keep(&told));
    let (lost, ()) = tokio::join!(kept, fencing);
    assert_eq!(lost, Ok(Lost::Fenced));
    assert_eq!(told.refused.load(Ordering::SeqCst), 1);
    let anchors = told.anchors.lock().expect("not poisoned");
    assert!(anchors.len() >= 4, "{}", anchors.len());
    assert!(anchors.is_sorted());
}

#[tokio::test]
async fn of_two_copies_of_one_process_one_learns_that_there_is_another() {
    let (store, told) = (store(), Told::default());
    joining(&store, 1, 1).join().await.expect("the first");
    assert_eq!(renew(&store, 1, 0).await, Renewed::Granted { head: 1 });
    let lost = timeout(Duration::from_secs(5), lease(&store).keep(&told)).await;
    assert_eq!(lost, Ok(Lost::Copied));
}
