//! The register of verifiers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::verifiers::{AddVerifier, VerifierAdded, VerifierList, VerifierRemoved};

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::Reply;
use crate::http::extract::{JsonBody, OfVerifier};

/// Register a verifier. Its credential is in the answer, and nowhere else.
#[utoipa::path(post, path = path::VERIFIERS, tag = "verifiers", security(("session" = [])),
    request_body = AddVerifier,
    responses((status = 201, body = VerifierAdded), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn add(
    State(doors): State<Doors>,
    caller: Caller,
    JsonBody(request): JsonBody<AddVerifier>,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1], Json<VerifierAdded>)> {
    let added = doors.authority.add_verifier(&caller, request).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(added)))
}

/// The verifiers that are registered, and what is known of those that are connected.
#[utoipa::path(get, path = path::VERIFIERS, tag = "verifiers", security(("session" = [])),
    responses((status = 200, body = VerifierList), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(State(doors): State<Doors>, caller: Caller) -> Reply<Json<VerifierList>> {
    Ok(Json(doors.authority.list_verifiers(&caller).await?))
}

/// Remove a verifier; its credential opens nothing from then on.
#[utoipa::path(delete, path = path::VERIFIER, tag = "verifiers", security(("session" = [])),
    params(("name" = String, Path)),
    responses((status = 200, body = VerifierRemoved), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn remove(
    State(doors): State<Doors>,
    caller: Caller,
    OfVerifier(name): OfVerifier,
) -> Reply<Json<VerifierRemoved>> {
    Ok(Json(doors.authority.remove_verifier(&caller, &name).await?))
}
