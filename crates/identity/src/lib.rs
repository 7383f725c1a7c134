//! Who is asking: OpenID Connect, both halves.
//!
//! Checking a login is [`id_token`]: pure and told the time. Performing one from a command line is
//! [`login`] (feature `login`), which speaks plain OIDC Discovery with any issuer. The one provider
//! that is here, [`development`] (feature `development`), is for trying things out on one machine.
//! What a signed-in operator may do is not decided here.

mod entropy;
#[cfg(any(feature = "login", feature = "development"))]
mod form;
#[cfg(any(feature = "login", feature = "development"))]
mod html;

#[cfg(feature = "development")]
pub mod development;
pub mod id_token;
#[cfg(feature = "login")]
pub mod login;
pub mod pkce;
mod text;

pub use entropy::NoEntropy;
