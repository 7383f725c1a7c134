//! The promise, checked against a history of what really happened.
//!
//! Clients record every check (token, start, end, verdict) and revokers every revoke, all on one
//! monotonic clock. A violation is an acceptance that *starts* after a successful revoke's answer
//! *ended*. Between a revoke's start and its answer either verdict is right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a verifier said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The token is good.
    Accepted,
    /// The token is not good.
    Refused,
    /// No answer, or one that says neither.
    Unknown,
}

/// One check of a token, as its client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Which token.
    pub token: usize,
    /// Which client asked: its own checks follow each other.
    pub client: usize,
    /// Which verifier was asked. While a revoke is under way, one may refuse what another accepts.
    pub verifier: usize,
    /// Before the first byte was sent.
    pub start: Duration,
    /// After the last byte was read.
    pub end: Duration,
    /// The answer.
    pub verdict: Verdict,
}

/// One revoke, as its caller saw it. Only those that were answered with "revoked" belong here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoke {
    /// Which token.
    pub token: usize,
    /// Before the first byte was sent.
    pub start: Duration,
    /// After the last byte of the answer was read.
    pub end: Duration,
}

/// What the history shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many checks were answered with a verdict.
    pub checks: usize,
    /// How many of them were acceptances.
    pub accepted: usize,
    /// How many checks had no verdict.
    pub unknown: usize,
    /// How many checks were under way while their token's revoke was: the run's power.
    pub overlapped: usize,
    /// How many tokens were revoked.
    pub revoked: usize,
    /// How many of those were refused at least once after the answer: the rest prove nothing.
    pub refused_after: usize,
    /// Acceptances that started after the revoke's answer had ended. Zero are allowed.
    pub violations: Vec<Check>,
    /// Refusals of tokens whose revoke had not even started. Zero are allowed.
    pub refused_for_nothing: Vec<Check>,
    /// Acceptances that started after a refusal of the same token by the same verifier had ended.
    /// Zero are allowed.
    pub revived: Vec<Check>,
}

impl Report {
    /// Whether nothing happened that must not.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.refused_for_nothing.is_empty() && self.revived.is_empty()
    }
}

/// Judges a history. The order of the records does not matter.
pub fn examine(checks: &[Check], revokes: &[Revoke]) -> Report {
    let mut by_token: BTreeMap<usize, Vec<Revoke>> = BTreeMap::new();
    for revoke in revokes {
        by_token.entry(revoke.token).or_default().push(*revoke);
    }
    let first_refusal = first_refusals(checks);
    let mut report = Report { revoked: by_token.len(), ..Report::default() };
    let mut proven = BTreeSet::new();
    for check in checks {
        let revokes = by_token.get(&check.token).map_or(&[][..], Vec::as_slice);
        let answered = |revoke: &Revoke| check.start >= revoke.end;
        let overlaps = |revoke: &Revoke| check.start < revoke.end && check.end > revoke.start;
        report.overlapped += usize::from(revokes.iter().any(overlaps));
        report.checks += usize::from(check.verdict != Verdict::Unknown);
        match check.verdict {
            Verdict::Accepted => {
                report.accepted += 1;
                if revokes.iter().any(answered) {
                    report.violations.push(*check);
                }
                let refused = first_refusal.get(&(check.token, check.verifier));
                if refused.is_some_and(|refused| check.start >= *refused) {
                    report.revived.push(*check);
                }
            }
            Verdict::Refused => {
                if revokes.iter().all(|revoke| check.end < revoke.start) {
                    report.refused_for_nothing.push(*check);
                }
                if revokes.iter().any(answered) {
                    proven.insert(check.token);
                }
            }
            Verdict::Unknown => report.unknown += 1,
        }
    }
    report.refused_after = proven.len();
    report
}

/// When the earliest refusal of each token by each verifier had ended.
fn first_refusals(checks: &[Check]) -> BTreeMap<(usize, usize), Duration> {
    let mut first = BTreeMap::new();
    for check in checks.iter().filter(|check| check.verdict == Verdict::Refused) {
        let end = first.entry((check.token, check.verifier)).or_insert(check.end);
        *end = check.end.min(*end);
    }
    first
}

