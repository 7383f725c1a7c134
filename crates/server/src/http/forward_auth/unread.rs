//! The body of a question. Nobody reads what it says, and nobody waits for it: the answer goes out at
//! once. Some gateways announce the body of the request that they ask about and never send it.

use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Request, Version};
use axum::response::Response;
use hyper::body::{Body as _, Incoming};

use crate::authority::limits::BODY_BYTES;
use crate::http::request_body::take_off;

/// The answer, and what becomes of the connection.
///
/// A small body is taken off it meanwhile. Before anything that may be longer the connection closes,
/// and says so; what was sent of it is taken off all the same, since a connection that is closed before
/// may take the answer with it (RFC 9112, section 9.6).
pub fn left(request: Request<Incoming>, mut response: Response) -> Response {
    if request.body().is_end_stream() {
        return response;
    }
    // HTTP/2 ends a stream alone, and by RST_STREAM where its client still sends: curl before version 8
    // shows that as error 92 in place of the answer.
    if request.version() > Version::HTTP_11 {
        take_off(request.into_body());
        return response;
    }
    // Who waits to be told to send will see that it need not.
    let waits = request.headers().contains_key(EXPECT);
    let most = request.body().size_hint().upper();
    if waits || most.is_none_or(|bytes| bytes > BODY_BYTES as u64) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if !waits {
        take_off(request.into_body());
    }
    response
}
