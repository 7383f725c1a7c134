//! The canary: the authority revokes something of its own again and again, and measures how long that
//! takes to be in force at each verifier (decision 11). No token, no audit record: an entry of the log.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nt_feed::server::{SessionId, Stream};
use nt_revocation::{Fact, RevocationSet};
use nt_token::clock::Stopwatch;
use nt_token::{Jti, Place};
use prometheus_client::metrics::counter::Counter;
use tokio::time::{sleep, timeout};

use crate::authority::entropy::entry_id;
use crate::authority::error::Answer;
use crate::authority::feed::longest_wait;
use crate::authority::{Authority, limits};
use crate::metrics::{Metric, Value};

/// Always the same place, which no token has: the bit of a canary is set once and for all.
const PLACE: Place = Place { list: RevocationSet::CANARIES, idx: 0 };
/// Its name in the log. No token is ever called so: theirs have a ULID.
const JTI: &str = "jti_canary";

/// What came of the canaries so far.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    revoked: Counter,
    failed: Counter,
    late: Counter,
    last: Mutex<Option<Seen>>,
}

/// What was seen of a canary.
#[derive(Debug, Clone)]
struct Seen {
    at_ms: u64,
    /// From its commit until it was in force everywhere.
    in_force: Duration,
    /// From its commit until this verifier refused it.
    refused_by: BTreeMap<String, Duration>,
    /// How many that had followed said nothing, and ran out of lease or left.
    silent: usize,
}

impl Authority {
    /// Revokes canaries for as long as this is wanted.
    pub async fn keep_canaries(&self) {
        let Some(each) = self.policy.canary_each else { return };
        loop {
            sleep(each).await;
            if let Err(error) = self.canary().await {
                self.measured.canaries.failed.inc();
                tracing::warn!(?error, "the canary could not be revoked");
            }
        }
    }

    /// Revokes one, if there is anybody to see it.
    async fn canary(&self) -> Answer<()> {
        let sessions = self.feed.sessions();
        let open = sessions.iter().filter(|session| session.stream == Stream::Open);
        let watched: HashSet<SessionId> = open.map(|session| session.id).collect();
        if watched.is_empty() {
            return Ok(());
        }
        let jti: Jti = JTI.parse().expect("a test reads it");
        let fact = Fact::TokenRevoked { place: PLACE, jti, exp: self.clock.now() };
        let seq = self.store.append(vec![(entry_id()?, fact)]).await?.seq;
        let (at_ms, since) = self.commits.of(seq).map_or_else(
            || (self.clock.wall_ms(), Stopwatch::start()),
            |committed| (committed.at_ms, committed.since),
        );
        let mut refused_by = BTreeMap::new();
        let waited =
            timeout(limits::CANARY_WAIT, self.watch_canary(seq, since, &watched, &mut refused_by));
        let came = waited.await;
        let in_force = since.elapsed();
        let bound = longest_wait() + limits::CANARY_LATE;
        let canaries = &self.measured.canaries;
        canaries.revoked.inc();
        if came.is_err() || in_force > bound {
            canaries.late.inc();
            tracing::warn!(
                seq,
                took_ms = in_force.as_millis(),
                bound_ms = bound.as_millis(),
                in_force = came.is_ok(),
                "a canary was not in force within the bound: revokes take too long"
            );
        }
        let silent = watched.len().saturating_sub(refused_by.len());
        let mut by_name: BTreeMap<String, Duration> = BTreeMap::new();
        for (name, took) in refused_by.into_values() {
            // Of several sessions of one verifier, the slowest.
            let slowest = by_name.entry(name).or_insert(took);
            *slowest = took.max(*slowest);
        }
        let seen = Seen { at_ms, in_force, refused_by: by_name, silent };
        *canaries.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(())
    }

    /// Until it is in force everywhere; notes who acknowledged it, and after how long. An
    /// acknowledgement says that every check that starts later refuses (`feed.proto`), so it is the
    /// moment from which the verifier refuses, give or take the way of the message.
    async fn watch_canary(
        &self,
        seq: u64,
        since: Stopwatch,
        watched: &HashSet<SessionId>,
        refused_by: &mut BTreeMap<SessionId, (String, Duration)>,
    ) {
        let (mut heard, mut complete) = (self.feed.heard(), self.feed.complete());
        loop {
            let is_in_force = *complete.borrow_and_update() >= seq;
            for session in self.feed.sessions() {
                if session.acked >= seq && watched.contains(&session.id) {
                    let took = since.elapsed().saturating_sub(session.acked_ago);
                    refused_by.entry(session.id).or_insert((self.called(&session.who), took));
                }
            }
            if is_in_force {
                return;
            }
            // Neither ends before this authority does.
            tokio::select! {
                _ = heard.changed() => {}
                _ = complete.changed() => {}
            }
        }
    }
}

impl Canaries {
    /// What came of them, and of the last one in particular.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut metrics = vec![
            Metric {
                name: "ntd_canary_revoked",
                help: "Canaries that were revoked.",
                value: Value::Counter(self.revoked.get()),
            },
            Metric {
                name: "ntd_canary_failed",
                help: "Canaries that could not be revoked.",
                value: Value::Counter(self.failed.get()),
            },
            Metric {
                name: "ntd_canary_late",
                help: "Canaries that were not in force within the bound and a second.",
                value: Value::Counter(self.late.get()),
            },
        ];
        let Some(Seen { at_ms, in_force, refused_by, silent }) = last else { return metrics };
        let refused_by = refused_by.into_iter().take(limits::MEASURED_VERIFIERS);
        let refused_by = refused_by.map(|(name, took)| (name, took.as_secs_f64())).collect();
        metrics.extend([
            Metric {
                name: "ntd_canary_last_timestamp_seconds",
                help: "When the last canary was revoked.",
                value: Value::Seconds(Duration::from_millis(at_ms).as_secs_f64()),
            },
            Metric {
                name: "ntd_canary_in_force_seconds",
                help: "From the last canary's commit until it was refused everywhere.",
                value: Value::Seconds(in_force.as_secs_f64()),
            },
            Metric {
                name: "ntd_canary_refused_seconds",
                help: "From the last canary's commit until this verifier refused it.",
                value: Value::SecondsOfEach(refused_by),
            },
            Metric {
                name: "ntd_canary_silent",
                help: "Sessions that followed when the last canary was revoked and did not acknowledge it.",
                value: Value::Gauge(silent as u64),
            },
        ]);
        metrics
    }
}
