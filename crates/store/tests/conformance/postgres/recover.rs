//! Recovering a database that lost a part of its log.

use nt_postgres_testing::{Backup, Cluster};
use nt_revocation::{Fact, first_of_epoch};
use nt_store::{LeasesOut, Recovered, Recovery, Renewal, Renewed, Store, StoreError, Witness};
use nt_token::{EntryId, State};

use super::{Node, eventually, open_at, revoke, workspace};
use crate::world::{Ids, T0, act, kid, new_node, operator, postgres_options};

const BEGINS: EntryId = EntryId([0xee; 16]);

pub(super) fn recovery(witness: Witness) -> Recovery {
    Recovery {
        entry: BEGINS,
        seen: witness.last.into_iter().collect(),
        witnessed: witness.entries,
        revoke_before: None,
        act: act(&operator(1), 100),
    }
}

pub(super) fn recover(url: &str, recovery: &Recovery) -> Result<Recovered, StoreError> {
    let nothing = tempfile::tempdir().expect("a directory");
    postgres_options(url, nothing.path()).recover(recovery, LeasesOut::HaveEnded)
}

#[tokio::test]
async fn what_a_journal_has_is_put_back_and_what_a_late_one_has_comes_when_it_opens() {
    let cluster = Cluster::quick().expect("starts");
    let url = cluster.database().expect("a database");
    let (one, other, late) = (Node::open(&url), Node::open(&url), Node::open(&url));
    let (_, token) = workspace(&*one.store, &Ids::default()).await;
    let member = new_node().member;
    one.store.join(new_node(), EntryId([1; 16])).await.expect("joined");
    let other = other.close().await;
    let backup = Backup::of(&cluster).expect("copied");
    revoke(&*one.store, &token, EntryId([2; 16])).await.expect("revoked");
    let one = one.close().await;
    let key = Fact::KeyRevoked { kid: kid() };
    late.store.append(vec![(EntryId([3; 16]), key.clone())]).await.expect("appended");
    let late = late.close().await;
    cluster.return_to(&backup).expect("restored");

    let lost = open_at(&url, one.path(), |_| ()).map(|_| ());
    assert!(matches!(lost, Err(StoreError::HistoryLost { .. })), "{lost:?}");
    let doubted = open_at(&url, other.path(), |_| ()).map(|_| ());
    assert!(matches!(doubted, Err(StoreError::HistoryInDoubt(_))), "{doubted:?}");

    let witness = Witness::read(&one.path().join("journal")).expect("readable");
    let options = postgres_options(&url, other.path());
    let found = options.look(witness.entries.clone()).expect("looked at");
    assert_eq!((found.head.seq, found.nodes.len(), found.missing.len()), (1, 1, 1));
    assert!(found.doubt.is_some());
    let recovered = recover(&url, &recovery(witness)).expect("recovered");
    assert_eq!((recovered.from.seq, recovered.put_back, recovered.records), (1, 1, 1));
    assert_eq!((recovered.to.epoch, recovered.to.entry), (2, EntryId([2; 16])));

    let (other, told) = open_at(&url, other.path(), |_| ()).expect("opens");
    let (one, _) = open_at(&url, one.path(), |_| ()).expect("opens");
    let log = other.entries_after(1, 10).await.expect("answers");
    let began = first_of_epoch(1);
    assert_eq!((log[0].seq, log[0].id), (began, BEGINS));
    let gone = Fact::NodeGone { node: member.node.0, incarnation: member.incarnation.0 };
    assert_eq!(log[1].fact, gone, "no node of the epoch before is waited for");
    assert_eq!((log[2].seq, log[2].id), (began + 2, EntryId([2; 16])));
    let renewal = Renewal { member, renewals: 0, acked: 1, at: T0 };
    assert_eq!(one.renew(renewal).await.expect("answers"), Renewed::Refused);
    let (record, _) =
        one.token(token.workspace, &token.jti).await.expect("answers").expect("there");
    assert!(matches!(record.state, State::Revoked { .. }), "{record:?}");

    let (late, _) = open_at(&url, late.path(), |_| ()).expect("opens");
    assert_eq!(late.head().await.expect("answers").seq, began + 3);
    eventually("the others are told of it", async || {
        told.lock().expect("no panic").last().is_some_and(|entry| entry.fact == key)
    })
    .await;
    let again = Node { store: late, told, directory: tempfile::tempdir().expect("one") };
    assert_eq!(again.log().await.last().expect("entries").id, EntryId([3; 16]));
}

#[tokio::test]
async fn a_log_in_doubt_grants_no_lease_and_a_running_node_notices() {
    let cluster = Cluster::shared().expect("starts");
    let url = cluster.database().expect("a database");
    let node = Node::open(&url);
    node.store.join(new_node(), EntryId([1; 16])).await.expect("joined");
    let renewal = |renewals| Renewal { member: new_node().member, renewals, acked: 1, at: T0 };
    let granted = node.store.renew(renewal(0)).await.expect("answers");
    assert_eq!(granted, Renewed::Granted { head: 1 });
    let revoking =
        Recovery { revoke_before: Some(EntryId([5; 16])), ..recovery(Witness::default()) };
    let recovered = recover(&url, &revoking).expect("recovered");
    assert_eq!((recovered.to.epoch, recovered.to.entry), (2, EntryId([5; 16])));
    eventually("its lease is over", async || {
        !matches!(node.store.renew(renewal(1)).await, Ok(Renewed::Granted { .. }))
    })
    .await;
    eventually("it sees the recovery", async || {
        node.store.head().await.is_ok_and(|head| head == recovered.to)
    })
    .await;
    let node = node.reopen(&url).await.expect("opens in the new epoch");
    assert_eq!(node.store.head().await.expect("answers"), recovered.to);
}
