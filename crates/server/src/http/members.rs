//! Members of a workspace.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use nt_api::error::ErrorBody;
use nt_api::members::{AddMember, ChangeMember, Member, MemberList, MemberRemoved, RemoveMember};
use nt_api::path;

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::error::Reply;
use crate::http::extract::{InWorkspace, JsonBody, OfMember, Params};

/// Who belongs to a workspace.
#[utoipa::path(get, path = path::MEMBERS, tag = "members", security(("session" = [])),
    params(("workspace" = String, Path)),
    responses((status = 200, body = MemberList), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
) -> Reply<Json<MemberList>> {
    Ok(Json(doors.authority.members(&caller, workspace).await?))
}

/// Add somebody to a workspace, or invite them.
#[utoipa::path(post, path = path::MEMBERS, tag = "members", security(("session" = [])),
    params(("workspace" = String, Path)), request_body = AddMember,
    responses((status = 201, body = Member), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn add(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
    JsonBody(request): JsonBody<AddMember>,
) -> Reply<(StatusCode, Json<Member>)> {
    let member = doors.authority.add_member(&caller, workspace, request).await?;
    Ok((StatusCode::CREATED, Json(member)))
}

/// Change what somebody is in a workspace.
#[utoipa::path(patch, path = path::MEMBER, tag = "members", security(("session" = [])),
    params(("workspace" = String, Path), ("member" = String, Path)), request_body = ChangeMember,
    responses((status = 200, body = Member), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn change(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
    OfMember(member): OfMember,
    JsonBody(request): JsonBody<ChangeMember>,
) -> Reply<Json<Member>> {
    Ok(Json(doors.authority.change_member(&caller, workspace, &member, request).await?))
}

/// Remove somebody from a workspace, where that is asked for with all the tokens that they had issued
/// there.
#[utoipa::path(delete, path = path::MEMBER, tag = "members", security(("session" = [])),
    params(("workspace" = String, Path), ("member" = String, Path), RemoveMember),
    responses((status = 200, body = MemberRemoved), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn remove(
    State(doors): State<Doors>,
    caller: Caller,
    InWorkspace(workspace): InWorkspace,
    OfMember(member): OfMember,
    Params(request): Params<RemoveMember>,
) -> Reply<Json<MemberRemoved>> {
    Ok(Json(doors.authority.remove_member(&caller, workspace, &member, request).await?))
}
