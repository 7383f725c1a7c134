//! Workspaces.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::workspaces::{
    CreateWorkspace, UpdateWorkspace, Workspace, WorkspaceCreated, WorkspaceDeleted, WorkspaceList,
};

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::Reply;
use crate::http::extract::{IdempotencyKey, InWorkspace, JsonBody};

/// Create a workspace that the caller owns, and its first token.
#[utoipa::path(post, path = path::WORKSPACES, tag = "workspaces", security(("session" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = CreateWorkspace,
    responses((status = 201, body = WorkspaceCreated), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn create(
    State(doors): State<Doors>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(request): JsonBody<CreateWorkspace>,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1], Json<WorkspaceCreated>)> {
    let created = doors.authority.create_workspace(&caller, request, key).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(created)))
}

/// The workspaces that the caller is a member of.
#[utoipa::path(get, path = path::WORKSPACES, tag = "workspaces", security(("session" = [])),
    responses((status = 200, body = WorkspaceList), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(State(doors): State<Doors>, caller: Caller) -> Reply<Json<WorkspaceList>> {
    Ok(Json(doors.authority.workspaces(&caller).await?))
}

/// One workspace.
#[utoipa::path(get, path = path::WORKSPACE, tag = "workspaces", security(("session" = [])),
    params(("workspace" = String, Path)),
    responses((status = 200, body = Workspace), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn show(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(id): InWorkspace,
) -> Reply<Json<Workspace>> {
    Ok(Json(doors.authority.workspace(&caller, id).await?))
}

/// Change a workspace's description.
#[utoipa::path(patch, path = path::WORKSPACE, tag = "workspaces", security(("session" = [])),
    params(("workspace" = String, Path)), request_body = UpdateWorkspace,
    responses((status = 200, body = Workspace), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn update(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(id): InWorkspace,
    JsonBody(request): JsonBody<UpdateWorkspace>,
) -> Reply<Json<Workspace>> {
    Ok(Json(doors.authority.describe_workspace(&caller, id, request.description).await?))
}

/// Delete a workspace and, in the same step, revoke all its tokens.
#[utoipa::path(delete, path = path::WORKSPACE, tag = "workspaces", security(("session" = [])),
    params(("workspace" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = WorkspaceDeleted), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn delete(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(id): InWorkspace,
    IdempotencyKey(key): IdempotencyKey,
) -> Reply<Json<WorkspaceDeleted>> {
    Ok(Json(doors.authority.delete_workspace(&caller, id, key).await?))
}
