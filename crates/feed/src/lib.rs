//! The revocation feed: how an authority keeps its verifiers' knowledge fresh, over gRPC.
//!
//! [`server`] is the authority's end and [`client`] the verifier's; `proto/feed.proto` draws what they
//! say. A service needs the client alone, in one call; `examples/service.rs` is a whole one:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use nt_feed::client::{Settings, connect};
//! use nt_token::Secret;
//!
//! let mut settings = Settings::new("https://tokens.example.com".parse()?, "orders-1");
//! settings.credential = Some(Secret::from(std::fs::read_to_string("verifier.credential")?));
//! let (verifier, following) = connect(settings).await?;
//!
//! match verifier.verify("wst_…") {
//!     Ok(token) => println!("{} may come in", token.claims().sub),
//!     Err(why) => println!("{why}"),
//! }
//! following.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it costs, and what it does in trouble
//!
//! One connection that is renewed each half second, and in memory one bit for each token that was
//! issued (about 120 KiB for a million) beside the cache of signatures. A check asks nobody.
//!
//! | the authority | the verifier answers |
//! |---|---|
//! | is followed | yes, or no: [`Refused`](nt_verifier::Refused) (401) |
//! | is out of reach for longer than a lease (2 s) | [`NotReady`](nt_verifier::NotReady) (503), until it is back; or what [`HttpAsk`](ask::HttpAsk) hears, where there is one |
//! | has other nodes ([`Settings::others`](client::Settings::others)), and the one that is followed ends | as if nothing had been |
//! | refuses the credential | the same; the reason is logged once |
//! | has lost history that this verifier knows | the same; see [`Settings::position_file`](client::Settings::position_file) |
//!
//! A revoke that is answered at the authority is in force at every verifier that follows it. One that
//! is killed delays revokes by what was left of its lease (2.5 s at most), one that is stopped by
//! [`stop`](client::Following::stop) does not.
//!
//! What is not here: how a snapshot is encoded (the revocation set says), what a credential is
//! worth (the authority says), and how a token is checked (the verifier does).

pub mod ask;
pub mod client;
mod codec;
pub mod server;
mod wire;
mod witness;

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
