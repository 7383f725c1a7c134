//! What is broken around the machines, and must be noticed.

use nt_revocation::protocol::{Failover, Rules, Sound};

use super::life::{BACK, Bug, Kind, PROMISE};
use super::{DRIFT, live};
use crate::mutants::{CloseIsRelease, Early, LeftAtOnce};

const LOSSLESS: Kind = Kind::Replicated(Failover::Lossless);
const MAY_LOSE: Kind = Kind::Replicated(Failover::MayLose);

/// Looks for a seed in which the promise is broken.
fn must_be_caught<R: Rules>(kind: Kind, bug: Bug, drift: u64) {
    must_break::<R>(PROMISE, kind, bug, drift);
}

fn must_break<R: Rules>(what: &'static str, kind: Kind, bug: Bug, drift: u64) {
    let wrong = |seed| live::<R>(seed, kind, (bug, drift), Some(what)).1;
    let caught = (0..400).find_map(|seed| Some((seed, wrong(seed)?)));
    let (seed, wrong) = caught.expect("the simulation does not notice what is broken");
    println!("{bug:?}: seed {seed}: {wrong}");
    assert!(wrong.starts_with(what), "{wrong}");
}

#[test]
fn clocks_that_drift_by_more_than_is_assumed_are_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::None, 350);
}

#[test]
fn a_lease_held_by_a_clock_that_stands_still_in_suspend_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::HoldsByMono, DRIFT);
}

#[test]
fn a_close_taken_for_a_release_is_noticed() {
    must_be_caught::<CloseIsRelease>(Kind::Leased, Bug::None, DRIFT);
}

#[test]
fn a_state_that_is_loaded_before_the_leases_end_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::StateBeforeExpiry, DRIFT);
}

#[test]
fn a_cached_verdict_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::VerdictCached, DRIFT);
}

#[test]
fn an_acknowledgement_of_what_is_not_applied_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::AckBeforeApply, DRIFT);
}

#[test]
fn a_lease_that_is_relied_on_after_its_release_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::ReleasedTooEarly, DRIFT);
}

#[test]
fn leases_of_the_process_before_that_are_forgotten_are_noticed() {
    must_be_caught::<Sound>(Kind::Sole, Bug::BeforeForgotten, DRIFT);
}

#[test]
fn members_from_before_the_commit_are_noticed() {
    must_be_caught::<Early>(Kind::Leased, Bug::Restless, DRIFT);
}

#[test]
fn an_orderly_leave_that_is_gone_before_its_sessions_ended_is_noticed() {
    must_be_caught::<LeftAtOnce>(Kind::Leased, Bug::None, DRIFT);
}

#[test]
fn numbers_that_are_handed_out_before_the_commit_are_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::Serial, DRIFT);
}

#[test]
fn a_renewal_by_a_plain_read_is_noticed() {
    must_be_caught::<Sound>(LOSSLESS, Bug::RenewalByRead, DRIFT);
}

#[test]
fn a_number_taken_for_an_identity_is_noticed() {
    must_be_caught::<Sound>(LOSSLESS, Bug::NumberIsIdentity, DRIFT);
}

#[test]
fn a_tail_that_does_not_look_at_what_it_read_last_is_noticed() {
    must_be_caught::<Sound>(LOSSLESS, Bug::TailUnchecked, DRIFT);
}

#[test]
fn a_cancelled_wait_for_the_standby_taken_for_success_is_noticed() {
    must_be_caught::<Sound>(LOSSLESS, Bug::WarningIsSuccess, DRIFT);
}

#[test]
fn an_answer_before_the_journal_has_it_is_noticed() {
    must_be_caught::<Sound>(MAY_LOSE, Bug::AnswerBeforeJournal, DRIFT);
}

#[test]
fn a_promotion_that_may_lose_followed_like_another_is_noticed() {
    must_be_caught::<Sound>(MAY_LOSE, Bug::LossyFollowed, DRIFT);
}

#[test]
fn a_later_epoch_that_replaces_what_a_verifier_knows_is_noticed() {
    must_break::<Sound>(BACK, MAY_LOSE, Bug::EpochReplaces, DRIFT);
}
