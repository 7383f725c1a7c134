//! The tokens of a workspace.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName, RETRY_AFTER};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::receipts::TokenReceipt;
use nt_api::revocations::Revocation;
use nt_api::tokens::{
    CreateToken, ListTokens, RevokeToken, Token, TokenCreated, TokenList, TokenRefreshed,
    TokenRevoked,
};

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::Reply;
use crate::http::extract::{IdempotencyKey, InWorkspace, JsonBody, OfToken, Params};
use crate::http::prefer::PreferredWait;

/// Issue a token.
#[utoipa::path(post, path = path::TOKENS, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = CreateToken,
    responses((status = 201, body = TokenCreated), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn create(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request): JsonBody<CreateToken>,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1], Json<TokenCreated>)> {
    let created = doors.authority.issue(&caller, workspace, request, key).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(created)))
}

/// The tokens of a workspace, newest first.
#[utoipa::path(get, path = path::TOKENS, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ListTokens),
    responses((status = 200, body = TokenList), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
    Params(query): Params<ListTokens>,
) -> Reply<Json<TokenList>> {
    Ok(Json(doors.authority.list(&caller, workspace, query).await?))
}

/// One token.
#[utoipa::path(get, path = path::TOKEN, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("jti" = String, Path)),
    responses((status = 200, body = Token), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn show(
    State(doors): State<Doors>,
    caller: Caller,
    OfToken(jti): OfToken,
    InWorkspace(workspace): InWorkspace,
) -> Reply<Json<Token>> {
    Ok(Json(doors.authority.show(&caller, workspace, jti).await?))
}

/// Revoke a token, for good. No check that starts after the answer "revoked" accepts it. With `Prefer:
/// wait=N` it answers after N seconds at the latest (25 at the most; what is no number of seconds is
/// passed over), then "revoking" where it is not in force yet.
#[utoipa::path(delete, path = path::TOKEN, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("jti" = String, Path), RevokeToken,
        ("Prefer" = Option<String>, Header)),
    responses((status = 200, body = TokenRevoked), (status = 202, body = TokenRevoked),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn revoke(
    State(doors): State<Doors>,
    caller: Caller,
    OfToken(jti): OfToken,
    InWorkspace(workspace): InWorkspace,
    Params(query): Params<RevokeToken>,
    PreferredWait(wait): PreferredWait,
) -> Reply<Response> {
    let revoked = doors.authority.revoke(&caller, workspace, jti, query.reason, wait).await?;
    if revoked.receipt.is_some() {
        return Ok(Json(revoked).into_response());
    }
    // What it says is over in a moment, and the same path may be asked again.
    let waited = wait.unwrap_or_default().as_secs();
    let headers = AppendHeaders([
        (CACHE_CONTROL, "no-store".to_owned()),
        (RETRY_AFTER, "1".to_owned()),
        (HeaderName::from_static("preference-applied"), format!("wait={waited}")),
    ]);
    Ok((StatusCode::ACCEPTED, headers, Json(revoked)).into_response())
}

/// Issue a token and revoke the one that it replaces, in one step.
#[utoipa::path(post, path = path::REFRESH, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("jti" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)),
    request_body = CreateToken,
    responses((status = 201, body = TokenRefreshed), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn refresh(
    State(doors): State<Doors>,
    caller: Caller,
    OfToken(jti): OfToken,
    InWorkspace(workspace): InWorkspace,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request): JsonBody<CreateToken>,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1], Json<TokenRefreshed>)> {
    let refreshed = doors.authority.refresh(&caller, workspace, jti, request, key).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(refreshed)))
}

/// The receipt of a revoked token: the signed statement that the revocation is in force. That of the
/// first revocation, where there were several.
#[utoipa::path(get, path = path::RECEIPT, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("jti" = String, Path)),
    responses((status = 200, body = TokenReceipt), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn receipt(
    State(doors): State<Doors>,
    caller: Caller,
    OfToken(jti): OfToken,
    InWorkspace(workspace): InWorkspace,
) -> Reply<Json<TokenReceipt>> {
    Ok(Json(doors.authority.receipt(&caller, workspace, jti).await?))
}

/// How far a token's revocation is: who is waited for, and when it is in force at the latest.
#[utoipa::path(get, path = path::REVOCATION, tag = "tokens", security(("session" = [])),
    params(("workspace" = String, Path), ("jti" = String, Path)),
    responses((status = 200, body = Revocation), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn revocation(
    State(doors): State<Doors>,
    caller: Caller,
    OfToken(jti): OfToken,
    InWorkspace(workspace): InWorkspace,
) -> Reply<Json<Revocation>> {
    Ok(Json(doors.authority.revocation(&caller, workspace, jti).await?))
}
