//! What happened when, as a table to read, and whether it is what was promised.

use std::fmt;
use std::time::Duration;

use nt_testkit::{Check, Report, Revoke, Verdict};

use crate::{LEAKED, OTHER};

/// The moments that matter.
pub(crate) struct Timeline {
    revoke: Revoke,
    accepted_before: [usize; 2],
    last_accepted: Option<Duration>,
    first_refused: Option<Duration>,
    refused_after: usize,
    accepted_after: usize,
    other_after: usize,
    other_not_accepted: usize,
}

impl Timeline {
    pub(crate) fn of(checks: &[Check], revoke: Revoke) -> Self {
        let with = |token: usize, verdict: Verdict| {
            checks.iter().filter(move |check| check.token == token && check.verdict == verdict)
        };
        let before =
            |token| with(token, Verdict::Accepted).filter(|c| c.end < revoke.start).count();
        let after = |check: &&Check| check.start >= revoke.end;
        let others = checks.iter().filter(|check| check.token == OTHER);
        Self {
            revoke,
            accepted_before: [before(LEAKED), before(OTHER)],
            last_accepted: with(LEAKED, Verdict::Accepted).map(|check| check.start).max(),
            first_refused: with(LEAKED, Verdict::Refused).map(|check| check.start).min(),
            refused_after: with(LEAKED, Verdict::Refused).filter(after).count(),
            accepted_after: with(LEAKED, Verdict::Accepted).filter(after).count(),
            other_after: with(OTHER, Verdict::Accepted).filter(after).count(),
            other_not_accepted: others.filter(|check| check.verdict != Verdict::Accepted).count(),
        }
    }

    /// Says whether the promise was kept.
    pub(crate) fn verdict(&self, report: &Report) -> bool {
        let kept = report.is_clean()
            && self.accepted_before.iter().all(|count| *count > 0)
            && self.refused_after > 0
            && self.other_after > 0
            && self.other_not_accepted == 0;
        println!(
            "\n{} Of {} requests with the revoked token that started after the answer, {} passed.",
            if kept { "Kept:" } else { "BROKEN:" },
            self.refused_after + self.accepted_after,
            self.accepted_after
        );
        if !kept {
            println!("{report:#?}");
        }
        kept
    }

    /// Milliseconds since the revoke began.
    fn offset(&self, at: Duration) -> f64 {
        (at.as_secs_f64() - self.revoke.start.as_secs_f64()) * 1_000.0
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [leaked, other] = self.accepted_before;
        let mut moments = vec![
            (self.revoke.start, "`ntcli token revoke` starts".to_owned()),
            (self.revoke.end, "REVOKED: `ntcli` has its answer and has ended".to_owned()),
        ];
        let last = "the last request with the leaked token that passes, starts";
        moments.extend(self.last_accepted.map(|at| (at, last.to_owned())));
        let first = "the first request with the leaked token that is refused, starts";
        moments.extend(self.first_refused.map(|at| (at, first.to_owned())));
        moments.sort_by_key(|(at, _)| *at);
        writeln!(f, "  Timeline, in milliseconds since the revoke began\n")?;
        writeln!(f, "      before   both tokens pass: {leaked} and {other} requests")?;
        for (at, what) in moments {
            writeln!(f, "  {:>+10.1}   {what}", self.offset(at))?;
        }
        let (refused, passed) = (self.refused_after, self.accepted_after);
        writeln!(f, "       after   leaked token: {refused} requests refused, {passed} passed")?;
        let (refused, passed) = (self.other_not_accepted, self.other_after);
        writeln!(f, "               other token:  {refused} requests refused, {passed} passed")
    }
}
