//! Who a request is, in the headers that tell a service behind us.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use nt_api::verification::{X_AUTH_EXPIRES, X_AUTH_JTI, X_AUTH_SCOPE, X_AUTH_WORKSPACE};

use crate::authority::seen::Texts;

const WORKSPACE: HeaderName = HeaderName::from_static(X_AUTH_WORKSPACE);
const JTI: HeaderName = HeaderName::from_static(X_AUTH_JTI);
const SCOPE: HeaderName = HeaderName::from_static(X_AUTH_SCOPE);
const EXPIRES: HeaderName = HeaderName::from_static(X_AUTH_EXPIRES);

/// The headers, for those who write them otherwise than HTTP does.
pub const NAMES: [&str; 4] = [X_AUTH_WORKSPACE, X_AUTH_JTI, X_AUTH_SCOPE, X_AUTH_EXPIRES];

/// What they say, in the order of [`NAMES`].
pub fn values(texts: &Texts) -> [&Bytes; 4] {
    [&texts.workspace, &texts.jti, &texts.scope, &texts.expires]
}

/// Says it. What stood there before is gone.
pub fn say(headers: &mut HeaderMap, texts: &Texts) {
    for (name, value) in [WORKSPACE, JTI, SCOPE, EXPIRES].into_iter().zip(values(texts)) {
        // Parsed identifiers and scopes hold nothing that a header cannot.
        if let Ok(value) = HeaderValue::from_maybe_shared(value.clone()) {
            headers.insert(name, value);
        }
    }
}
