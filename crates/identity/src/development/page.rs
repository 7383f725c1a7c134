//! The provider's pages as HTTP responses: signing in, why that is not possible, and logins ended.

use std::fmt::Write as _;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::request::AuthorizationRequest;
use super::user::{USERS, User};
use crate::form::with_query;
use crate::html::{content_security_policy, document, escape};

/// The sign-in page: the users as buttons of a form that sends the request back to us.
pub(super) fn sign_in(request: &AuthorizationRequest) -> Response {
    let redirect_uri = &request.way_back.redirect_uri;
    let mut content = format!(
        "<h1>Choose who you are</h1>\n\
         <p class=\"quiet\">to sign in to <code>{client}</code> at <code>{place}</code></p>\n\
         <p class=\"notice\"><strong>Development sign-in</strong>\
         There are no passwords: whoever can open this page can be any of these users. \
         Never use it in production.</p>\n\
         <form method=\"post\" action=\"/dev/authorize\">\n",
        client = escape(super::CLIENT_ID),
        place = escape(redirect_uri.authority()),
    );
    for (name, value) in request.parameters() {
        let value = escape(value);
        let _ = writeln!(content, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    content.push_str("<fieldset>\n<legend>Sign in as</legend>\n");
    for user in &USERS {
        let _ = writeln!(
            content,
            "<button class=\"user\" name=\"user\" value=\"{email}\">\
             <span class=\"initial\" aria-hidden=\"true\">{initial}</span>\
             <span class=\"who\"><span class=\"email\">{email}</span> \
             <span class=\"quiet small\">{purpose}</span></span></button>",
            email = escape(user.email),
            initial = escape(&user.name[..1]),
            purpose = escape(user.purpose),
        );
    }
    content.push_str("</fieldset>\n</form>\n");
    content.push_str(&endings());
    let form_action = format!("'self' {}", redirect_uri.csp_source());
    respond(StatusCode::OK, "Development sign-in", &content, &form_action)
}

/// Forms that end a user's logins.
fn endings() -> String {
    let mut content = "<details>\n<summary class=\"quiet small\">End a user's logins</summary>\n\
         <p class=\"quiet small\">Sessions that were signed in with them are not renewed any more.</p>\n"
        .to_owned();
    for user in &USERS {
        let action = with_query("/dev/end", &[("user", user.email)]);
        let _ = writeln!(
            content,
            "<form method=\"post\" action=\"{action}\"><button class=\"user\">\
             <span class=\"who\"><span class=\"email\">{email}</span> \
             <span class=\"quiet small\">End this user's logins</span></span></button></form>",
            action = escape(&action),
            email = escape(user.email),
        );
    }
    content.push_str("</details>\n");
    content
}

/// The user's logins are ended.
pub(super) fn ended(user: &User) -> Response {
    let content = format!(
        "<div class=\"mark good\" aria-hidden=\"true\">&#10003;</div>\n<h1>Logins ended</h1>\n\
         <p><code>{email}</code> must sign in again: nothing renews the sessions so far.</p>\n",
        email = escape(user.email),
    );
    respond(StatusCode::OK, "Logins ended", &content, "'none'")
}

/// Why there is no signing in, for the person alone: the client is not known, or not to be trusted.
pub(super) fn error(status: StatusCode, why: &str) -> Response {
    let content = format!(
        "<div class=\"mark bad\" aria-hidden=\"true\">!</div>\n<h1>This sign-in link does not work</h1>\n\
         <p>{why}.</p>\n<p class=\"quiet small\">Development sign-in. Start again with \
         <code>ntcli auth login</code>.</p>\n",
        why = escape(why),
    );
    respond(status, "Sign-in not possible", &content, "'none'")
}

fn respond(status: StatusCode, title: &str, content: &str, form_action: &str) -> Response {
    const NOSNIFF: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        NOSNIFF,
    ];
    let policy = [(header::CONTENT_SECURITY_POLICY, content_security_policy(form_action))];
    (status, headers, policy, Html(document(title, content))).into_response()
}
