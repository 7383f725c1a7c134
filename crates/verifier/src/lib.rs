//! Checks workspace tokens inside a service.

pub mod ask;
mod lease;
#[doc(hidden)]
pub mod order;
pub mod refusal;
mod seen;
mod shared;
pub mod state;
pub mod token;
pub mod verifier;

pub use ask::{Answer, Ask, Asking, Freshness};
pub use refusal::{NotAccepted, NotReady, Refused};
pub use state::State;
pub use token::{End, VerifiedToken};
pub use verifier::{Options, Stats, Verifier};
