//! The revocation feed: how an authority keeps its verifiers' knowledge fresh, over gRPC.
//!
//! [`server`] is the authority's end and [`client`] the verifier's; `proto/feed.proto` draws what they
//! say. What is not here: how a snapshot is encoded (the revocation set says), what a credential is
//! worth (the authority says), and how a token is checked (the verifier does).

pub mod client;
pub mod server;
mod wire;

pub use wire::{LIBRARY, Malformed};

/// The messages and the service, generated from `proto/feed.proto`.
pub mod proto {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code; its comments come from the proto file"
    )]
    tonic::include_proto!("ntd.feed.v1");
}
