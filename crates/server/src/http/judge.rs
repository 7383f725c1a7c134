//! Who decides whether a token is good: this authority, or an edge for another. The doors that gateways
//! ask are the same at both.

use ipnet::IpNet;
use nt_token::Claims;
use nt_verifier::Freshness;

use crate::authority::seen::Texts;
use crate::authority::{Demand, VerifiedToken};
use crate::http::Doors;
use crate::http::forward_auth::denied::Denied;

/// Who decides.
pub trait Judge: Send + Sync + 'static {
    /// Whether a token may be used so.
    fn judge(
        &self,
        token: &str,
        demand: &Demand,
        fresh: Freshness,
    ) -> impl Future<Output = Result<Accepted, Denied>> + Send;

    /// Whose forwarded addresses count.
    fn proxies(&self) -> &[IpNet];
}

/// A token that was found good.
#[derive(Debug)]
pub enum Accepted {
    /// By the authority.
    Here(VerifiedToken),
    /// By an edge.
    AtEdge(Box<(nt_verifier::VerifiedToken, Texts)>),
}

impl Accepted {
    /// What it says.
    pub fn claims(&self) -> &Claims {
        match self {
            Self::Here(token) => token.claims(),
            Self::AtEdge(token) => token.0.claims(),
        }
    }

    /// The same as text, for answers.
    pub fn texts(&self) -> &Texts {
        match self {
            Self::Here(token) => token.texts(),
            Self::AtEdge(token) => &token.1,
        }
    }
}

impl Judge for Doors {
    async fn judge(&self, token: &str, demand: &Demand, _: Freshness) -> Result<Accepted, Denied> {
        // What the authority knows is always fresh.
        self.authority.verify(token, demand).map(Accepted::Here).map_err(|reason| {
            tracing::debug!(%reason, "a token was not accepted");
            reason.into()
        })
    }

    fn proxies(&self) -> &[IpNet] {
        &self.proxies
    }
}
