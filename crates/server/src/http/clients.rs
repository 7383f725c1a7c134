//! The register of OAuth clients.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use nt_api::clients::{AddClient, ClientAdded, ClientList, ClientRemoved};
use nt_api::error::ErrorBody;
use nt_api::path;

use crate::authority::Caller;
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::Reply;
use crate::http::extract::{JsonBody, OfClient};

/// Register an OAuth client. Its secret is in the answer, and nowhere else.
#[utoipa::path(post, path = path::CLIENTS, tag = "oauth", security(("session" = [])),
    request_body = AddClient,
    responses((status = 201, body = ClientAdded), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn add(
    State(doors): State<Doors>,
    caller: Caller,
    JsonBody(request): JsonBody<AddClient>,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1], Json<ClientAdded>)> {
    let added = doors.authority.add_client(&caller, request).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(added)))
}

/// The OAuth clients that are registered.
#[utoipa::path(get, path = path::CLIENTS, tag = "oauth", security(("session" = [])),
    responses((status = 200, body = ClientList), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn list(State(doors): State<Doors>, caller: Caller) -> Reply<Json<ClientList>> {
    Ok(Json(doors.authority.list_clients(&caller).await?))
}

/// Remove an OAuth client; its secret opens nothing from then on.
#[utoipa::path(delete, path = path::CLIENT, tag = "oauth", security(("session" = [])),
    params(("name" = String, Path)),
    responses((status = 200, body = ClientRemoved), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn remove(
    State(doors): State<Doors>,
    caller: Caller,
    OfClient(name): OfClient,
) -> Reply<Json<ClientRemoved>> {
    Ok(Json(doors.authority.remove_client(&caller, &name).await?))
}
