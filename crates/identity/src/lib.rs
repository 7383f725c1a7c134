//! Who is asking: OpenID Connect, both halves.
//!
//! Checking a login is [`id_token`]: pure and told the time. [`provider`] (feature `providers`) is
//! what an authority is configured with: [`oidc`] for any issuer, [`clerk`] for Clerk, and
//! [`development`] (feature `development`), which is for trying things out on one machine. [`trust`]
//! decides about the jobs of CI platforms. Performing a login from a command line is [`login`]
//! (feature `login`), which speaks plain OIDC Discovery with any issuer.
//! What a signed-in operator may do is not decided here.

#[cfg(any(feature = "login", feature = "providers"))]
mod address;
mod entropy;
#[cfg(any(feature = "login", feature = "development"))]
mod form;
#[cfg(any(feature = "login", feature = "development"))]
mod html;

#[cfg(feature = "providers")]
pub mod clerk;
#[cfg(feature = "development")]
pub mod development;
#[cfg(feature = "providers")]
mod discovery;
#[cfg(feature = "providers")]
mod http_client;
pub mod id_token;
#[cfg(feature = "providers")]
pub mod key_cache;
#[cfg(feature = "login")]
pub mod login;
#[cfg(feature = "providers")]
pub mod oidc;
pub mod pkce;
#[cfg(feature = "providers")]
pub mod provider;
#[cfg(feature = "providers")]
mod provider_keys;
mod text;
#[cfg(feature = "providers")]
pub mod trust;

pub use entropy::NoEntropy;
#[cfg(feature = "providers")]
pub use provider_keys::ProviderKeys;
