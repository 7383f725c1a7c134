//! For our tests only: a real PostgreSQL of their own, and what can happen to one.
//!
//! [`Cluster`] is a throw-away server; [`Cluster::shared`] is one for a whole test process, with a
//! fresh database in some ten milliseconds; [`Replicated`] is a primary with its standby, [`Bouncer`] is
//! PgBouncer in front, [`Backup`] and [`Dump`] are what an operator may restore. [`Session`] speaks to
//! any of them. Nothing of the product depends on this crate, and it depends on nothing of ours.

mod backup;
mod bouncer;
mod cluster;
mod folder;
mod programs;
mod replicated;
mod server;
mod session;

pub use backup::{Backup, Dump};
pub use bouncer::Bouncer;
pub use cluster::Cluster;
pub use replicated::{Commit, Replicated};
pub use session::{Answer, Said, Session};
