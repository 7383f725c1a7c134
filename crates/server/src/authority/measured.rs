//! What the authority measures of itself. Names of verifiers, never identifiers of tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use nt_feed::server::{Listed, Stream};
use nt_revocation::protocol::Lengths;
use nt_revocation::protocol::time::kappa;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

use crate::authority::canary::Canaries;
use crate::authority::{Authority, limits};
use crate::metrics::{Metric, Value};

/// What is counted as it happens.
pub(super) struct Measured {
    /// Tokens that were revoked one by one.
    pub(super) revocations: Counter,
    /// How long that took to be in force, from the commit on, in seconds.
    pub(super) in_force: Histogram,
    /// Checks that found a token bad.
    pub(super) refused: Counter,
    /// Checks that found a good token used from outside its networks.
    pub(super) elsewhere: Counter,
    /// Checks that found that nothing is known.
    pub(super) not_ready: Counter,
    /// What came of the canaries.
    pub(super) canaries: Canaries,
}

/// An acknowledgement within a data centre, between continents, a lease that ran out (2.5 s), two.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.8, 5.6];

impl Default for Measured {
    fn default() -> Self {
        Self {
            revocations: Counter::default(),
            in_force: Histogram::new(SECONDS),
            refused: Counter::default(),
            elsewhere: Counter::default(),
            not_ready: Counter::default(),
            canaries: Canaries::default(),
        }
    }
}

impl Authority {
    /// Everything at this moment.
    pub(crate) fn measured(&self) -> Vec<Metric> {
        let sessions = self.feed.sessions();
        let head = self.commits.last().max(self.set.applied());
        let mut metrics = Vec::from(self.measured_log(head));
        metrics.extend(self.measured_verifiers(head, &sessions));
        metrics.extend(self.measured_checks());
        metrics.extend(self.measured_nodes());
        metrics.extend(self.measured.canaries.metrics());
        metrics
    }

    fn measured_log(&self, head: u64) -> [Metric; 3] {
        [
            Metric {
                name: "ntd_ready",
                help: "Whether verdicts can be given (1) or not (0).",
                value: Value::Gauge(self.is_ready().into()),
            },
            Metric {
                name: "ntd_log_head",
                help: "The last entry of the log.",
                value: Value::Gauge(head),
            },
            Metric {
                name: "ntd_log_complete",
                help: "The last entry that is in force everywhere.",
                value: Value::Gauge(*self.in_force_to().borrow()),
            },
        ]
    }

    /// Where there may be several nodes.
    fn measured_nodes(&self) -> Vec<Metric> {
        let Some(node) = self.node() else { return Vec::new() };
        let left = self.lease.end().since(self.clock.boot());
        vec![
            Metric {
                name: "ntd_node_lease_left_seconds",
                help: "For how long this node may go on without the database.",
                value: Value::Seconds(left.as_secs_f64()),
            },
            Metric {
                name: "ntd_nodes",
                help: "Nodes that may have granted a lease that still runs: revokes wait for them.",
                value: Value::Gauge(node.everywhere().members() as u64),
            },
            Metric {
                name: "ntd_nodes_connected",
                help: "Other nodes that a stream stands with.",
                value: Value::Gauge(node.peers().connected() as u64),
            },
            Metric {
                name: "ntd_quarantine",
                help: "Whether what this node knows is in doubt (1), so that it says nothing.",
                value: Value::Gauge(self.doubt.is_there().into()),
            },
        ]
    }

    fn measured_verifiers(&self, head: u64, sessions: &[Listed]) -> [Metric; 5] {
        let count = |counts: fn(&Listed) -> bool| {
            Value::Gauge(sessions.iter().filter(|session| counts(session)).count() as u64)
        };
        // A lease that is out was asked for when as much of the longest was left as that lasts.
        let longest = kappa(Lengths::default().verifier);
        let left = sessions.iter().map(|session| session.lease_left);
        let least = left.filter(|left| !left.is_zero()).min();
        let oldest = least.map_or(Duration::ZERO, |left| longest.saturating_sub(left));
        // Of several sessions of one verifier, the one that is furthest behind.
        let mut lags: BTreeMap<String, u64> = BTreeMap::new();
        for session in sessions {
            let lag = lags.entry(self.called(&session.who)).or_default();
            *lag = head.saturating_sub(session.acked).max(*lag);
        }
        [
            Metric {
                name: "ntd_verifiers_connected",
                help: "Sessions of verifiers whose stream is open.",
                value: count(|session| session.stream == Stream::Open),
            },
            Metric {
                name: "ntd_verifiers_without_lease",
                help: "Connected sessions that may not say that a token is good.",
                value: count(|s| s.stream == Stream::Open && s.lease_left.is_zero()),
            },
            Metric {
                name: "ntd_verifiers_cut_off",
                help: "Sessions that are gone while their lease may still run: revokes wait for them.",
                value: count(|session| session.stream == Stream::Ended),
            },
            Metric {
                name: "ntd_verifier_lease_oldest_seconds",
                help: "The age of the oldest lease that may still run.",
                value: Value::Seconds(oldest.as_secs_f64()),
            },
            Metric {
                name: "ntd_verifier_lag_entries",
                help: "How many entries of the log a verifier has not acknowledged.",
                value: Value::GaugeOfEach(
                    lags.into_iter().take(limits::MEASURED_VERIFIERS).collect(),
                ),
            },
        ]
    }

    fn measured_checks(&self) -> [Metric; 5] {
        [
            Metric {
                name: "ntd_revocations",
                help: "Tokens that were revoked one by one.",
                value: Value::Counter(self.measured.revocations.get()),
            },
            Metric {
                name: "ntd_revocation_in_force_seconds",
                help: "From the commit of a revocation until no verifier accepts the token.",
                value: Value::Histogram(self.measured.in_force.clone()),
            },
            Metric {
                name: "ntd_refused",
                help: "Checks that found a token bad.",
                value: Value::Counter(self.measured.refused.get()),
            },
            Metric {
                name: "ntd_used_elsewhere",
                help: "Checks that found a good token used from outside its networks.",
                value: Value::Counter(self.measured.elsewhere.get()),
            },
            Metric {
                name: "ntd_not_ready",
                help: "Checks that found that nothing is known.",
                value: Value::Counter(self.measured.not_ready.get()),
            },
        ]
    }
}
