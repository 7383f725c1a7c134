//! Ending a user's logins, as an administrator does at a real provider: to see what becomes of a
//! session whose renewal is refused.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::authorize::is_from_our_page;
use super::user::User;
use super::{Served, page};
use crate::form::Parameters;

/// `POST /dev/end?user=<email>`.
pub(super) async fn logins(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    if !is_from_our_page(&headers, served.provider.origin()) {
        return page::error(StatusCode::FORBIDDEN, "The form was sent by another site");
    }
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    let user = parameters.ok().and_then(|all| all.value("user").and_then(User::with_email));
    let Some(user) = user else {
        return page::error(StatusCode::BAD_REQUEST, "There is no such user");
    };
    served.provider.logins.end(user);
    page::ended(user)
}
