//! How often somebody may ask: a loop that went wrong is told to slow down before others feel it.
//!
//! What is good is limited by who asks, what is not by where it comes from. A good credential is never
//! refused for what others behind the same address do. Forward-auth is not limited at all.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as Moments;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use nt_token::clock::Clock;
use quick_cache::sync::Cache;

use crate::authority::error::Refusal;
use crate::authority::limits;

/// How often somebody came lately, of each who did.
pub(super) struct Rates {
    introspections: Rate<String>,
    revocations: Rate<String>,
    failures: Rate<Network>,
}

type Rate<K> = RateLimiter<K, Lately<K>, SinceBoot, NoOpMiddleware<Duration>>;

impl Rates {
    /// Nobody came yet.
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        let asked = Quota::per_second(limits::INTROSPECTIONS);
        let revoked =
            Quota::per_second(limits::REVOCATIONS).allow_burst(limits::REVOCATIONS_AT_ONCE);
        let failed = Quota::per_second(limits::FAILURES).allow_burst(limits::FAILURES_AT_ONCE);
        Self {
            introspections: rate(asked, clock),
            revocations: rate(revoked, clock),
            failures: rate(failed, clock),
        }
    }

    /// Somebody asks about a token.
    pub(super) fn introspects(&self, who: &str) -> Result<(), Refusal> {
        check(&self.introspections, &who.to_owned())
    }

    /// Somebody revokes a token at the OAuth endpoint.
    pub(super) fn revokes(&self, who: &str) -> Result<(), Refusal> {
        check(&self.revocations, &who.to_owned())
    }

    /// A credential from there is not good.
    pub(super) fn fails(&self, from: Option<IpAddr>) -> Result<(), Refusal> {
        check(&self.failures, &Network::of(from))
    }
}

fn rate<K: Hash + Eq + Clone>(quota: Quota, clock: &Arc<dyn Clock>) -> Rate<K> {
    let lately = Lately(Cache::new(limits::RATED));
    RateLimiter::new(quota, lately, SinceBoot(Arc::clone(clock)))
}

fn check<K: Hash + Eq + Clone>(rate: &Rate<K>, key: &K) -> Result<(), Refusal> {
    rate.check_key(key).map_err(|not_until| {
        let again = not_until.wait_time_from(rate.clock().now());
        Refusal::TooOften { again }
    })
}

/// Where something comes from, as far as one person has it to oneself: an address, or with IPv6 the
/// network of 64 bits that a household has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Network {
    V4([u8; 4]),
    /// The upper half.
    V6(u128),
    Unknown,
}

impl Network {
    fn of(from: Option<IpAddr>) -> Self {
        match from.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => Self::V6(address.to_bits() >> 64),
            None => Self::Unknown,
        }
    }
}

/// A state for each key, for as many as there may be. Those that come often stay.
struct Lately<K>(Cache<K, Arc<InMemoryState>>);

impl<K: Hash + Eq + Clone> StateStore for Lately<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.get(key).unwrap_or_else(|| {
            // Where two make it at once, one of them comes for nothing.
            let state = Arc::<InMemoryState>::default();
            self.0.insert(key.clone(), Arc::clone(&state));
            state
        });
        state.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

/// The machine's time since its start, as the limiter wants it.
struct SinceBoot(Arc<dyn Clock>);

impl Moments for SinceBoot {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.boot().nanos())
    }
}

#[cfg(test)]
mod tests {
    use nt_token::Timestamp;
    use nt_token::clock::ManualClock;

    use super::*;

    fn rates() -> (Rates, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
        let shared: Arc<dyn Clock> = clock.clone();
        (Rates::new(&shared), clock)
    }

    fn fails(rates: &Rates, address: &str) -> Result<(), Refusal> {
        rates.fails(Some(address.parse().expect("an address")))
    }

    /// How many of so many are let through.
    fn passed(count: u32, one: impl Fn() -> Result<(), Refusal>) -> u32 {
        u32::try_from((0..count).filter(|_| one().is_ok()).count()).expect("no more than that")
    }

    #[test]
    fn so_many_fail_at_once_and_then_one_a_second() {
        let (rates, clock) = rates();
        let fail = || fails(&rates, "192.0.2.1");
        assert_eq!(passed(500, fail), limits::FAILURES_AT_ONCE.get());
        let Err(Refusal::TooOften { again }) = fail() else { panic!("one more") };
        assert!(again <= Duration::from_secs(1) && !again.is_zero(), "{again:?}");
        clock.advance(Duration::from_secs(3));
        assert_eq!(passed(10, fail), 3);
        clock.step_wall(Duration::from_hours(1));
        assert_eq!(passed(10, fail), 0, "setting the clock buys nothing");
    }

    #[test]
    fn an_address_answers_for_itself_and_with_ipv6_for_its_network() {
        let (rates, _) = rates();
        assert!(passed(200, || fails(&rates, "192.0.2.1")) < 200);
        assert!(fails(&rates, "::ffff:192.0.2.1").is_err(), "the same, mapped");
        assert!(fails(&rates, "192.0.2.2").is_ok());
        assert!(passed(200, || fails(&rates, "2001:db8:0:1::1")) < 200);
        assert!(fails(&rates, "2001:db8:0:1:ffff::9").is_err(), "the same network");
        assert!(fails(&rates, "2001:db8:0:2::1").is_ok());
        assert!(passed(200, || rates.fails(None)) < 200, "also where it is not known");
    }

    #[test]
    fn whoever_asks_is_limited_alone_and_questions_apart_from_revocations() {
        let (rates, clock) = rates();
        let (asked, revoked) = (limits::INTROSPECTIONS.get(), limits::REVOCATIONS_AT_ONCE.get());
        assert_eq!(passed(asked + 9, || rates.introspects("billing")), asked);
        assert!(rates.introspects("api").is_ok());
        assert_eq!(passed(revoked + 9, || rates.revokes("billing")), revoked);
        assert!(rates.revokes("api").is_ok());
        clock.advance(Duration::from_secs(1));
        assert_eq!(passed(asked + 9, || rates.introspects("billing")), asked);
        assert_eq!(passed(revoked, || rates.revokes("billing")), limits::REVOCATIONS.get());
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_memory_and_one_that_comes_often_is_not_forgotten() {
        let (rates, _) = rates();
        let often = || fails(&rates, "198.51.100.1");
        assert!(passed(200, often) < 200);
        for number in 0..200_000_u32 {
            let _told = rates.fails(Some(IpAddr::V4(number.into())));
            if number % 1_000 == 0 {
                assert!(often().is_err(), "after {number} others");
            }
        }
        assert!(rates.failures.into_state_store().0.len() <= limits::RATED);
    }
}
