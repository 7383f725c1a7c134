//! What an edge measures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::edge::Edge;
use crate::metrics::{Metric, Value};

/// Everything at this moment.
pub(super) fn measured(edge: &Edge) -> Vec<Metric> {
    let stats = edge.stats();
    let early = edge.asked_too_early.load(Ordering::Relaxed);
    let lease = stats.map_or(Duration::ZERO, |stats| stats.lease_left);
    vec![
        Metric {
            name: "ntd_edge_applied",
            help: "The last entry of the authority's log that every check takes into account.",
            value: Value::Gauge(stats.map_or(0, |stats| stats.applied)),
        },
        Metric {
            name: "ntd_edge_lease_left_seconds",
            help: "What is left of the lease; without one every answer is 503, or the authority's where it is asked.",
            value: Value::Seconds(lease.as_secs_f64()),
        },
        Metric {
            name: "ntd_edge_remembered_tokens",
            help: "Tokens whose signature is remembered.",
            value: Value::Gauge(stats.map_or(0, |stats| stats.remembered as u64)),
        },
        Metric {
            name: "ntd_edge_refused",
            help: "Checks that found a token bad.",
            value: Value::Counter(stats.map_or(0, |stats| stats.refused)),
        },
        Metric {
            name: "ntd_edge_not_ready",
            help: "Checks that found that nothing is known.",
            value: Value::Counter(early + stats.map_or(0, |stats| stats.not_ready)),
        },
    ]
}
