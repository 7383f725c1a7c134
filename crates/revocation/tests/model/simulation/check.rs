//! Checks: three loads on one of a verifier's threads, and whatever comes between them.

use nt_revocation::protocol::{Boot, Rules};

use super::life::{BACK, Bug, Life, PROMISE};

/// A check under way on one thread.
#[derive(Clone, Copy)]
pub(super) struct Check {
    /// `None` for one that is never revoked.
    token: Option<usize>,
    /// Its revoke was answered before the check started.
    dead: bool,
    loads: u8,
    end: Option<Boot>,
    revoked: bool,
    /// What was published when it started.
    saw: (Option<Boot>, u64),
    /// It was refused here as revoked before the check started.
    refused: bool,
    wake_at: u64,
}

impl<R: Rules> Life<R> {
    /// Lets the threads that answer checks run.
    pub(super) fn check(&mut self, v: usize) {
        let verifier = &self.verifiers[v];
        if verifier.host.stands_until(self.t).is_some() || self.t < verifier.down_until {
            return;
        }
        let lasts = verifier.end.is_some_and(|end| verifier.now(self.bug).boot < end);
        if lasts && !verifier.state.dead.cover(&self.dead) {
            self.fails(PROMISE);
        }
        for thread in 0..2 {
            self.run_thread(v, thread);
        }
    }

    fn run_thread(&mut self, v: usize, thread: usize) {
        let mut check = match self.verifiers[v].checks[thread] {
            Some(check) if self.t < check.wake_at => return,
            Some(check) => check,
            None if self.dice.once_in(4) => self.start_check(v),
            None => return,
        };
        while check.loads < 3 {
            self.load(v, &mut check);
            if check.loads < 3 && self.dice.once_in(6) {
                let long = self.turbulent() && self.dice.once_in(4);
                check.wake_at = self.t + self.dice.below(if long { 4_000 } else { 50 });
                self.verifiers[v].checks[thread] = Some(check);
                return;
            }
        }
        self.verifiers[v].checks[thread] = None;
        self.judge_check(v, &check);
    }

    fn start_check(&mut self, v: usize) -> Check {
        // The token that is next to be revoked, the last few that were, or one that never is.
        let back = usize::try_from(self.dice.below(5)).expect("few");
        let token = (self.tokens.len() - 1).checked_sub(back).filter(|_| back < 4);
        let dead = token.is_some_and(|token| self.tokens[token].answered);
        let verifier = &self.verifiers[v];
        let saw = (verifier.end, verifier.state.at.seq);
        let refused = token.is_some_and(|token| verifier.refused.has(token));
        Check { token, dead, loads: 0, end: None, revoked: false, saw, refused, wake_at: 0 }
    }

    /// The next load: the end, the state, and the clock last, which is read when it is judged.
    fn load(&mut self, v: usize, check: &mut Check) {
        let verifier = &self.verifiers[v];
        let state_first = self.bug == Bug::StateBeforeExpiry;
        match (check.loads, state_first) {
            (0, false) | (1, true) => check.end = verifier.end,
            (1, false) | (0, true) => {
                let known = self.bug == Bug::VerdictCached
                    && check.token.is_some_and(|token| verifier.cached.contains(&token));
                let dead = |token| verifier.state.dead.has(token);
                check.revoked = !known && check.token.is_some_and(dead);
            }
            _ => {}
        }
        check.loads += 1;
    }

    fn judge_check(&mut self, v: usize, check: &Check) {
        let verifier = &mut self.verifiers[v];
        let lasts = check.end.is_some_and(|end| verifier.now(self.bug).boot < end);
        self.figures.checks += 1;
        self.figures.overlapped += u64::from(check.saw != (verifier.end, verifier.state.at.seq));
        let accepted = lasts && !check.revoked;
        self.figures.accepted += u64::from(accepted);
        if let (true, Some(token)) = (lasts && check.revoked, check.token) {
            verifier.refused.insert(token);
        }
        if let (true, Some(token)) = (accepted, check.token) {
            verifier.cached.insert(token);
            if check.dead {
                self.fails(PROMISE);
            } else if check.refused {
                self.fails(BACK);
            } else if self.must_be_over(token) {
                self.fails("a token is accepted when every lease from before its revoke is over");
            }
        }
        if check.token.is_none() && !accepted && self.recovered() {
            self.fails("a token that was never revoked is refused though everybody runs");
        }
    }
}