/// The negative control: the same history, with each answer said to have come before its token's
/// last acceptance started. A checker that finds nothing wrong with it is blind.
pub fn with_answers_too_early(checks: &[Check], revokes: &[Revoke]) -> Vec<Revoke> {
    let early = |revoke: &Revoke| {
        let accepted =
            |check: &&Check| check.token == revoke.token && check.verdict == Verdict::Accepted;
        let last = checks.iter().filter(accepted).map(|check| check.start).max()?;
        Some(Revoke { start: revoke.start.min(last), end: last, ..*revoke })
    };
    revokes.iter().filter_map(early).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: usize, start: u64, end: u64, verdict: Verdict) -> Check {
        let (start, end) = (Duration::from_millis(start), Duration::from_millis(end));
        Check { token, client: 0, verifier: 0, start, end, verdict }
    }

    fn revoke(token: usize, start: u64, end: u64) -> Revoke {
        Revoke { token, start: Duration::from_millis(start), end: Duration::from_millis(end) }
    }

    #[test]
    fn an_acceptance_that_starts_after_the_answer_is_a_violation() {
        let late = check(1, 20, 21, Verdict::Accepted);
        let report = examine(&[check(1, 0, 1, Verdict::Accepted), late], &[revoke(1, 10, 20)]);
        assert_eq!(report.violations, [late]);
        assert!(!report.is_clean());
    }

    #[test]
    fn either_verdict_is_right_while_the_revoke_is_under_way() {
        let checks = [
            check(1, 5, 11, Verdict::Accepted),
            check(1, 12, 13, Verdict::Accepted),
            check(1, 19, 30, Verdict::Accepted),
            check(1, 14, 21, Verdict::Refused),
            check(1, 22, 23, Verdict::Refused),
        ];
        let report = examine(&checks, &[revoke(1, 10, 20)]);
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.checks, report.accepted, report.overlapped), (5, 3, 4));
        assert_eq!((report.revoked, report.refused_after), (1, 1));
    }

    #[test]
    fn a_token_that_nobody_revoked_is_not_refused() {
        let refused = check(2, 0, 1, Verdict::Refused);
        let report = examine(&[refused], &[revoke(1, 0, 1), revoke(2, 5, 6)]);
        assert_eq!(report.refused_for_nothing, [refused]);
    }

    #[test]
    fn a_refused_token_does_not_come_back_even_before_the_answer() {
        let back = check(1, 13, 14, Verdict::Accepted);
        let checks = [check(1, 11, 12, Verdict::Refused), back];
        assert_eq!(examine(&checks, &[revoke(1, 10, 20)]).revived, [back]);
    }

    #[test]
    fn one_verifier_may_accept_what_another_refuses_until_the_answer() {
        let refused = check(1, 11, 12, Verdict::Refused);
        let other = |start, end| Check { verifier: 1, ..check(1, start, end, Verdict::Accepted) };
        assert!(examine(&[refused, other(13, 14)], &[revoke(1, 10, 20)]).is_clean());
        let late = other(20, 21);
        assert_eq!(examine(&[refused, late], &[revoke(1, 10, 20)]).violations, [late]);
    }

    #[test]
    fn no_answer_is_no_verdict() {
        let report = examine(&[check(1, 30, 31, Verdict::Unknown)], &[revoke(1, 10, 20)]);
        assert!(report.is_clean());
        assert_eq!((report.checks, report.unknown, report.refused_after), (0, 1, 0));
    }

    #[test]
    fn the_second_answer_of_two_counts_no_more_than_the_first() {
        let late = check(1, 25, 26, Verdict::Accepted);
        let report = examine(&[late], &[revoke(1, 10, 20), revoke(1, 12, 40)]);
        assert_eq!(report.violations, [late]);
    }

    #[test]
    fn shifted_answers_are_caught() {
        let checks = [check(1, 0, 1, Verdict::Accepted), check(1, 22, 23, Verdict::Refused)];
        let revokes = [revoke(1, 10, 20)];
        assert!(examine(&checks, &revokes).is_clean());
        let control = examine(&checks, &with_answers_too_early(&checks, &revokes));
        assert_eq!(control.violations.len(), 1);
    }
}
