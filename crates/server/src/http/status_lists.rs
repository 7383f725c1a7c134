//! Token Status Lists (draft-ietf-oauth-status-list), for whoever wants them: a list says nothing
//! that a stranger may not know, and so may be read from a page of another origin too.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, Response};
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::status_lists::StatusLists;

use crate::authority::error::Refusal;
use crate::authority::limits;
use crate::authority::status_lists::Form;
use crate::http::Doors;
use crate::http::conditional::answer;
use crate::http::error::{ApiError, Reply};

const JWT: &str = "application/statuslist+jwt";

const OPEN: [(HeaderName, &str); 2] =
    [(CACHE_CONTROL, limits::STATUS_LIST_CACHED), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

/// A Token Status List: which tokens of those that name it do not count. Whoever relies on one accepts
/// a token for up to its `ttl` longer than the authority does.
#[utoipa::path(get, path = path::STATUS_LIST, tag = "verification",
    params(("list" = u32, Path, description = "The number of the list, as tokens name it")),
    responses((status = 200, body = String, content_type = "application/statuslist+jwt"),
        (status = 304, description = "It is the one that the caller has"),
        (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn one(
    State(doors): State<Doors>,
    Path(list): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Reply<Response<Body>> {
    let list = number(&list).ok_or(Refusal::NoStatusList)?;
    if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("time="))) {
        return Err(ApiError::no_history());
    }
    let list = doors.authority.status_list(list).await?;
    Ok(answer(list.published(Form::Jwt), &headers, JWT, limits::STATUS_LIST_CACHED))
}

/// Where all Token Status Lists are, for whoever wants to have them before they are needed.
#[utoipa::path(get, path = path::STATUS_LISTS, tag = "verification",
    responses((status = 200, body = StatusLists), (status = 503, body = ErrorBody)))]
pub async fn all(
    State(doors): State<Doors>,
) -> Reply<([(HeaderName, &'static str); 2], Json<StatusLists>)> {
    let status_lists = doors.authority.status_lists().await?;
    Ok((OPEN, Json(StatusLists { status_lists })))
}

/// A number as tokens name lists by it: one list has one URI.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_number() {
        assert_eq!((number("0"), number("17")), (Some(0), Some(17)));
        for other in ["", "00", "+1", "1 ", "-1", "4294967296", "x"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
