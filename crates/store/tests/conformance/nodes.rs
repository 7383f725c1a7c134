//! The nodes of the authority.

use nt_revocation::Fact;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::{Incarnation, Member, NodeId};
use nt_store::{End, Home, KnownNode, NewNode, Renewal, Renewed, Standing};

use crate::world::{T0, World, on_each};

/// Numbers as they are drawn: also such that a database takes for negative.
fn member(node: u64, incarnation: u64) -> Member {
    let high = 1 << 63;
    Member { node: NodeId(high | node), incarnation: Incarnation(high | incarnation) }
}

fn new(member: Member) -> NewNode {
    NewNode {
        member,
        address: "http://192.0.2.7:8480".to_owned(),
        home: Home([4; 16]),
        version: "0.1.0".to_owned(),
        at: T0,
    }
}

fn renewal(member: Member, renewals: u64) -> Renewal {
    Renewal { member, renewals, acked: renewals + 10, at: T0.plus_seconds(5) }
}

async fn join(world: &World, member: Member) -> u64 {
    world.store.join(new(member), world.ids.entry()).await.expect("joins")
}

async fn renew(world: &World, member: Member, renewals: u64) -> Renewed {
    world.store.renew(renewal(member, renewals)).await.expect("answers")
}

#[tokio::test]
async fn a_node_that_joins_is_in_the_log_and_in_the_list() {
    on_each(async |world| {
        let (first, second) = (member(1, 7), member(2, 1));
        assert_eq!(join(&world, second).await, 1);
        assert_eq!(join(&world, first).await, 2);
        let known = |member| {
            let NewNode { member, address, home, version, at } = new(member);
            let (standing, renewals, acked) = (Standing::Active, 0, 0);
            KnownNode { member, address, home, version, standing, renewals, acked, last_seen: at }
        };
        let nodes = world.store.nodes().await.expect("answers");
        assert_eq!(nodes, [known(first), known(second)]);
        let fact = Fact::NodeJoined { node: first.node.0, incarnation: first.incarnation.0 };
        assert_eq!(world.followed()[1].fact, fact);
        assert!(
            world.store.join(new(first), world.ids.entry()).await.is_err(),
            "a life is lived once"
        );
        let copy = member(1, 8);
        let joined = world.store.join(new(copy), world.ids.entry()).await;
        assert!(joined.is_err(), "a node has one life at a time");
    })
    .await;
}

#[tokio::test]
async fn a_renewal_says_where_the_log_ends_and_counts_once() {
    on_each(async |world| {
        let node = member(1, 1);
        join(&world, node).await;
        assert_eq!(renew(&world, node, 0).await, Renewed::Granted { head: 1 });
        assert_eq!(renew(&world, node, 0).await, Renewed::Refused, "a copy of the process");
        join(&world, member(2, 1)).await;
        assert_eq!(renew(&world, node, 1).await, Renewed::Granted { head: 2 });
        assert_eq!(renew(&world, member(1, 2), 0).await, Renewed::Refused, "never joined");
        let nodes = world.store.nodes().await.expect("answers");
        assert_eq!((nodes[0].renewals, nodes[0].acked), (2, 11));
        assert_eq!(nodes[0].last_seen, T0.plus_seconds(5));
    })
    .await;
}

#[tokio::test]
async fn a_fenced_node_renews_no_more_and_is_fenced_once() {
    on_each(async |world| {
        let node = member(1, 1);
        join(&world, node).await;
        let fence =
            async |proof| world.store.fence(node, proof, world.ids.entry()).await.expect("answers");
        assert_eq!(fence(ProofOfDeath::LockTaken).await, Some(2));
        assert_eq!(fence(ProofOfDeath::None).await, None);
        assert_eq!(renew(&world, node, 0).await, Renewed::Refused);
        let (number, life) = (node.node.0, node.incarnation.0);
        let proof = ProofOfDeath::LockTaken;
        let fact = Fact::NodeFenced { node: number, incarnation: life, proof };
        assert_eq!(world.followed()[1].fact, fact);
        let nodes = world.store.nodes().await.expect("answers");
        assert_eq!(nodes[0].standing, Standing::Fenced);
    })
    .await;
}

#[tokio::test]
async fn a_node_is_gone_after_a_fence_or_by_its_own_word_and_once() {
    on_each(async |world| {
        let gone = async |node, end| {
            world.store.gone(node, end, world.ids.entry()).await.expect("answers")
        };
        let (fenced, leaving) = (member(1, 1), member(2, 1));
        join(&world, fenced).await;
        join(&world, leaving).await;
        assert_eq!(gone(fenced, End::RanOut).await, None, "not before it is fenced");
        let entry = world.ids.entry();
        world.store.fence(fenced, ProofOfDeath::None, entry).await.expect("answers");
        assert_eq!(gone(fenced, End::Left).await, None, "somebody else has fenced it");
        assert_eq!(gone(fenced, End::RanOut).await, Some(4));
        assert_eq!(gone(leaving, End::Left).await, Some(5));
        assert_eq!(gone(leaving, End::Left).await, None);
        assert_eq!(renew(&world, leaving, 0).await, Renewed::Refused);
        assert!(world.store.nodes().await.expect("answers").is_empty());
        assert!(world.store.join(new(leaving), world.ids.entry()).await.is_err());
    })
    .await;
}
