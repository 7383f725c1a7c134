//! The rules one by one, on single machines. How they work together is the model's (`tests/model`).

use std::time::Duration;

use super::*;

const MS: u64 = 1_000_000;

fn at(ms: u64) -> Now {
    Now { boot: Boot::from_nanos(ms * MS), mono: Mono(ms * MS), wall: Wall(ms * MS) }
}

fn leased() -> Node<u8> {
    let mut node = Node::new(at(0), Lengths::default(), Tenure::Leased, 5);
    node.step(at(0), Input::Renewed { anchor: at(0).boot, head: 5 });
    node.step(at(0), Input::SessionOpened { session: 1, acked: 5 });
    node
}

fn renew(node: &mut Node<u8>, ms: u64, acked: u64) -> Output<u8> {
    node.step(at(ms), Input::Renew { session: 1, nonce: 7, acked })[0]
}

fn grant(ms: u64, min: u64) -> Output<u8> {
    Output::Grant { session: 1, nonce: 7, length: Duration::from_millis(ms), min }
}

fn refused(why: Refusal) -> Output<u8> {
    Output::Refused { session: 1, nonce: 7, why }
}

#[test]
fn a_grant_says_what_must_be_applied_and_never_outlives_the_node() {
    let mut node = leased();
    assert_eq!(renew(&mut node, 0, 5), grant(2_000, 5));
    assert_eq!(renew(&mut node, 9_000, 5), grant(1_000, 5));
    assert_eq!(renew(&mut node, 10_000, 5), refused(Refusal::NodeLease));
}

#[test]
fn a_closed_connection_is_not_a_release_but_a_release_is() {
    let mut node = leased();
    renew(&mut node, 0, 5);
    node.step(at(1), Input::Disconnected(1));
    assert_eq!(node.step(at(2), Input::Applied(6)), []);
    assert_eq!(node.waiting_for(6, at(2).mono).collect::<Vec<_>>(), [1]);
    assert_eq!(node.step(at(3), Input::Released(1)), [Output::Complete(6)]);
}

#[test]
fn an_entry_is_complete_when_its_last_session_acknowledges_it_or_runs_out() {
    let mut node = leased();
    renew(&mut node, 0, 5);
    node.step(at(1), Input::Applied(6));
    assert_eq!(node.step(at(2), Input::Ack { session: 1, seq: 6 }), [Output::Complete(6)]);
    node.step(at(3), Input::Applied(7));
    assert_eq!(node.next_deadline(at(3).mono), Some(at(2_546).mono));
    assert_eq!(node.step(at(2_545), Input::Tick), []);
    assert_eq!(node.step(at(2_546), Input::Tick), [Output::Complete(7)]);
    assert_eq!(node.outcome(7, at(2_546).mono), Outcome { expired: 1, ..Outcome::default() });
}

#[test]
fn a_session_that_does_not_acknowledge_is_not_renewed_and_is_again_once_it_does() {
    let mut node = leased();
    node.step(at(0), Input::Applied(6));
    assert_eq!(renew(&mut node, 250, 5), grant(2_000, 6));
    assert_eq!(renew(&mut node, 251, 5), refused(Refusal::Lagging));
    assert_eq!(renew(&mut node, 252, 6), grant(2_000, 6));
}

#[test]
fn a_node_that_is_behind_its_renewal_serves_only_after_catching_up() {
    let mut node: Node<u8> = Node::new(at(0), Lengths::default(), Tenure::Leased, 0);
    node.step(at(100), Input::Renewed { anchor: at(0).boot, head: 2 });
    node.step(at(200), Input::Applied(1));
    assert!(!node.serves(at(200).boot));
    node.step(at(300), Input::Applied(2));
    assert!(node.serves(at(9_999).boot));
    assert!(!node.serves(at(10_000).boot), "counted from before it was asked");
}

