//! The identity provider, as far as it is asked from here: how it is reached, and whether people can
//! sign up there. Signing in is [`nt_identity::login`]'s.

use serde::Deserialize;
use ureq::Agent;

use crate::client::address::Authority;
use crate::client::agent;
use crate::error::Error;

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

/// The authorization request of who wants an account (Initiating User Registration via OpenID Connect
/// 1.0). A parameter must not be there twice, and not every provider knows how to combine prompts.
pub(crate) fn asking_to_sign_up(url: &str) -> String {
    let (page, query) = url.split_once('?').unwrap_or((url, ""));
    let others = query.split('&').filter(|part| !part.is_empty() && !part.starts_with("prompt="));
    let query: Vec<_> = others.chain(["prompt=create"]).collect();
    format!("{page}?{}", query.join("&"))
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

#[cfg(test)]
mod tests {
    use super::asking_to_sign_up;

    #[test]
    fn there_is_one_prompt() {
        for (url, expected) in [
            (
                "https://a.example/x?a=1&prompt=consent&b=2",
                "https://a.example/x?a=1&b=2&prompt=create",
            ),
            ("https://a.example/x?a=1", "https://a.example/x?a=1&prompt=create"),
            ("https://a.example/x", "https://a.example/x?prompt=create"),
        ] {
            assert_eq!(asking_to_sign_up(url), expected);
        }
    }
}
