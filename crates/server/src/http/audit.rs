//! The audit log.

use axum::Json;
use axum::extract::State;
use nt_api::audit::{AuditList, ListAudit};
use nt_api::error::ErrorBody;
use nt_api::path;

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::error::Reply;
use crate::http::extract::Params;

/// What the caller did, and what was done in the caller's workspaces, newest first; and who still
/// knocks with revoked tokens.
#[utoipa::path(get, path = path::AUDIT, tag = "audit", security(("session" = [])),
    params(ListAudit),
    responses((status = 200, body = AuditList), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    State(doors): State<Doors>,
    caller: Caller,
    Params(query): Params<ListAudit>,
) -> Reply<Json<AuditList>> {
    Ok(Json(doors.authority.audit(&caller, query).await?))
}
