//! The endpoints that standard OAuth clients know: introspection, revocation, and what is published of
//! them. They speak as those documents have it, errors included.

pub mod credentials;
pub mod error;
pub mod introspect;
pub mod metadata;
pub mod revoke;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use nt_token::Secret;

use crate::authority::oauth::Asker;
use crate::http::Doors;
use crate::http::extract::client;
use crate::http::oauth::credentials::presented;
use crate::http::oauth::error::OAuthFailure;

/// A request about a token, by somebody who has proven who it is.
pub struct About {
    /// Who asks.
    pub asker: Asker,
    /// The token that is meant.
    pub token: Secret,
}

impl FromRequest<Doors> for About {
    type Rejection = OAuthFailure;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, OAuthFailure> {
        let (parts, body) = request.into_parts();
        let from = client(&parts, doors);
        let headers = parts.headers.clone();
        let fields = form(Request::from_parts(parts, body), doors).await?;
        let presented = presented(&headers, &fields)?;
        let asker = doors.authority.asker(presented, from).await?;
        let token = fields.get("token").ok_or(OAuthFailure::invalid("'token' is missing"))?;
        Ok(Self { asker, token: Secret::from(token.to_owned()) })
    }
}

/// The fields of a form, each there once at the most (RFC 6749, section 3.2).
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// The value of a field. One without a value counts as not there, as that document has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(known, value)| known == name && !value.is_empty());
        field.map(|(_, value)| value.as_str())
    }
}

async fn form(request: Request, doors: &Doors) -> Result<Fields, OAuthFailure> {
    let form = axum::Form::<Vec<(String, String)>>::from_request(request, doors).await;
    let fields = match form {
        Ok(axum::Form(fields)) => fields,
        Err(rejection) => {
            return Err(match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => OAuthFailure::too_large(),
                _ => OAuthFailure::invalid("The body must be a form with the field 'token'"),
            });
        }
    };
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(OAuthFailure::invalid("A field is there twice"));
    }
    Ok(Fields(fields))
}
