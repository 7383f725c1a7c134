//! The token endpoint: a code for an ID token (RFC 6749, section 4.1.3; RFC 7636, section 4.5), or
//! a refresh token for another one (RFC 6749, section 6).

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

/// The longest refresh token that is kept, in bytes.
const LONGEST_REFRESH_TOKEN: usize = 16 * 1_024;

/// A token response; what else is in it we have no use for.
#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: Secret,
    pub(super) refresh_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Response {
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Exchange {
    /// The tokens for this code.
    pub(super) fn redeem(&self, agent: &ureq::Agent, code: &Secret) -> Result<Tokens, LoginError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", self.verifier.expose()),
        ];
        ask(agent, &self.token_endpoint, &form)
    }
}

/// Asks a token endpoint.
pub(super) fn ask(
    agent: &ureq::Agent,
    token_endpoint: &str,
    form: &[(&str, &str)],
) -> Result<Tokens, LoginError> {
    let response = agent
        .post(token_endpoint)
        .header("accept", "application/json")
        .config()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .send_form(form.iter().copied())
        .map_err(|e| unreachable(token_endpoint, e))?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(refusal(status, json(response, LONGEST).ok()));
    }
    let tokens: Response = json(response, LONGEST)
        .map_err(|what| LoginError::Exchange(format!("the token response {what}")))?;
    let id_token = tokens
        .id_token
        .ok_or_else(|| LoginError::Exchange("there is no ID token in it".to_owned()))?;
    if id_token.expose().len() > id_token::LONGEST {
        return Err(LoginError::Exchange("the ID token is too long".to_owned()));
    }
    let bearable = |token: &Secret| (1..=LONGEST_REFRESH_TOKEN).contains(&token.expose().len());
    Ok(Tokens { id_token, refresh_token: tokens.refresh_token.filter(bearable) })
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
