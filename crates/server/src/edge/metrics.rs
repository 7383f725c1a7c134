//! What an edge measures, as Prometheus reads it (text format 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::edge::Edge;

/// The media type of [`text`].
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything at this moment.
pub(super) fn text(edge: &Edge) -> String {
    let stats = edge.stats();
    let early = edge.asked_too_early.load(Ordering::Relaxed);
    let lease = stats.map_or(Duration::ZERO, |stats| stats.lease_left);
    let mut text = String::new();
    for (name, kind, help, value) in [
        (
            "ntd_edge_applied",
            "gauge",
            "The last entry of the authority's log that every check takes into account.",
            stats.map_or(0, |stats| stats.applied).to_string(),
        ),
        (
            "ntd_edge_lease_left_seconds",
            "gauge",
            "What is left of the lease; without one every answer is 503.",
            lease.as_secs_f64().to_string(),
        ),
        (
            "ntd_edge_remembered_tokens",
            "gauge",
            "Tokens whose signature is remembered.",
            stats.map_or(0, |stats| stats.remembered).to_string(),
        ),
        (
            "ntd_edge_refused_total",
            "counter",
            "Checks that found a token bad.",
            stats.map_or(0, |stats| stats.refused).to_string(),
        ),
        (
            "ntd_edge_not_ready_total",
            "counter",
            "Checks that found that nothing is known.",
            (early + stats.map_or(0, |stats| stats.not_ready)).to_string(),
        ),
    ] {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .expect("a String takes all");
    }
    text
}
