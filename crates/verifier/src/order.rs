//! The order of a check's three loads: expiry, state, clock. It is the whole proof.
//!
//! The authority says "revoked" when this verifier has acknowledged the entry, or when the lease
//! that it may hold is over.
//!
//! - *Acknowledged*: the entry was published before the acknowledgement was sent, so a check that
//!   starts after the answer sees it.
//! - *Lease over*: say the check loads the expiry `e`. If `e` belongs to the lease that the authority
//!   waited for, the clock, which is read last, shows that it is over. If `e` belongs to a later one,
//!   that one was granted only after the entry was published here; it was loaded with `Acquire`, so
//!   the look-up that follows sees the entry.
//!
//! Looking up first would be wrong: an old state is read, then the entry arrives and the lease is
//! renewed, and the new expiry vouches for the old state. `tests/order` runs this very function
//! under loom, and shows that the other orders fail.

/// Loads the three in the order that is sound. Each is called once.
#[inline]
pub fn check<E, S, T>(
    expiry: impl FnOnce() -> E,
    state: impl FnOnce() -> S,
    clock: impl FnOnce() -> T,
) -> (E, S, T) {
    let expiry = expiry();
    let state = state();
    let clock = clock();
    (expiry, state, clock)
}
