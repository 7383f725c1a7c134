//! "Is this token good right now?", answered from memory.

use std::net::IpAddr;
use std::sync::Arc;

use nt_revocation::Status;
use nt_token::{Claims, Refusal as TokenRefusal, Timestamp};

use crate::authority::Authority;
use crate::authority::demand::{Demand, Unmet};
use crate::authority::seen::{Last, Seen, Texts};

/// A token that was found good at one moment. Only [`Authority::verify`] makes one.
#[derive(Debug)]
pub struct VerifiedToken(Arc<Seen>);

impl VerifiedToken {
    /// What it says.
    pub fn claims(&self) -> &Claims {
        self.0.signed.claims()
    }

    /// The same as text, for answers.
    pub fn texts(&self) -> &Texts {
        &self.0.texts
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It is no token of ours that holds now.
    #[error(transparent)]
    Refused(#[from] TokenRefusal),
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// It is good, but not for what is asked about.
    #[error(transparent)]
    Unmet(#[from] Unmet),
    /// This authority cannot know: whoever cannot know refuses, and says so (503, never 401).
    #[error("the revocation state is not known here")]
    NotReady,
}

impl Authority {
    /// Checks a token: signature (remembered), claims and time, revocation. Counts the use, or the
    /// attempt with a revoked token. Asks no database.
    pub fn verify(&self, token: &str, demand: &Demand) -> Result<VerifiedToken, NotAccepted> {
        self.verify_after(token, demand, None)
    }

    /// The same, where a connection may ask about the same token again and again.
    pub fn verify_after(
        &self,
        token: &str,
        demand: &Demand,
        last: Option<&Last>,
    ) -> Result<VerifiedToken, NotAccepted> {
        let now = self.clock.now();
        let from = demand.source.address();
        let seen = self.look_leased(token, now, from, last).inspect_err(|why| {
            match why {
                NotAccepted::NotReady => self.measured.not_ready.inc(),
                _ => self.measured.refused.inc(),
            };
        })?;
        demand.met_by(seen.signed.claims()).inspect_err(|unmet| {
            if *unmet == Unmet::Source {
                self.measured.elsewhere.inc();
                self.usage.elsewhere(seen.signed.claims(), now, from);
            }
        })?;
        self.usage.used(&seen, now, from);
        Ok(VerifiedToken(seen))
    }

    /// The order counts: the lease's end, then the look-up, then the clock. Only that a token was
    /// revoked can be said without a lease: that is never taken back.
    fn look_leased(
        &self,
        token: &str,
        now: Timestamp,
        from: Option<IpAddr>,
        last: Option<&Last>,
    ) -> Result<Arc<Seen>, NotAccepted> {
        let end = self.lease.end();
        match self.look(token, now, from, last) {
            Err(NotAccepted::Revoked) => Err(NotAccepted::Revoked),
            _ if self.clock.boot() >= end => Err(NotAccepted::NotReady),
            seen => seen,
        }
    }

    fn look(
        &self,
        token: &str,
        now: Timestamp,
        from: Option<IpAddr>,
        last: Option<&Last>,
    ) -> Result<Arc<Seen>, NotAccepted> {
        let seen = self.seen.check_after(token, self.keys.now().checking(), last)?;
        // Revoked wins over expired: who presents a dead token learns that it was taken back.
        match self.set.status(&seen.signed) {
            Status::Good => {}
            Status::Revoked(_) => {
                self.usage.denied(seen.signed.claims(), now, from);
                return Err(NotAccepted::Revoked);
            }
            Status::Unknown => return Err(NotAccepted::NotReady),
        }
        if self.doubt.is_there() {
            return Err(NotAccepted::NotReady);
        }
        seen.signed.valid_at(&self.expected, now)?;
        Ok(seen)
    }
}