#[test]
fn a_refused_renewal_ends_the_lease_at_once_and_for_good() {
    let mut node = leased();
    assert_eq!(node.step(at(1), Input::RenewalRefused), [Output::LeaseLost]);
    node.step(at(2), Input::Renewed { anchor: at(2).boot, head: 5 });
    assert!(!node.serves(at(2).boot));
    assert_eq!(renew(&mut node, 2, 5), refused(Refusal::NodeLease));
}

#[test]
fn a_sole_node_needs_no_renewals_but_waits_for_the_leases_of_the_process_before() {
    let tenure = Tenure::Sole { before: Some(Duration::from_secs(2)) };
    let mut node: Node<u8> = Node::new(at(0), Lengths::default(), tenure, 5);
    node.step(at(0), Input::SessionOpened { session: 1, acked: 5 });
    assert_eq!(renew(&mut node, 1, 5), grant(2_000, 5));
    assert_eq!(node.complete(), 0);
    assert_eq!(node.step(at(2_546), Input::Tick), [Output::Complete(5)]);
    assert_eq!(renew(&mut node, 1_000_000, 5), grant(2_000, 5));
}

#[test]
fn a_node_that_leaves_grants_no_more_and_is_gone_after_its_last_lease() {
    let mut node = leased();
    renew(&mut node, 0, 5);
    assert_eq!(node.step(at(1), Input::Leave), []);
    assert_eq!(renew(&mut node, 2, 5), refused(Refusal::Leaving));
    assert_eq!(node.step(at(2_546), Input::Tick), [Output::Left]);
}

fn asked(ms: u64) -> VerifierLease {
    let mut lease = VerifierLease::new(Lengths::default(), 5, 40);
    let outputs = lease.step(at(ms), VerifierInput::Connected);
    assert_eq!(outputs, [VerifierOutput::Renew { nonce: 40, acked: 5 }]);
    lease
}

fn granted(min: u64) -> VerifierInput {
    VerifierInput::Granted { nonce: 40, length: Duration::from_secs(2), min }
}

#[test]
fn a_verifier_counts_its_lease_from_before_it_asked() {
    let mut lease = asked(100);
    let outputs = lease.step(at(900), granted(5));
    assert_eq!(outputs, [VerifierOutput::LeaseUntil(at(2_100).boot)]);
    assert!(lease.lasts(at(2_099).boot));
    assert!(!lease.lasts(at(2_100).boot));
}

#[test]
fn a_verifier_that_is_behind_a_grant_or_did_not_ask_for_it_gets_no_lease() {
    let mut lease = asked(0);
    assert_eq!(lease.step(at(1), granted(6)), []);
    let other = VerifierInput::Granted { nonce: 39, length: Duration::from_secs(2), min: 0 };
    assert_eq!(lease.step(at(1), other), []);
    assert_eq!(lease.end(), None);
}

#[test]
fn a_verifier_applies_entries_in_order_and_acknowledges_them_afterwards() {
    let mut lease = asked(0);
    assert_eq!([5, 6, 7].map(|seq| lease.entry(seq)), [Next::Duplicate, Next::Apply, Next::Resync]);
    assert_eq!(lease.step(at(1), VerifierInput::Applied(6)), [VerifierOutput::Ack(6)]);
    assert_eq!(lease.entry(7), Next::Apply);
}

#[test]
fn a_verifier_renews_each_quarter_of_its_lease() {
    let mut lease = asked(0);
    assert_eq!(lease.step(at(499), VerifierInput::Tick), []);
    let outputs = lease.step(at(500), VerifierInput::Tick);
    assert_eq!(outputs, [VerifierOutput::Renew { nonce: 41, acked: 5 }]);
}

#[test]
fn a_machine_that_stood_still_gives_up_its_lease_and_the_grants_on_their_way() {
    let mut lease = asked(0);
    let thawed = Now { wall: at(60_000).wall, ..at(1) };
    assert_eq!(lease.step(thawed, granted(5)), [VerifierOutput::LeaseOver]);
    assert_eq!(lease.end(), None);
}

