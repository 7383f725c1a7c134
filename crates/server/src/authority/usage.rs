//! Who uses which token, and who still knocks with a dead one: counted off the hot path. Who knocks with
//! a good one from where it may not be used is logged.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use nt_store::{Denial, UseDelta};
use nt_token::{Claims, Jti, Timestamp};

use crate::authority::limits::{COUNT_WAITING, DENIED_LOG_EVERY};
use crate::authority::seen::{Seen, Uses};

/// What waits to be written down.
#[derive(Debug, Default)]
pub struct Usage {
    used: Mutex<Vec<Arc<Seen>>>,
    denied: Mutex<HashMap<Jti, Denied>>,
    /// When it was last logged that a token is used from outside its networks.
    elsewhere: Mutex<HashMap<Jti, Timestamp>>,
}

#[derive(Debug)]
struct Denied {
    /// What was counted since it was last written down.
    delta: Denial,
    /// When it was last logged.
    logged_at: Timestamp,
}

impl Usage {
    /// Counts a use of a good token: two atomic additions, and a lock once per token and interval.
    pub fn used(&self, seen: &Arc<Seen>, now: Timestamp, from: Option<IpAddr>) {
        if !seen.count(now, from) {
            return;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() < COUNT_WAITING {
            used.push(Arc::clone(seen));
        } else {
            seen.not_queued();
        }
    }

    /// Counts an attempt with a revoked token, and logs it without letting it flood the log.
    pub fn denied(&self, claims: &Claims, now: Timestamp, from: Option<IpAddr>) {
        let mut waiting = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.contains_key(&claims.jti) && waiting.len() >= COUNT_WAITING {
            return;
        }
        let denied = waiting.entry(claims.jti.clone()).or_insert_with(|| Denied {
            delta: nothing(claims, now),
            logged_at: now.plus_seconds(-DENIED_LOG_EVERY),
        });
        if denied.delta.count == 0 {
            denied.delta.first_at = now;
        }
        denied.delta.count += 1;
        denied.delta.last_at = denied.delta.last_at.max(now);
        denied.delta.last_from = from.or(denied.delta.last_from);
        if now >= denied.logged_at.plus_seconds(DENIED_LOG_EVERY) {
            denied.logged_at = now;
            tracing::warn!(
                token.jti = %claims.jti, workspace.id = %claims.sub, from = from.map(tracing::field::display),
                "a revoked token was presented"
            );
        }
    }

    /// Logs that a good token is used from outside its networks, or from where nobody knows: it may have
    /// been stolen, or a door may not be told the addresses of its clients.
    pub fn elsewhere(&self, claims: &Claims, now: Timestamp, from: Option<IpAddr>) {
        let mut logged = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = logged.get(&claims.jti);
        let is_due = is_known.is_none_or(|at| now >= at.plus_seconds(DENIED_LOG_EVERY));
        if !is_due || (is_known.is_none() && logged.len() >= COUNT_WAITING) {
            return;
        }
        logged.insert(claims.jti.clone(), now);
        tracing::warn!(
            token.jti = %claims.jti, workspace.id = %claims.sub, from = from.map(tracing::field::display),
            "a token was presented from outside its networks"
        );
    }

    /// Takes what is to be written down.
    pub fn take(&self, now: Timestamp) -> (Vec<UseDelta>, Vec<Denial>) {
        let queue = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let uses = queue.iter().filter_map(|seen| {
            let Uses { count, last_at, last_from } = seen.take();
            let jti = seen.signed.claims().jti.clone();
            (count > 0).then_some(UseDelta { jti, count, last_at, last_from })
        });
        let uses = uses.collect();
        let mut waiting = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        let denials = waiting.values_mut().filter(|denied| denied.delta.count > 0).map(|denied| {
            let taken = denied.delta.clone();
            denied.delta.count = 0;
            taken
        });
        let denials = denials.collect();
        // Remembered until the log may speak of it again.
        waiting.retain(|_, denied| now < denied.logged_at.plus_seconds(DENIED_LOG_EVERY));
        let mut logged = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now < at.plus_seconds(DENIED_LOG_EVERY));
        (uses, denials)
    }
}

fn nothing(claims: &Claims, now: Timestamp) -> Denial {
    Denial {
        jti: claims.jti.clone(),
        workspace: claims.sub,
        count: 0,
        first_at: now,
        last_at: now,
        last_from: None,
    }
}
