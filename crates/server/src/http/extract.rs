//! What the doors read from a request, each into a type of its own.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use nt_store::SessionId;
use nt_token::{InvalidExpiration, Jti, WorkspaceId};
use serde::de::DeserializeOwned;

use crate::authority::error::Refusal;
use crate::authority::sign_in::Origin;
use crate::authority::{Caller, limits};
use crate::http::Doors;
use crate::http::client_address::{Peer, client_address};
use crate::http::error::ApiError;

/// From where the request comes.
pub fn client(parts: &Parts, doors: &Doors) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>().copied()?;
    Some(client_address(peer, &parts.headers, &doors.proxies))
}

/// The credential of `Authorization: Bearer …` (RFC 6750, section 2.1), the only way to send one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    bearer_in(headers.get(AUTHORIZATION)?.to_str().ok()?)
}

/// The credential in the value of that header.
pub fn bearer_in(value: &str) -> Option<&str> {
    let (scheme, credential) = value.split_once(' ')?;
    let credential = credential.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

/// From where, and with which program, somebody signs in.
impl FromRequestParts<Doors> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Self::Rejection> {
        let from = client(parts, doors);
        let client = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        let client = client.map(|text| text.chars().take(limits::CLIENT_CHARS).collect());
        Ok(Self { from, client })
    }
}

/// The operator who asks. Taken before anything else of the request is looked at, so that whoever is
/// none learns nothing about it.
impl FromRequestParts<Doors> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let from = client(parts, doors);
        Ok(doors.authority.caller(bearer(&parts.headers), from).await?)
    }
}

/// The workspace in the path. One that is no UUID cannot exist, and is answered as one that does not.
pub struct InWorkspace(pub WorkspaceId);

impl FromRequestParts<Doors> for InWorkspace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<WorkspacePath>::from_request_parts(parts, doors).await;
        let id = path.ok().and_then(|Path(path)| path.workspace.parse().ok());
        Ok(Self(id.ok_or(Refusal::NoWorkspace)?))
    }
}

#[derive(serde::Deserialize)]
struct WorkspacePath {
    workspace: String,
}

/// The member in the path, by whatever name.
pub struct OfMember(pub String);

impl FromRequestParts<Doors> for OfMember {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<MemberPath>::from_request_parts(parts, doors).await;
        Ok(Self(path.map_err(|_| Refusal::NoMember)?.0.member))
    }
}

#[derive(serde::Deserialize)]
struct MemberPath {
    member: String,
}

/// The verifier in the path, by whatever name: whoever may not see the register is not told whether
/// it is one.
pub struct OfVerifier(pub String);

impl FromRequestParts<Doors> for OfVerifier {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<VerifierPath>::from_request_parts(parts, doors).await;
        Ok(Self(path.map_err(|_| Refusal::NoVerifier)?.0.name))
    }
}

#[derive(serde::Deserialize)]
struct VerifierPath {
    name: String,
}

/// The OAuth client in the path, by whatever name, as with verifiers.
pub struct OfClient(pub String);

impl FromRequestParts<Doors> for OfClient {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<ClientPath>::from_request_parts(parts, doors).await;
        Ok(Self(path.map_err(|_| Refusal::NoClient)?.0.name))
    }
}

#[derive(serde::Deserialize)]
struct ClientPath {
    name: String,
}

/// The session in the path.
pub struct OfSession(pub SessionId);

impl FromRequestParts<Doors> for OfSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<SessionPath>::from_request_parts(parts, doors).await;
        let id = path.ok().and_then(|Path(path)| SessionId::parse(&path.session));
        Ok(Self(id.ok_or(Refusal::NoSession)?))
    }
}

#[derive(serde::Deserialize)]
struct SessionPath {
    session: String,
}

/// The token in the path.
pub struct OfToken(pub Jti);

impl FromRequestParts<Doors> for OfToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        let path = Path::<TokenPath>::from_request_parts(parts, doors).await;
        let jti = path.ok().and_then(|Path(path)| path.jti.parse().ok());
        Ok(Self(jti.ok_or(Refusal::BadJti)?))
    }
}

#[derive(serde::Deserialize)]
struct TokenPath {
    jti: String,
}

/// The key by which a repeated request is recognised.
pub struct IdempotencyKey(pub Option<String>);

impl FromRequestParts<Doors> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Doors) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().unwrap_or_default();
        if !(1..=limits::IDEMPOTENCY_KEY_BYTES).contains(&key.len()) {
            let message = "'Idempotency-Key' must be 1 to 255 visible ASCII characters";
            return Err(ApiError::invalid("Idempotency-Key", message));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

/// The query.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Doors> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, doors).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(ApiError::invalid("query", rejection.body_text())),
        }
    }
}

/// A JSON body, whatever its content type says; an empty one is an empty object.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Doors> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, ApiError> {
        let bytes = body(request, doors).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| not_json(&error))
    }
}

/// What is wrong with a body, without repeating it: it may hold a secret.
fn not_json(error: &serde_json::Error) -> ApiError {
    let what = error.to_string();
    if what.starts_with(&InvalidExpiration.to_string()) {
        return ApiError::invalid("expires_in", InvalidExpiration.to_string());
    }
    let names_a_field = what.starts_with("missing field") || what.starts_with("unknown field");
    let what = what.split(" at line").next().filter(|_| names_a_field);
    let what = what.unwrap_or("not the JSON that this path takes");
    let (line, column) = (error.line(), error.column());
    ApiError::invalid(
        "body",
        format!("Invalid request body: {what} (line {line}, column {column})"),
    )
}

async fn body(request: Request, doors: &Doors) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, doors).await.map_err(|rejection| {
        match rejection.into_response().status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
            _ => ApiError::invalid("body", "The request body could not be read"),
        }
    })
}
