//! Token Status Lists (draft-ietf-oauth-status-list), for whoever wants them: a list says nothing
//! that a stranger may not know, and so may be read from a page of another origin too.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, HeaderName, VARY};
use axum::http::{HeaderMap, HeaderValue, Response};
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
const CWT: &str = "application/statuslist+cwt";

const OPEN: [(HeaderName, &str); 2] =
    [(CACHE_CONTROL, limits::STATUS_LIST_CACHED), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

/// A Token Status List: which tokens of those that name it do not count. Whoever relies on one accepts
/// a token for up to its `ttl` longer than the authority does.
#[utoipa::path(get, path = path::STATUS_LIST, tag = "verification",
    params(("list" = u32, Path, description = "The number of the list, as tokens name it")),
    responses((status = 200, content((String = "application/statuslist+jwt"),
            (Vec<u8> = "application/statuslist+cwt"))),
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
    let (form, media) = if prefers_cwt(&headers) { (Form::Cwt, CWT) } else { (Form::Jwt, JWT) };
    let mut response = answer(list.published(form), &headers, media, limits::STATUS_LIST_CACHED);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
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

/// Whether a CWT is asked for, and no JWT at least as much (RFC 9110, section 12.5.1). Whoever wants
/// neither gets a JWT: that it cannot be read is seen by its type.
fn prefers_cwt(asked: &HeaderMap) -> bool {
    let ranges = asked.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<_> = ranges.flat_map(|value| value.split(',')).map(range).collect();
    let weight_of = |media: &str| {
        let named = ranges.iter().filter(|(range, _)| range.eq_ignore_ascii_case(media));
        named.map(|(_, weight)| *weight).max()
    };
    weight_of(CWT).is_some_and(|cwt| cwt > weight_of(JWT).unwrap_or(0))
}

/// A media range, and its weight in thousandths.
fn range(text: &str) -> (&str, u16) {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = match weight.map(|weight| weight.split_once('.').unwrap_or((weight, ""))) {
        None | Some(("1", _)) => 1_000,
        Some(("0", digits)) => format!("{digits:0<3.3}").parse().unwrap_or(0),
        Some(_) => 0,
    };
    (media, weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cwt_is_for_whoever_asks_for_one_more_than_for_a_jwt() {
        let asks = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().expect("a header"));
            prefers_cwt(&headers)
        };
        for cwt in [
            CWT,
            "Application/StatusList+CWT, */*;q=0.1",
            "application/statuslist+jwt;q=0.5,application/statuslist+cwt",
            "application/statuslist+cwt; q=0.9, application/statuslist+jwt; q=0.85",
        ] {
            assert!(asks(cwt), "{cwt}");
        }
        for jwt in [
            JWT,
            "*/*",
            "",
            "text/html",
            "application/statuslist+cwt;q=0",
            "application/statuslist+cwt;q=x",
            "application/statuslist+cwt, application/statuslist+jwt",
            "application/statuslist+jwt, application/statuslist+cwt;q=0.9",
        ] {
            assert!(!asks(jwt), "{jwt}");
        }
        assert!(!prefers_cwt(&HeaderMap::new()));
    }

    #[test]
    fn a_list_has_one_number() {
        assert_eq!((number("0"), number("17")), (Some(0), Some(17)));
        for other in ["", "00", "+1", "1 ", "-1", "4294967296", "x"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
