//! Checks workspace tokens inside a service: from memory, without a lock, and never accepting
//! what the authority has said is revoked.
//!
//! ```
//! use nt_token::Expected;
//! use nt_verifier::{NotAccepted, Options, Verifier};
//!
//! let authority = "https://tokens.example".to_owned();
//! let expected = Expected { issuer: authority.clone(), audience: authority };
//! let (verifier, state) = Verifier::new(Options::new(expected));
//!
//! // `state` goes to whoever follows the authority's log. Until that has brought a lease, nothing is
//! // known here, and the answer is "not ready" rather than yes or no.
//! # let _ = &state;
//! match verifier.verify("wst_…") {
//!     Ok(token) => println!("{} may come in", token.claims().sub),
//!     Err(NotAccepted::Refused(why)) => println!("401: {why}"),
//!     Err(NotAccepted::NotReady(why)) => println!("503: {why}"),
//! }
//! ```
//!
//! `nt_feed::client::connect` makes both and keeps them fresh, in one call. Behind axum, hyper or tonic
//! a layer does the rest (RFC 6750):
//!
//! ```
//! # #[cfg(feature = "tower")]
//! # fn doors(verifier: nt_verifier::Verifier) -> axum::Router {
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use nt_verifier::VerifiedToken;
//! use nt_verifier::layer::BearerLayer;
//!
//! async fn whoami(Extension(token): Extension<VerifiedToken>) -> String {
//!     token.claims().sub.to_string()
//! }
//!
//! Router::new().route("/whoami", get(whoami)).layer(BearerLayer::new(verifier))
//! # }
//! ```
//!
//! # What is promised
//!
//! After the authority has answered "revoked", no check that starts later accepts the token. The
//! verifier may say "good" only under a *lease*, a short right that is renewed all the time and only
//! after everything was applied that the authority knew. Cut off, it soon refuses with
//! [`NotReady`], 503: a 401 would make clients throw good tokens away. See [`order`] for the proof,
//! which `tests/order` runs under loom.
//!
//! # What is looked at, in every check
//!
//! 1. The signature. "This key's signature over these bytes is right" is remembered by the token's
//!    SHA-256, in bounded memory; a verdict never is.
//! 2. The lease's end, then what the log says of token, scopes and key, then the clock: in this
//!    order, without a lock.
//! 3. Issuer, audience and times.
//!
//! What the token may be used for and from which networks is in its claims: the layer looks at both,
//! and who calls [`Verifier::verify`] looks at them itself ([`VerifiedToken::may_be_used_from`]).
//!
//! # What goes on for longer than a moment
//!
//! A verdict holds at its moment. [`VerifiedToken::still_valid`] looks again, and
//! [`VerifiedToken::ended`] resolves when the token was revoked or has expired, or when for too long
//! nobody could know. The layer for tower, hyper, axum and tonic (`layer`, feature `tower`) cuts
//! the bodies of answers by it.
//!
//! # What is not here
//!
//! The network. Whoever follows the log feeds a [`State`]; whoever can ask a node about one token
//! implements [`Ask`]. A machine that is paused whole, its clocks with it, may go on for the rest of
//! its lease when it wakes; what cannot bear that demands [`Freshness::Sync`].

pub mod ask;
pub mod drain;
#[cfg(feature = "tower")]
pub mod layer;
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
pub use drain::Drain;
pub use refusal::{NotAccepted, NotReady, Refused};
pub use state::State;
pub use token::{End, VerifiedToken};
pub use verifier::{Options, Stats, Verifier};

#[cfg(test)]
mod tests;
