//! The reading side: is this token good right now?

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use nt_revocation::RevocationSet;
use nt_token::check::Refusal;
use nt_token::clock::{Clock, SystemClock};
use nt_token::key::NotOpened;
use nt_token::{Expected, KeySet};
use tokio::sync::watch;

use crate::ask::{Answer, Ask, Freshness};
use crate::drain::{Drain, UnderWay};
use crate::lease::{Lease, Moment};
use crate::order;
use crate::refusal::{NotAccepted, NotReady, Refused};
use crate::seen::{Keys, Seen, SeenTokens};
use crate::shared::Shared;
use crate::state::State;
use crate::token::VerifiedToken;

/// What a verifier is made of.
#[non_exhaustive]
pub struct Options {
    /// The issuer and the audience that tokens must name.
    pub expected: Expected,
    /// The keys to begin with; [`State::set_keys`] replaces them.
    pub keys: KeySet,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How much memory the cache of signatures may take.
    pub cache_bytes: u64,
    /// How long a lease usually is, and how long after its end a stream is cut.
    pub lease: Duration,
    /// Whom to ask about a single token, if anybody.
    pub ask: Option<Arc<dyn Ask>>,
    /// Whether what was let in before a revocation holds its acknowledgement up.
    pub drain: Drain,
}

impl Options {
    /// The defaults: no keys yet, the machine's clock, 16 MiB for signatures (about 20,000 tokens),
    /// leases of two seconds, nobody to ask, nothing drained.
    pub fn new(expected: Expected) -> Self {
        Self {
            expected,
            keys: KeySet::default(),
            clock: Arc::new(SystemClock),
            cache_bytes: 16 << 20,
            lease: Duration::from_secs(2),
            ask: None,
            drain: Drain::No,
        }
    }
}

/// Answers whether a token is good right now, from memory. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Verifier(Arc<Shared>);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// What a verifier is doing, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The last entry of the log that every check takes into account.
    pub applied: u64,
    /// What is left of the lease; zero when there is none.
    pub lease_left: Duration,
    /// Tokens whose signature is remembered.
    pub remembered: usize,
    /// How many wait for the end of a token.
    pub waiting: usize,
    /// Checks so far that ended in "refused".
    pub refused: u64,
    /// Checks so far that ended in "not ready".
    pub not_ready: u64,
}

impl Verifier {
    /// A verifier, and the hand that feeds it. It refuses everything as not ready until it was given
    /// a lease.
    pub fn new(options: Options) -> (Self, State) {
        let shared = Arc::new(Shared {
            expected: options.expected,
            clock: options.clock,
            keys: ArcSwap::from_pointee(Keys { set: options.keys, generation: 0 }),
            set: ArcSwap::from_pointee(RevocationSet::new()),
            seen: SeenTokens::new(options.cache_bytes),
            lease: Lease::new(options.lease),
            changed: watch::Sender::new(()),
            writer: Mutex::new(()),
            ask: options.ask,
            under_way: UnderWay::new(options.drain),
            refused: AtomicU64::new(0),
            not_ready: AtomicU64::new(0),
        });
        (Self(Arc::clone(&shared)), State::new(shared))
    }

    /// Checks a token, with or without its `wst_`. Takes no lock and asks nobody; for a token that
    /// was seen before it allocates nothing ([`Drain`] costs both). The verdict holds at its moment:
    /// what goes on for longer looks at [`VerifiedToken::still_valid`] or waits for
    /// [`VerifiedToken::ended`].
    ///
    /// From where a token is used is for the caller to know: [`VerifiedToken::may_be_used_from`] must be
    /// asked, too, as the layer does.
    pub fn verify(&self, token: &str) -> Result<VerifiedToken, NotAccepted> {
        self.look(token).map_err(|not| self.0.count(not))
    }

    /// Checks a token as freshly as is demanded, which may mean to ask a node.
    pub async fn verify_or_ask(
        &self,
        token: &str,
        freshness: Freshness,
    ) -> Result<VerifiedToken, NotAccepted> {
        let known = self.look(token);
        let ask = match (&known, freshness) {
            // What was revoked stays revoked, and a bad signature stays bad: nobody need be asked.
            (Err(NotAccepted::Refused(_)), _) | (Ok(_), Freshness::Local) => false,
            (Err(NotAccepted::NotReady(_)), Freshness::Local) => self.0.ask.is_some(),
            (_, Freshness::Sync) => true,
        };
        let result = if ask { self.ask(token).await } else { known };
        result.map_err(|not| self.0.count(not))
    }

    /// What it is doing.
    pub fn stats(&self) -> Stats {
        let shared = &self.0;
        Stats {
            applied: shared.set.load().applied(),
            lease_left: shared.lease.load().left(Moment::read(&*shared.clock)),
            remembered: shared.seen.len(),
            waiting: shared.changed.receiver_count(),
            refused: shared.refused.load(Ordering::Relaxed),
            not_ready: shared.not_ready.load(Ordering::Relaxed),
        }
    }

    fn look(&self, token: &str) -> Result<VerifiedToken, NotAccepted> {
        let seen = self.signature(token)?;
        let admission = self.0.admit(&seen);
        let now = self.0.judge(&seen.signed)?;
        Ok(VerifiedToken::new(seen, Arc::clone(&self.0), now.boot, admission))
    }

    fn signature(&self, token: &str) -> Result<Arc<Seen>, NotAccepted> {
        match self.0.seen.check(token, &self.0.keys.load()) {
            Err(Refusal::NotOpened(NotOpened::UnknownKey)) => self.signature_by_new_key(token),
            checked => checked.map_err(|refusal| Refused::Token(refusal).into()),
        }
    }

    /// Looks again, in the order of the check: a key that is not known here is no key of the
    /// authority only under a lease that was there before the keys were looked at. Without one it
    /// may be a key that came since.
    fn signature_by_new_key(&self, token: &str) -> Result<Arc<Seen>, NotAccepted> {
        let (term, checked, now) = order::check(
            || self.0.lease.load(),
            || self.0.seen.check(token, &self.0.keys.load()),
            || Moment::read(&*self.0.clock),
        );
        checked.map_err(|refusal| match refusal {
            Refusal::NotOpened(NotOpened::UnknownKey) if term.is_over(now) => {
                NotReady::LeaseOver.into()
            }
            refusal => Refused::Token(refusal).into(),
        })
    }

    async fn ask(&self, token: &str) -> Result<VerifiedToken, NotAccepted> {
        let seen = self.signature(token)?;
        let ask = self.0.ask.as_ref().ok_or(NotReady::NoAnswer)?;
        let admission = self.0.admit(&seen);
        let began = self.0.clock.boot();
        match ask.ask(token).await? {
            Answer::Refused => Err(Refused::ByAuthority.into()),
            Answer::Good => {
                let now = Moment::read(&*self.0.clock).wall();
                seen.signed.valid_at(&self.0.expected, now).map_err(Refused::Token)?;
                Ok(VerifiedToken::new(seen, Arc::clone(&self.0), began, admission))
            }
        }
    }
}
