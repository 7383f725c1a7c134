//! The rules of the authority: issue, list, refresh, revoke, verify. No HTTP and no SQL here: the
//! doors parse and answer, the store remembers.

pub mod access;
pub mod audit;
mod canary;
pub mod clients;
pub mod cluster;
pub mod demand;
mod doubt;
pub mod entropy;
pub mod error;
pub mod feed;
mod first;
pub mod follow;
pub mod issue;
pub mod janitor;
pub mod jobs;
pub mod keyring;
pub mod keys;
pub mod limits;
pub mod list;
mod measured;
pub mod members;
pub mod oauth;
pub mod people;
mod rates;
pub mod receipts;
pub mod refresh;
mod restrictions;
pub mod revocation;
pub mod revoke;
pub mod seen;
mod serving;
pub mod sessions;
pub mod sign_in;
pub mod start;
pub mod status_lists;
#[cfg(test)]
mod tests;
pub mod usage;
pub mod verifiers;
pub mod verify;
pub mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use nt_feed::server::{Feed, NodeLease};
use nt_identity::provider::Provider;
use nt_identity::trust::TrustedIssuers;
use nt_revocation::RevocationSet;
use nt_store::{Act, Store};
use nt_token::clock::{Clock, Stopwatch};
use nt_token::{Expected, Lifetime};

use crate::authority::clients::Clients;
use crate::authority::cluster::node::Running;
use crate::authority::doubt::Doubt;
use crate::authority::error::Refusal;
use crate::authority::feed::FeedSource;
use crate::authority::feed::epochs::Epochs;
use crate::authority::feed::granted::Granted;
use crate::authority::first::FirstRevocations;
use crate::authority::keyring::{Keyring, Keys};
use crate::authority::measured::Measured;
use crate::authority::people::People;
use crate::authority::rates::Rates;
use crate::authority::receipts::{Commits, Receipts};
use crate::authority::seen::SeenTokens;
use crate::authority::sessions::Sessions;
use crate::authority::status_lists::StatusLists;
use crate::authority::usage::Usage;
use crate::authority::verifiers::Verifiers;
use crate::key_secret::KeySecret;

pub use demand::{Binding, Demand, Source, Unmet};
pub use people::Caller;
pub use verify::{NotAccepted, VerifiedToken};

/// What the operator of this authority decided.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The longest life of a token.
    pub longest_token: Lifetime,
    /// How long a session lasts at the most.
    pub session: Lifetime,
    /// How long a session lasts without being used.
    pub session_idle: Lifetime,
    /// How long a CI job's session lasts at the most.
    pub job_session: Lifetime,
    /// Who may do what belongs to no workspace: e-mail addresses or subjects.
    pub admins: Vec<String>,
    /// How often a canary is revoked; never where nothing is said.
    pub canary_each: Option<Duration>,
}

/// The authority.
pub struct Authority {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    keys: Arc<Keys>,
    key_secret: KeySecret,
    /// Where the key secret came from, for people.
    key_place: String,
    set: Arc<RevocationSet>,
    /// Whether an entry of the log could not be applied: then nothing is known any more.
    doubt: Arc<Doubt>,
    /// Until when verdicts may be given.
    lease: NodeLease,
    /// Where there are several nodes, what this one does as one of them.
    node: Option<Running>,
    /// Which history each entry is of.
    epochs: Arc<Epochs>,
    /// Since when this process has waited for the leases of the one before, if there were any.
    leases_before: Option<Stopwatch>,
    commits: Arc<Commits>,
    receipts: Receipts,
    first_revocations: FirstRevocations,
    status_lists: StatusLists,
    seen: SeenTokens,
    sessions: Sessions,
    usage: Usage,
    expected: Expected,
    policy: Policy,
    provider: Option<Provider>,
    trusted: TrustedIssuers,
    people: People,
    verifiers: Arc<Verifiers>,
    clients: Clients,
    rates: Rates,
    feed: Feed<FeedSource>,
    granted: Arc<Granted>,
    measured: Measured,
}

impl Authority {
    /// The keys, as they are now.
    pub fn keyring(&self) -> Arc<Keyring> {
        Guard::into_inner(self.keys.now())
    }

    /// The `iss` of every token.
    pub fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The clock, for whoever outlives a call.
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The identity provider, where there is one.
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    /// The issuers whose CI jobs are let in.
    pub fn trusted(&self) -> &TrustedIssuers {
        &self.trusted
    }

    /// The verifiers that are registered: who connects to the feed is asked here.
    pub fn verifiers(&self) -> &Verifiers {
        &self.verifiers
    }

    /// The circumstances of what a caller does now.
    fn act(&self, caller: &Caller) -> Act {
        let operator = caller.operator().id.clone();
        Act { operator, at: self.clock.now(), from: caller.from, note: None }
    }
}

/// Whether a text is fit to be shown: short enough, and on one line.
fn shown_text(field: &'static str, text: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() > limits::TEXT_CHARS || text.chars().any(char::is_control) {
        let message =
            format!("'{field}' must be at most {} characters on one line", limits::TEXT_CHARS);
        return Err(Refusal::invalid(field, message));
    }
    Ok(Some(text))
}
