//! Exchanging the code for an ID token (RFC 6749, section 4.1.3; RFC 7636, section 4.5).

use nt_token::Secret;
use serde::Deserialize;

use super::LoginError;
use super::callback::one_line;
use super::discovery::{json, unreachable};
use crate::id_token;
use crate::pkce::Verifier;

/// The longest token response, in bytes.
const LONGEST: u64 = 256 * 1_024;

/// All that the exchange needs but the code.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) token_endpoint: String,
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) verifier: Verifier,
}

/// A token response; what else is in it we have no use for.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<Secret>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Exchange {
    /// The ID token for this code.
    pub(super) fn redeem(&self, agent: &ureq::Agent, code: &Secret) -> Result<Secret, LoginError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", self.verifier.expose()),
        ];
        let response = agent
            .post(&self.token_endpoint)
            .header("accept", "application/json")
            .config()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build()
            .send_form(form)
            .map_err(|e| unreachable(&self.token_endpoint, e))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(refusal(status, json(response, LONGEST).ok()));
        }
        let tokens: Tokens = json(response, LONGEST)
            .map_err(|what| LoginError::Exchange(format!("the token response {what}")))?;
        let id_token = tokens
            .id_token
            .ok_or_else(|| LoginError::Exchange("there is no ID token in it".to_owned()))?;
        if id_token.expose().len() > id_token::LONGEST {
            return Err(LoginError::Exchange("the ID token is too long".to_owned()));
        }
        Ok(id_token)
    }
}

fn refusal(status: u16, refusal: Option<Refusal>) -> LoginError {
    match refusal {
        Some(Refusal { error, error_description }) => LoginError::Provider {
            error: one_line(&error),
            description: error_description.as_deref().map(one_line),
        },
        None => LoginError::Exchange(format!("status {status}")),
    }
}
