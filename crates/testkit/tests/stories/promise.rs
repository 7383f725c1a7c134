//! The promise, for real: processes that check tokens themselves, what is done to them, and the
//! checker that looks for one acceptance after an answered revoke.
//!
//! "A closed connection is taken for a release" has no control here: that rule is the authority's,
//! and `ntd` has no switch to break it. The model does it (`crates/revocation/tests/model`).

mod cut_off;
mod faults;
mod fleet;
mod mutants;
mod streams;
mod under_fire;
