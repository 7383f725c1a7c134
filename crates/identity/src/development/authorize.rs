//! The authorization endpoint: shows the sign-in page, takes its form, and redirects with a code.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::codes::Grant;
use super::request::{AuthorizationRequest, Rejected, WayBack};
use super::user::User;
use super::{Served, page};

/// `GET`: a client's link. A hint that names a user signs that user in at once.
pub(super) async fn link(State(served): State<Arc<Served>>, RawQuery(query): RawQuery) -> Response {
    let request = match AuthorizationRequest::read(query.as_deref().unwrap_or_default()) {
        Ok((request, _)) => request,
        Err(rejected) => return reject(&served, rejected),
    };
    match request.login_hint.as_deref().and_then(User::with_email) {
        Some(user) => grant(&served, request, user),
        // OpenID Connect Core 1.0, section 3.1.2.6.
        None if request.silent => {
            error(&served, &request.way_back, "login_required", "nobody is signed in")
        }
        None => page::sign_in(&request),
    }
}

/// `POST`: the sign-in page's form.
pub(super) async fn form(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if !is_from_our_page(&headers, served.provider.origin()) {
        let why = "The form was sent by another site";
        return page::error(StatusCode::FORBIDDEN, why);
    }
    match AuthorizationRequest::read(&body) {
        Err(rejected) => reject(&served, rejected),
        Ok((request, parameters)) => match parameters.value("user").and_then(User::with_email) {
            Some(user) => grant(&served, request, user),
            None => page::error(StatusCode::BAD_REQUEST, "There is no such user"),
        },
    }
}

/// Whether a form can have come from our own page, by what browsers say of it. `Sec-Fetch-Site`
/// decides where there is one: under our `Referrer-Policy` a browser writes `Origin: null`. Other
/// clients send neither; they act for themselves and have nobody to mislead.
pub(super) fn is_from_our_page(headers: &HeaderMap, own_origin: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == own_origin,
        (None, None) => true,
    }
}

fn grant(served: &Served, request: AuthorizationRequest, user: &'static User) -> Response {
    let now = served.clock.now();
    let way_back = request.way_back;
    let grant = Grant {
        user,
        redirect_uri: way_back.redirect_uri.clone(),
        challenge: request.challenge,
        nonce: request.nonce,
        scope: request.scope,
        signed_in_at: now,
    };
    match served.provider.codes.issue(grant, now) {
        Ok(code) => redirect(&way_back.with(served.provider.issuer(), &[("code", &code)])),
        Err(_) => error(served, &way_back, "temporarily_unavailable", "too many codes are out"),
    }
}

fn reject(served: &Served, rejected: Rejected) -> Response {
    match rejected {
        Rejected::Shown(why) => page::error(StatusCode::BAD_REQUEST, &why),
        Rejected::Redirected(way_back, code, why) => error(served, &way_back, code, why),
    }
}

fn error(served: &Served, way_back: &WayBack, code: &str, why: &str) -> Response {
    let answer = [("error", code), ("error_description", why)];
    redirect(&way_back.with(served.provider.issuer(), &answer))
}

/// RFC 9700, section 4.12: 303, so that the form's body is never sent on.
fn redirect(target: &str) -> Response {
    let headers = [
        (header::LOCATION, target),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_form_counts_only_if_no_browser_says_that_another_site_sent_it() {
        let own = "http://127.0.0.1:8480";
        for (site, origin, ours) in [
            (None, None, true),
            (None, Some(own), true),
            (Some("same-origin"), Some("null"), true),
            (Some("same-origin"), Some(own), true),
            (None, Some("null"), false),
            (None, Some("http://127.0.0.1:9000"), false),
            (Some("same-site"), Some("http://127.0.0.1:9000"), false),
            (Some("cross-site"), None, false),
            (Some("cross-site"), Some(own), false),
            (Some("none"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("origin", origin)] {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            assert_eq!(is_from_our_page(&headers, own), ours, "{headers:?}");
        }
    }
}
