//! Renewing a login without a person: the refresh token (RFC 6749, section 6; OpenID Connect Core
//! 1.0, section 12).

use nt_token::Secret;

use super::LoginError;
use super::discovery::Provider;
use super::exchange::ask;

/// A renewed proof for the authority.
#[derive(Debug)]
pub struct Refreshed {
    /// The provider's ID token, unchecked. It answers no authorization request and has no nonce.
    pub id_token: Secret,
    /// What to renew with the next time. The one used now may be worthless from now on
    /// (RFC 9700, section 4.14.2): keep this one before anything else is done.
    pub refresh_token: Secret,
}

/// Why a login was not renewed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The provider ended the login: only the person can sign in again.
    #[error("the identity provider ended the login")]
    Refused {
        /// What the provider says about it. One line.
        description: Option<String>,
    },
    /// The provider gave no answer. The refresh token may be tried again later.
    #[error(transparent)]
    Unreachable(LoginError),
    /// The provider's answer cannot be used.
    #[error(transparent)]
    Unusable(LoginError),
}

/// Asks the provider for another ID token.
///
/// The agent's time-outs bound every request; redirects are not followed, whatever it says.
pub fn refresh(
    agent: &ureq::Agent,
    issuer: &str,
    client_id: &str,
    refresh_token: &Secret,
) -> Result<Refreshed, RefreshError> {
    let provider = Provider::discover(agent, issuer)?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.expose()),
        ("client_id", client_id),
    ];
    let tokens = ask(agent, &provider.token_endpoint, &form)?;
    // Section 6: where no other is given, this one goes on.
    let refresh_token = tokens.refresh_token.unwrap_or_else(|| refresh_token.clone());
    Ok(Refreshed { id_token: tokens.id_token, refresh_token })
}

impl From<LoginError> for RefreshError {
    fn from(error: LoginError) -> Self {
        match error {
            // Section 5.2: the one code that speaks of the token, and not of the client or the moment.
            LoginError::Provider { error, description } if error == "invalid_grant" => {
                Self::Refused { description }
            }
            LoginError::Unreachable { .. } => Self::Unreachable(error),
            other => Self::Unusable(other),
        }
    }
}
