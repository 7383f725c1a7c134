//! The token endpoint (RFC 6749, sections 4.1.3 and 6; OpenID Connect Core 1.0, sections 3.1.3 and
//! 12).

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
use super::refresh::Login;
use super::{CLIENT_ID, DevelopmentProvider, OFFLINE_ACCESS, Served};
use crate::entropy::{NoEntropy, unguessable};
use crate::form::Parameters;

/// How long an ID token is good, in seconds.
const LIFETIME: i64 = 600;

/// RFC 6749, section 5.2.
struct Refused(StatusCode, &'static str, &'static str);

/// What ID tokens are made from.
struct Granted {
    login: Login,
    nonce: Option<String>,
    refresh_token: Option<String>,
}

/// `POST`: a code or a refresh token for an ID token.
pub(super) async fn exchange(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let now = served.clock.now();
    let (status, answer) = match granted(&served.provider, &headers, &body, now) {
        Ok(granted) => tokens(&served.provider, &granted, now),
        Err(Refused(status, error, why)) => {
            (status, json!({"error": error, "error_description": why}))
        }
    };
    let not_kept = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    (status, not_kept, Json(answer)).into_response()
}

fn granted(
    provider: &DevelopmentProvider,
    headers: &HeaderMap,
    body: &str,
    now: Timestamp,
) -> Result<Granted, Refused> {
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
    let grant_type = required(&parameters, "grant_type")?;
    if !["authorization_code", "refresh_token"].contains(&grant_type) {
        let why = "grant_type must be authorization_code or refresh_token";
        return Err(bad("unsupported_grant_type", why));
    }
    if required(&parameters, "client_id")? != CLIENT_ID {
        return Err(Refused(StatusCode::UNAUTHORIZED, "invalid_client", "no such client"));
    }
    if grant_type == "refresh_token" {
        return renew(provider, required(&parameters, "refresh_token")?, now);
    }
    let grant = redeem(provider, &parameters, now)?;
    let Grant { user, scope, signed_in_at, nonce, .. } = grant;
    let login = Login { user, scope, signed_in_at };
    let refresh_token = if login.scope.split(' ').any(|scope| scope == OFFLINE_ACCESS) {
        provider.logins.open(login.clone(), now)?
    } else {
        None
    };
    Ok(Granted { login, nonce, refresh_token })
}

/// OpenID Connect Core 1.0, section 12.2: the new ID token has no nonce.
fn renew(provider: &DevelopmentProvider, token: &str, now: Timestamp) -> Result<Granted, Refused> {
    let renewed = provider.logins.renew(token, now)?;
    let why = "the refresh token is unknown, used before or expired, or the login was ended";
    let (login, next) = renewed.ok_or_else(|| bad("invalid_grant", why))?;
    Ok(Granted { login, nonce: None, refresh_token: Some(next) })
}

fn bad(error: &'static str, why: &'static str) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error, why)
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, Refused> {
    parameters.value(name).ok_or_else(|| bad("invalid_request", "a parameter is missing"))
}

impl From<NoEntropy> for Refused {
    fn from(_: NoEntropy) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "there is no entropy")
    }
}

fn redeem(
    provider: &DevelopmentProvider,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Grant, Refused> {
    let redirect_uri = required(parameters, "redirect_uri")?;
    let verifier = required(parameters, "code_verifier")?;
    let code = required(parameters, "code")?;
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

fn tokens(
    provider: &DevelopmentProvider,
    granted: &Granted,
    now: Timestamp,
) -> (StatusCode, Value) {
    let login = &granted.login;
    // OAuth demands an access token. Nothing accepts this one.
    let Ok(access_token) = unguessable() else {
        return (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "server_error"}));
    };
    let claims = Claims {
        iss: provider.issuer(),
        sub: login.user.subject,
        aud: CLIENT_ID,
        azp: CLIENT_ID,
        iat: now,
        exp: now.plus_seconds(LIFETIME),
        auth_time: login.signed_in_at,
        nonce: granted.nonce.as_deref(),
        email: login.user.email,
        email_verified: true,
        name: login.user.name,
    };
    let id_token = sign_jws("JWT", &claims, &provider.signing);
    let mut answer = json!({
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": login.scope,
        "id_token": id_token,
    });
    if let Some(refresh_token) = &granted.refresh_token {
        answer["refresh_token"] = refresh_token.as_str().into();
    }
    (StatusCode::OK, answer)
}
