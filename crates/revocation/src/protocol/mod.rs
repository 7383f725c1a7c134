//! How a revoke gets in force everywhere: the machines of the promise.
//!
//! ```text
//! database ──lease Ln──▶ Node ──lease Lv──▶ VerifierLease     who may say "good", and until when
//! database ──its log──▶ History                                whether to follow it at all
//! log ──facts──▶ Membership ──members at s──▶ Revoke ◀──complete to s── Node     when "revoked" may be said
//! ```
//!
//! A verifier that goes from one node to another has a lease of each for a while: [`Leases`].
//!
//! Each is `step(now, input) -> outputs`: no IO, no clock, no random numbers, no async. The same code
//! runs in production and in the model checker (`tests/model`). A machine lives within one epoch of
//! the log; whoever meets another epoch builds new ones.

pub mod history;
pub mod lease;
pub mod leases;
pub mod membership;
pub mod node;
pub mod revoke;
pub mod rules;
mod sessions;
pub mod signals;
#[cfg(test)]
mod tests;
pub mod time;
pub mod verifier;

pub use history::{Failover, History, Lineage, Look, Loss, Verdict};
pub use lease::Lengths;
pub use leases::{Leases, LinkOutput};
pub use membership::{Change, Incarnation, Member, Membership, NodeId, Proof};
pub use node::Node;
pub use revoke::{Event, How, InForce, Revoke};
pub use rules::{Rules, Sound};
pub use signals::{Input, Outcome, Output, Refusal, SessionView, Tenure};
pub use time::{Boot, Mono, Now, Wall};
pub use verifier::{Next, VerifierInput, VerifierLease, VerifierOutput};
