//! The token endpoint (RFC 6749, section 4.1.3; OpenID Connect Core 1.0, section 3.1.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nt_token::Timestamp;
use nt_token::sign::sign_jws;
use serde::Serialize;
use serde_json::{Value, json};

use super::codes::Grant;
use super::{CLIENT_ID, DevelopmentProvider, Served};
use crate::entropy::unguessable;
use crate::form::Parameters;

/// How long an ID token is good, in seconds.
const LIFETIME: i64 = 600;

/// RFC 6749, section 5.2.
struct Refused(StatusCode, &'static str, &'static str);

/// `POST`: a code for an ID token.
pub(super) async fn exchange(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let now = served.clock.now();
    let (status, answer) = match redeem(&served.provider, &headers, &body, now) {
        Ok(grant) => tokens(&served.provider, &grant, now),
        Err(Refused(status, error, why)) => {
            (status, json!({"error": error, "error_description": why}))
        }
    };
    let not_kept = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, not_kept, Json(answer)).into_response()
}

fn redeem(
    provider: &DevelopmentProvider,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Result<Grant, Refused> {
    let bad = |error, why| Refused(StatusCode::BAD_REQUEST, error, why);
    let form = "application/x-www-form-urlencoded";
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type
        .and_then(|value| value.split(';').next())
        .is_some_and(|value| value.trim().eq_ignore_ascii_case(form));
    if !is_form {
        return Err(bad("invalid_request", "the body must be a form"));
    }
    let parameters = Parameters::parse(body)
        .map_err(|_| bad("invalid_request", "the form is too long, or repeats a parameter"))?;
    let required = |name| parameters.value(name).ok_or(name);
    let missing = |_| bad("invalid_request", "a parameter is missing");
    if required("grant_type").map_err(missing)? != "authorization_code" {
        return Err(bad("unsupported_grant_type", "grant_type must be authorization_code"));
    }
    if required("client_id").map_err(missing)? != CLIENT_ID {
        return Err(Refused(StatusCode::UNAUTHORIZED, "invalid_client", "no such client"));
    }
    let redirect_uri = required("redirect_uri").map_err(missing)?;
    let verifier = required("code_verifier").map_err(missing)?;
    let code = required("code").map_err(missing)?;
    let grant = provider
        .codes
        .redeem(code, now)
        .ok_or_else(|| bad("invalid_grant", "the code is unknown, used or expired"))?;
    if grant.redirect_uri.as_str() != redirect_uri {
        return Err(bad("invalid_grant", "redirect_uri is not that of the code"));
    }
    if !grant.challenge.is_of(verifier) {
        return Err(bad("invalid_grant", "code_verifier is not that of the code"));
    }
    Ok(grant)
}

/// The claims of an ID token (OpenID Connect Core 1.0, sections 2 and 5.1).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    azp: &'a str,
    iat: Timestamp,
    exp: Timestamp,
    auth_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    email: &'a str,
    email_verified: bool,
    name: &'a str,
}

fn tokens(provider: &DevelopmentProvider, grant: &Grant, now: Timestamp) -> (StatusCode, Value) {
    // OAuth demands an access token. Nothing accepts this one.
    let Ok(access_token) = unguessable() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "server_error"}));
    };
    let claims = Claims {
        iss: provider.issuer(),
        sub: grant.user.subject,
        aud: CLIENT_ID,
        azp: CLIENT_ID,
        iat: now,
        exp: now.plus_seconds(LIFETIME),
        auth_time: grant.signed_in_at,
        nonce: grant.nonce.as_deref(),
        email: grant.user.email,
        email_verified: true,
        name: grant.user.name,
    };
    let id_token = sign_jws("JWT", &claims, &provider.signing);
    let answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": grant.scope,
        "id_token": id_token,
    });
    (StatusCode::OK, answer)
}
