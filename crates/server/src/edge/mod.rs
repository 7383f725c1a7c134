//! The edge: a verifier as a small process of its own, for services that are not written in Rust.
//!
//! It follows an authority's feed and answers what gateways ask exactly as the authority does
//! (`http/forward_auth`), from its own memory and under its own lease. What is not here: how a token
//! is checked (`nt_verifier`), and how the feed is followed (`nt_feed`).

pub mod link;
pub mod listener;
mod metrics;
pub mod proxy;
mod routes;
pub mod serve;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ipnet::IpNet;
use nt_feed::ask::HttpAsk;
use nt_verifier::{Ask as _, Freshness, NotAccepted, Refused, Stats, VerifiedToken, Verifier};

use crate::authority::Demand;
use crate::authority::seen::Texts;
use crate::edge::link::Link;
use crate::http::forward_auth::denied::Denied;
use crate::http::judge::{Accepted, Judge};

/// What is done while there is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum WithoutLease {
    /// Answer 503
    #[default]
    Refuse,
    /// Ask the authority about each token
    Ask,
}

/// What the authority refuses without looking at anything.
const NO_TOKEN: &str = "wst_ready";

/// What the doors ask. Knows nothing, and says so, until the authority was heard for the first time.
#[derive(Default)]
pub struct Edge {
    verifier: OnceLock<Verifier>,
    /// Whose tokens are accepted, once that was heard.
    issuer: OnceLock<String>,
    /// How often the answer was "not ready" before there was a verifier to count it.
    asked_too_early: AtomicU64,
    /// Who is asked about each token while there is no lease, if anybody.
    ask: Option<HttpAsk>,
    /// Whose forwarded addresses count.
    proxies: Vec<IpNet>,
}

impl Edge {
    fn new(link: &Link) -> Self {
        let ask = match link.without_lease {
            WithoutLease::Refuse => None,
            WithoutLease::Ask => link.settings.ask.clone(),
        };
        Self { ask, proxies: link.proxies.clone(), ..Self::default() }
    }

    /// From now on this verifier decides, by the tokens of this issuer. The first one stays.
    fn decide_by(&self, issuer: String, verifier: Verifier) {
        self.issuer.get_or_init(|| issuer);
        self.verifier.get_or_init(|| verifier);
    }

    /// The token, where it is good and meets what is demanded.
    async fn admit(
        &self,
        token: &str,
        demand: &Demand,
        fresh: Freshness,
    ) -> Result<VerifiedToken, Denied> {
        let verifier = self.verifier()?;
        match (fresh, &self.ask) {
            (Freshness::Local, None) => fits(verifier.verify(token), demand),
            _ => fits(verifier.verify_or_ask(token, fresh).await, demand),
        }
    }

    fn verifier(&self) -> Result<&Verifier, Denied> {
        self.verifier.get().ok_or_else(|| {
            self.asked_too_early.fetch_add(1, Ordering::Relaxed);
            Denied::NotReady
        })
    }

    /// Whether a token may be used so, where nobody need be asked about that.
    fn at_once(
        &self,
        token: &str,
        demand: &Demand,
        fresh: Freshness,
    ) -> Option<Result<Accepted, Denied>> {
        match (fresh, &self.ask) {
            (Freshness::Local, None) => {
                let verifier = self.verifier();
                Some(verifier.and_then(|it| fits(it.verify(token), demand)).map(named))
            }
            _ => None,
        }
    }

    /// `None` until the authority was heard for the first time.
    fn stats(&self) -> Option<Stats> {
        self.verifier.get().map(Verifier::stats)
    }

    /// Whether verdicts can be given: under a lease, or by asking. Then the authority is asked now,
    /// about a text that is no token.
    async fn is_ready(&self) -> bool {
        let Some(stats) = self.stats() else { return false };
        if !stats.lease_left.is_zero() {
            return true;
        }
        match &self.ask {
            None => false,
            Some(ask) => ask.ask(NO_TOKEN).await.is_ok(),
        }
    }
}

/// A good token has to be good for what is demanded too.
fn fits(
    checked: Result<VerifiedToken, NotAccepted>,
    demand: &Demand,
) -> Result<VerifiedToken, Denied> {
    let token = checked.map_err(|reason| {
        tracing::debug!(%reason, "a token was not accepted");
        Denied::from(reason)
    })?;
    demand.met_by(token.claims()).map_err(Denied::Unmet)?;
    Ok(token)
}

fn named(token: VerifiedToken) -> Accepted {
    let texts = Texts::of(token.claims());
    Accepted::AtEdge(Box::new((token, texts)))
}

impl Judge for Edge {
    async fn judge(
        &self,
        token: &str,
        demand: &Demand,
        fresh: Freshness,
    ) -> Result<Accepted, Denied> {
        self.admit(token, demand, fresh).await.map(named)
    }

    fn proxies(&self) -> &[IpNet] {
        &self.proxies
    }
}

impl From<NotAccepted> for Denied {
    fn from(reason: NotAccepted) -> Self {
        match reason {
            NotAccepted::NotReady(_) => Self::NotReady,
            NotAccepted::Refused(Refused::Token(refusal)) => refusal.into(),
            NotAccepted::Refused(Refused::Revoked(_)) => Self::Revoked,
            NotAccepted::Refused(Refused::ByAuthority) => Self::Invalid,
        }
    }
}
