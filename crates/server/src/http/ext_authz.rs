//! Envoy's external authorisation (`ext_authz`, gRPC, API v3; `proto/ext_authz.proto` has its messages):
//! the answers of forward-auth, in Envoy's words.
//!
//! Every answer is one, also where nothing is known here: what Envoy takes for a failure it lets pass
//! where `failure_mode_allow` is set. A route demands by its `context_extensions`: `scope`, `workspace`,
//! `freshness`, and `authorization: keep` where the service behind it is to see the token.

mod asked;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Incoming;
use nt_token::Scope;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use crate::authority::seen::Texts;
use crate::http::client_address::Neighbour;
use crate::http::ext_authz::asked::{Asked, Token};
use crate::http::ext_authz::proto::authorization_server::{Authorization, AuthorizationServer};
use crate::http::ext_authz::proto::{
    CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue as Value,
    HeaderValueOption, HttpStatus, OkHttpResponse, Status as RpcStatus, check_response,
};
use crate::http::forward_auth::denied::Denied;
use crate::http::identity;
use crate::http::judge::Judge;
use crate::http::request::{REQUEST_ID, request_id};

/// The messages and the service, generated from `proto/ext_authz.proto`.
pub mod proto {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code; its comments come from the proto file"
    )]
    tonic::include_proto!("envoy.service.auth.v3");
}

/// The path of the one call.
pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// Answers a call that came over this connection.
pub async fn answer<J: Judge>(
    judge: Arc<J>,
    neighbour: Neighbour,
    request: axum::http::Request<Incoming>,
) -> Response {
    let Ok(answer) = AuthorizationServer::new(ExtAuthz { judge, neighbour }).oneshot(request).await;
    answer.map(Body::new)
}

struct ExtAuthz<J> {
    judge: Arc<J>,
    neighbour: Neighbour,
}

#[async_trait::async_trait]
impl<J: Judge> Authorization for ExtAuthz<J> {
    async fn check(
        &self,
        request: tonic::Request<CheckRequest>,
    ) -> Result<tonic::Response<CheckResponse>, Status> {
        let (metadata, _, CheckRequest { attributes }) = request.into_parts();
        let metadata = metadata.into_headers();
        let asked = attributes.unwrap_or_default();
        let asked = Asked::new(&asked, &metadata, self.neighbour, self.judge.proxies());
        let answer = match asked.demand() {
            Err(why) => denied(why, &[]),
            Ok((token, demand, fresh)) => match self.judge.judge(token, &demand, fresh).await {
                Ok(token) => passed(token.texts(), &asked),
                Err(why) => denied(why, &demand.scopes),
            },
        };
        Ok(tonic::Response::new(answer))
    }
}

/// Lets it pass, with who it is in the place of whatever the client wrote there.
fn passed(texts: &Texts, asked: &Asked<'_>) -> CheckResponse {
    let set = |(name, value): (&'static str, &Bytes)| {
        header(Bytes::from_static(name.as_bytes()), value.clone())
    };
    let mut headers_to_remove: Vec<Bytes> =
        asked.header_names().filter(|name| is_forged(name)).cloned().collect();
    if asked.token_after() == Token::Removed {
        headers_to_remove.push(Bytes::from_static(AUTHORIZATION.as_str().as_bytes()));
    }
    let headers = identity::NAMES.into_iter().zip(identity::values(texts)).map(set).collect();
    CheckResponse {
        status: Some(RpcStatus { code: Code::Ok as i32 }),
        http_response: Some(check_response::HttpResponse::OkResponse(OkHttpResponse {
            headers,
            headers_to_remove,
        })),
    }
}

/// Whether a client's header would be taken for one of ours, and is not overwritten by it. Many services
/// read `_` and `-` as one.
fn is_forged(name: &[u8]) -> bool {
    let ours = b"x-auth-";
    let begins = name.len() >= ours.len()
        && name.iter().zip(ours).all(|(is, ours)| match is {
            b'_' => *ours == b'-',
            is => is.eq_ignore_ascii_case(ours),
        });
    begins && !identity::NAMES.iter().any(|set| name.eq_ignore_ascii_case(set.as_bytes()))
}

/// Says no, as forward-auth does.
fn denied(why: Denied, needed: &[Scope]) -> CheckResponse {
    let (id, error) = (request_id(), why.error(needed));
    let (status, fields) = error.head();
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::BAD_REQUEST => Code::InvalidArgument,
        _ => Code::Unavailable,
    };
    let json = HeaderValue::from_static("application/json");
    let named = HeaderValue::from_str(&id).ok().map(|id| (REQUEST_ID, id));
    let fields = fields.into_iter().chain([(CONTENT_TYPE, json)]).chain(named);
    let headers = fields.map(|(name, value)| {
        header(name.as_str().to_owned().into(), Bytes::copy_from_slice(value.as_bytes()))
    });
    let body = serde_json::to_vec(&error.body(&id)).unwrap_or_default();
    CheckResponse {
        status: Some(RpcStatus { code: code as i32 }),
        http_response: Some(check_response::HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: status.as_u16().into() }),
            headers: headers.collect(),
            body: body.into(),
        })),
    }
}

fn header(key: Bytes, value: Bytes) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(Value { key, value, raw_value: Bytes::new() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}
