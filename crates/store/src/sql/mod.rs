//! The steps, written once for every database that reads SQL.
//!
//! What each step does stands in the module of its subject. They are plain functions on a [`Db`]
//! inside a transaction; who runs them, in which order and how a batch of them is committed is the
//! business of each database's own module.

pub(crate) mod audit;
mod by_key;
mod client;
pub(crate) mod db;
pub(crate) mod engine;
mod issue;
pub(crate) mod job;
mod keys;
mod list;
pub(crate) mod log;
mod member;
pub(crate) mod node;
mod place;
mod receipt;
pub(crate) mod recovery;
pub(crate) mod revocation;
pub(crate) mod row;
mod session;
mod steps;
pub(crate) mod token;
mod verifier;
mod workspace;
pub(crate) mod writing;

pub(crate) use db::Db;
pub(crate) use writing::Writing;
