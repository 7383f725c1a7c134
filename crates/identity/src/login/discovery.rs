//! Finding a provider's endpoints (OpenID Connect Discovery 1.0, section 4).

use http::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::LoginError;
use crate::address::{discovery_document, is_secure, shown};
use crate::pkce;

/// The longest discovery document, in bytes.
const LONGEST: u64 = 256 * 1_024;

/// What we need to know of a provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    /// Whether it says in every authorization response who it is (RFC 9207).
    pub(super) names_itself: bool,
    /// Whether it knows the scope that asks for a refresh token (OpenID Connect Core 1.0, section 11).
    pub(super) offers_offline_access: bool,
}

/// The scope that asks for a refresh token.
pub(super) const OFFLINE_ACCESS: &str = "offline_access";

/// The members of the document that we act on.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

impl Provider {
    /// Asks the issuer for its document, and holds it to what was asked for.
    pub(super) fn discover(agent: &ureq::Agent, issuer: &str) -> Result<Self, LoginError> {
        if !is_secure(issuer) {
            return Err(unsafe_url("issuer", issuer));
        }
        let url = discovery_document(issuer);
        let response = agent
            .get(&url)
            .header("accept", "application/json")
            .config()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .call()
            .map_err(|e| unreachable(&url, e))?;
        if response.status() != 200 {
            let status = response.status().as_u16();
            return Err(LoginError::Discovery(format!("{url} answers with status {status}")));
        }
        let document: Document = json(response, LONGEST)
            .map_err(|what| LoginError::Discovery(format!("the document at {url} {what}")))?;
        document.provider(issuer)
    }
}

impl Document {
    fn provider(self, issuer: &str) -> Result<Provider, LoginError> {
        // Section 4.3: exactly, or somebody else's provider could stand in.
        if self.issuer != issuer {
            let what = format!("{issuer} calls itself by another name");
            return Err(LoginError::Discovery(what));
        }
        for (name, url) in [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
        ] {
            if !is_secure(url) {
                return Err(unsafe_url(name, url));
            }
        }
        let methods = self.code_challenge_methods_supported;
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == pkce::METHOD)) {
            let what = format!("{issuer} does not support PKCE with S256");
            return Err(LoginError::Discovery(what));
        }
        Ok(Provider {
            issuer: self.issuer,
            authorization_endpoint: self.authorization_endpoint,
            token_endpoint: self.token_endpoint,
            names_itself: self.authorization_response_iss_parameter_supported,
            offers_offline_access: self.scopes_supported.iter().any(|s| s == OFFLINE_ACCESS),
        })
    }
}

/// A failure to get any answer.
pub(super) fn unreachable(url: &str, source: ureq::Error) -> LoginError {
    LoginError::Unreachable { url: url.to_owned(), source: Box::new(source) }
}

/// A response's body as JSON of at most this length; else what it is instead.
pub(super) fn json<T: DeserializeOwned>(
    mut response: Response<ureq::Body>,
    longest: u64,
) -> Result<T, &'static str> {
    response.body_mut().with_config().limit(longest).read_json().map_err(|e| match e {
        ureq::Error::Json(e) if !e.is_io() => "is not as it should be",
        _ => "is too long, or breaks off",
    })
}

fn unsafe_url(name: &str, url: &str) -> LoginError {
    let url = shown(url);
    let what = format!("{name} is {url}: https is needed (http only on this machine)");
    LoginError::Discovery(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_is_not_the_issuers_own_is_refused() {
        let document = |issuer: &str, token_endpoint: &str, method: &str| Document {
            issuer: issuer.to_owned(),
            authorization_endpoint: "https://id.example.com/authorize".to_owned(),
            token_endpoint: token_endpoint.to_owned(),
            code_challenge_methods_supported: Some(vec![method.to_owned()]),
            authorization_response_iss_parameter_supported: false,
            scopes_supported: Vec::new(),
        };
        let (issuer, token) = ("https://id.example.com", "https://id.example.com/token");
        assert!(document(issuer, token, "S256").provider(issuer).is_ok());
        for bad in [
            document("https://id.example.com/", token, "S256"),
            document("https://evil.example.com", token, "S256"),
            document(issuer, "http://id.example.com/token", "S256"),
            document(issuer, token, "plain"),
        ] {
            assert!(matches!(bad.provider(issuer), Err(LoginError::Discovery(_))));
        }
    }
}
