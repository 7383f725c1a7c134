//! A token that was found good, and how one learns that it is so no longer.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nt_token::Claims;
use nt_token::check::LEEWAY;
use nt_token::clock::Boot;

use crate::drain::Admission;
use crate::lease::Moment;
use crate::seen::Seen;
use crate::shared::Shared;

/// A token that was found good at one moment. Only a verifier makes one.
#[derive(Clone)]
pub struct VerifiedToken {
    seen: Arc<Seen>,
    shared: Arc<Shared>,
    /// When it was found good.
    at: Boot,
    /// The request is under way for as long as this is kept.
    _admission: Option<Arc<Admission>>,
}

/// Why what runs under a token must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The token was revoked, or the key that signed it is one no longer.
    #[error("the token was revoked")]
    Revoked,
    /// It expired.
    #[error("the token expired")]
    Expired,
    /// It has not been known for too long whether it was revoked.
    #[error("the authority is out of reach: it is not known whether the token was revoked")]
    NotKnown,
}

impl VerifiedToken {
    pub(crate) fn new(
        seen: Arc<Seen>,
        shared: Arc<Shared>,
        at: Boot,
        admission: Option<Arc<Admission>>,
    ) -> Self {
        Self { seen, shared, at, _admission: admission }
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        self.seen.signed.claims()
    }

    /// Whether it may be used from there. A check does not look at this: who asks for it knows from where
    /// a request comes, or does not, and then only a token that is not restricted may be used.
    pub fn may_be_used_from(&self, address: Option<IpAddr>) -> bool {
        self.claims().source_networks.allow(address)
    }

    /// Whether a check would accept it now. As cheap as the check, and as strict: without a lease
    /// the answer is no.
    pub fn still_valid(&self) -> bool {
        self.shared.has_key(&self.seen) && self.shared.judge(&self.seen.signed).is_ok()
    }

    /// Resolves when what runs under the token must stop: it was revoked or expired, or the lease
    /// has been over for as long again as it was, so that a revocation would not be seen. The second
    /// lease length keeps streams alive while a node restarts; what cannot bear it asks
    /// [`Self::still_valid`] before each step.
    ///
    /// A token that a node vouched for while there was no lease ends one lease length after it was
    /// asked, if there still is none by then.
    ///
    /// Needs tokio's timer. Nothing is polled; dropping the future ends the waiting.
    pub fn ended(&self) -> impl Future<Output = End> + Send + use<> {
        let token = self.clone();
        let mut changed = token.shared.changed.subscribe();
        async move {
            loop {
                // Before the look, so that a change right after it wakes.
                changed.mark_unchanged();
                let wait = match token.end() {
                    Ok(end) => return end,
                    Err(wait) => wait,
                };
                tokio::select! {
                    _ = changed.changed() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    /// Why what runs under the token must stop, if it must by now: what [`Self::ended`] waits for, asked
    /// for without waiting.
    pub fn has_ended(&self) -> Option<End> {
        self.end().ok()
    }

    /// Why it has ended, or how long nothing will end it but a change.
    pub(crate) fn end(&self) -> Result<End, Duration> {
        if self.shared.is_revoked(&self.seen) {
            return Ok(End::Revoked);
        }
        let now = Moment::read(&*self.shared.clock);
        let exp = u64::try_from(self.claims().exp.plus_seconds(LEEWAY).unix()).unwrap_or(0);
        let expires_in = exp.saturating_mul(1_000).saturating_sub(now.wall_ms);
        if expires_in == 0 {
            return Ok(End::Expired);
        }
        let known_for = self.shared.lease.streams_end(self.at).since(now.boot);
        if known_for.is_zero() {
            return Ok(End::NotKnown);
        }
        Err(known_for.min(Duration::from_millis(expires_in)))
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").field("jti", &self.claims().jti).finish_non_exhaustive()
    }
}
