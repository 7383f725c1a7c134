//! For our tests only: a real PostgreSQL of their own, and what can happen to one.
//!
//! [`Cluster`] is a throw-away server; [`Cluster::shared`] is one for a whole test process, with a
//! fresh database in some ten milliseconds. [`Session`] speaks to any of them. Nothing of the product
//! depends on this crate, and it depends on nothing of ours.

mod cluster;
mod programs;
mod reaper;
mod server;
mod session;

pub use cluster::Cluster;
pub use session::{Answer, Said, Session};
