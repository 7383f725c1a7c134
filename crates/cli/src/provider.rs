//! The identity provider, as far as it is asked from here: how it is reached, and whether people can
//! sign up there. Signing in is [`nt_identity::login`]'s.

use serde::Deserialize;
use ureq::Agent;

use crate::client::address::Authority;
use crate::client::agent;
use crate::error::Error;

/// What is added to an authorization request by who wants an account (Initiating User Registration
/// via OpenID Connect 1.0).
pub(crate) const CREATE: &str = "prompt=create";

/// The longest discovery document that is read.
const LONGEST: u64 = 256 * 1024;

/// An agent for the provider. It gets codes and secrets: the connection must be encrypted, or stay on
/// this machine.
pub(crate) fn agent_for(issuer: &str) -> Result<Agent, Error> {
    let origin = issuer.split_once("://").map(|(scheme, rest)| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{host}")
    });
    let origin = origin.and_then(|origin| Authority::parse(&origin).ok());
    match origin {
        Some(at) if at.is_encrypted() || at.is_loopback() => {
            Ok(agent(at.is_encrypted(), at.is_loopback()))
        }
        _ => Err(Error::failed(format!(
            "The identity provider {issuer} is neither encrypted nor on this machine."
        ))),
    }
}

/// Whether the provider says that a request can ask for signing up. One that says nothing is not asked
/// in a way that it might refuse.
pub(crate) fn offers_sign_up(agent: &Agent, issuer: &str) -> bool {
    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        prompt_values_supported: Vec<String>,
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let Ok(mut answer) = agent.get(&url).call() else { return false };
    let document = answer.body_mut().with_config().limit(LONGEST).read_json::<Document>();
    document.is_ok_and(|document| document.prompt_values_supported.iter().any(|v| v == "create"))
}
