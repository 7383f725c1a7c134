//! For us only: a world of real processes on loopback, and the checker that watches them.
//!
//! Nothing of the product depends on this crate. Here are the parts that the stories (in `tests/`),
//! the demo and the benchmarks share; none of them stands in for a part of the product: `ntd` and
//! `ntcli` are the real binaries, spoken to from outside.

pub mod binaries;
pub mod checker;
pub mod cli;
pub mod dice;
pub mod gate;
pub mod gateway;
pub mod hammer;
pub mod http;
pub mod install;
pub mod load;
pub mod namespaces;
pub mod nodes;
pub mod operator;
pub mod process;
pub mod proxy;
pub mod pty;
pub mod service;
pub mod settings;
pub mod world;

pub use checker::{Check, Report, Revoke, Verdict};
pub use cli::{Cli, Login, Output};
pub use http::{Connection, Request, Response};
pub use nodes::Nodes;
pub use operator::Operator;
pub use service::Service;
pub use world::{Options, SignIn, World};
