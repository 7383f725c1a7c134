//! Several nodes of one authority: who takes part, until when each may say anything, and when a
//! revocation is in force at the verifiers of all of them.
//!
//! Rules without a clock or a socket: `waits`, `reports`, `suspicion`. What drives them: `join`, `lease`.

pub mod everywhere;
pub mod identity;
pub mod join;
pub mod lease;
pub mod node;
pub mod peers;
pub mod reports;
pub mod suspicion;
#[cfg(test)]
mod tests;
pub mod waits;
