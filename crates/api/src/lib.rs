//! What is said on the wire between `ntd` and its callers: bodies, paths, error codes.
//!
//! Shared by the authority and the command line, so that neither can drift from the other. A type
//! marked *published* has a shape that clients already in use depend on: fields may be added, none
//! may change. Published requests ignore fields that they do not know; all others refuse them.

pub mod audit;
pub mod auth;
pub mod clients;
pub mod error;
pub mod health;
pub mod iso;
pub mod members;
pub mod oauth;
pub mod path;
pub mod receipts;
pub mod revocations;
pub mod sessions;
pub mod status_lists;
pub mod token_review;
pub mod tokens;
pub mod verification;
pub mod verifiers;
pub mod workspaces;

pub use error::{ErrorBody, ErrorCode};
pub use iso::IsoTime;