#[test]
fn a_verifier_that_leaves_gives_up_its_lease_before_it_says_so() {
    let mut lease = asked(0);
    lease.step(at(1), granted(5));
    let outputs = lease.step(at(2), VerifierInput::Leave);
    assert_eq!(outputs, [VerifierOutput::LeaseOver, VerifierOutput::Release]);
    assert_eq!(lease.end(), None);
}

fn member(node: u64, incarnation: u64) -> Member {
    Member { node: NodeId(node), incarnation: Incarnation(incarnation) }
}

fn two() -> Membership {
    let mut members = Membership::new();
    members.apply(1, at(0).mono, Some(Change::Joined(member(1, 1))));
    members.apply(2, at(0).mono, Some(Change::Joined(member(2, 1))));
    members
}

#[test]
fn a_revoke_is_in_force_when_every_member_acknowledged_it_or_is_gone() {
    let mut members = two();
    let mut revoke = Revoke::new(3, at(0).mono, &members, &Lengths::default());
    let ack = |node, seq| Event::NodeAck { member: member(node, 1), seq };
    assert_eq!(revoke.step(at(1).mono, ack(1, 3)), None, "the log is not known up to it");
    members.apply(3, at(1).mono, None);
    assert_eq!(revoke.step(at(1).mono, Event::Folded(&members)), None);
    assert_eq!(revoke.step(at(2).mono, ack(2, 2)), None, "an earlier entry");
    let waited = Duration::from_millis(4);
    let in_force = revoke.step(at(4).mono, Event::NodeGone(member(2, 1)));
    assert_eq!(in_force, Some(InForce { seq: 3, how: How::Acked, waited }));
}

#[test]
fn a_revoke_is_in_force_after_the_longest_lease_whoever_is_silent() {
    let mut revoke = Revoke::new(3, at(0).mono, &two(), &Lengths::default());
    assert_eq!(revoke.step(at(12_729).mono, Event::Tick), None);
    let in_force = revoke.step(at(12_730).mono, Event::Tick).expect("waited out");
    assert_eq!(in_force.how, How::Expired);
}

#[test]
fn what_is_already_revoked_gets_an_entry_of_its_own() {
    assert!(Revoke::<Sound>::needs_entry(true));
}

#[test]
fn a_fenced_member_is_gone_after_the_leases_that_it_may_have_granted() {
    let mut members = two();
    members.apply(3, at(0).mono, Some(Change::Joined(member(1, 2))));
    assert_eq!(members.earlier(member(1, 2)).collect::<Vec<_>>(), [member(1, 1)]);
    members.apply(4, at(0).mono, Some(Change::Fenced(member(1, 1), Proof::Dead)));
    members.apply(5, at(0).mono, Some(Change::Fenced(member(2, 1), Proof::Suspected)));
    let ended = |ms| members.ended(at(ms).mono, &Lengths::default());
    assert_eq!(ended(2_545), []);
    assert_eq!(ended(2_546), [member(1, 1)]);
    assert_eq!(ended(12_730), [member(1, 1), member(2, 1)]);
}

#[test]
fn a_proof_of_death_shortens_the_wait_for_a_suspected_member_and_a_suspicion_lengthens_none() {
    let mut members = two();
    let mut fenced = |seq, ms, node, proof| {
        members.apply(seq, at(ms).mono, Some(Change::Fenced(member(node, 1), proof)));
    };
    fenced(3, 0, 1, Proof::Suspected);
    fenced(4, 1_000, 1, Proof::Dead);
    fenced(5, 0, 2, Proof::Dead);
    fenced(6, 1_000, 2, Proof::Suspected);
    let ended = |ms| members.ended(at(ms).mono, &Lengths::default());
    assert_eq!(ended(2_546), [member(2, 1)]);
    assert_eq!(ended(3_545), [member(2, 1)]);
    assert_eq!(ended(3_546), [member(1, 1), member(2, 1)]);
}
