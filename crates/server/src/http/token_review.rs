//! Kubernetes' webhook token authentication: whether a token is good, as an API server asks.
//!
//! Whoever asks holds the token and learns what forward-auth would say, so the door is as open as that
//! one. The API server does not say where its client is: a token that is for some networks only is
//! refused. Where nothing is known here the answer is 503, which API servers take for no answer.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use nt_api::error::ErrorBody;
use nt_api::path;
use nt_api::token_review::{KIND, ReviewedToken, Status, TokenReview, User, VERSIONS};
use nt_token::Claims;
use nt_verifier::Freshness;

use crate::authority::{Binding, Demand, Source};
use crate::http::Doors;
use crate::http::auth::NO_STORE;
use crate::http::error::{ApiError, Reply};
use crate::http::forward_auth::denied::Denied;
use crate::http::judge::Judge;

/// A request's body, if it could be read.
pub type Body = Result<Bytes, BytesRejection>;
/// The answer, kept by nobody.
pub type Reviewed = ([(HeaderName, &'static str); 1], Json<ReviewedToken>);

/// The door asks for nothing but that the token is good, wherever it is used.
const DEMAND: Demand =
    Demand { binding: Binding::None, scopes: Vec::new(), source: Source::Unknown };

/// Whether a token is good right now, and whose it is, for a Kubernetes API server.
#[utoipa::path(post, path = path::TOKEN_REVIEW, tag = "verification",
    request_body(content = TokenReview, content_type = "application/json"),
    responses((status = 200, body = ReviewedToken), (status = 400, body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn review(State(doors): State<Doors>, body: Body) -> Reply<Reviewed> {
    reviewed(&doors, body).await
}

/// The answer, whoever decides.
pub async fn reviewed(judge: &impl Judge, body: Body) -> Reply<Reviewed> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(),
        _ => ApiError::invalid("body", "The request body could not be read"),
    })?;
    // What is wrong with it is not repeated: it holds a token.
    let review: TokenReview = serde_json::from_slice(&body)
        .map_err(|_| ApiError::invalid("body", "The body must be a TokenReview of Kubernetes"))?;
    let TokenReview { api_version, kind, spec } = review;
    if kind != KIND || !VERSIONS.contains(&api_version.as_str()) {
        let message = "The body must be a TokenReview of authentication.k8s.io/v1 or v1beta1";
        return Err(ApiError::invalid("apiVersion", message));
    }
    let status = match judge.judge(&spec.token, &DEMAND, Freshness::Local).await {
        Ok(token) => good(token.claims(), spec.audiences.as_deref()),
        Err(why @ Denied::NotReady) => return Err(why.error(&[])),
        Err(why) => bad(why.error(&[]).message()),
    };
    Ok((NO_STORE, Json(ReviewedToken { api_version, kind, status })))
}

/// Good for those of the audiences that it names.
fn good(claims: &Claims, asked: Option<&[String]>) -> Status {
    let audiences = asked.filter(|asked| !asked.is_empty()).map(|asked| {
        asked.iter().filter(|audience| **audience == claims.aud).cloned().collect::<Vec<_>>()
    });
    if audiences.as_ref().is_some_and(Vec::is_empty) {
        return bad("The access token is for another audience");
    }
    let workspace = format!("ntd:workspace:{}", claims.sub);
    let scopes = claims.scope.iter().map(|scope| format!("ntd:scope:{}", scope.as_str()));
    let named = claims.scope.iter().map(|scope| scope.as_str().to_owned());
    let extra = [
        ("ntd/jti", vec![claims.jti.to_string()]),
        ("ntd/scope", named.collect()),
        ("ntd/expires", vec![claims.exp.unix().to_string()]),
    ];
    let user = User {
        username: workspace.clone(),
        uid: claims.jti.to_string(),
        groups: [workspace].into_iter().chain(scopes).collect(),
        extra: BTreeMap::from(extra.map(|(name, values)| (name.to_owned(), values))),
    };
    Status { authenticated: true, user: Some(user), audiences, error: None }
}

fn bad(why: &str) -> Status {
    Status { authenticated: false, user: None, audiences: None, error: Some(why.to_owned()) }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use serde_json::{Value, json};

    use super::*;
    use crate::authority::Unmet;
    use crate::http::judge::Accepted;

    /// Somebody who finds no token good.
    struct Nobody(Denied);

    impl Judge for Nobody {
        async fn judge(&self, token: &str, _: &Demand, _: Freshness) -> Result<Accepted, Denied> {
            assert_eq!(token, "014fbff9a07c...");
            Err(self.0)
        }

        fn proxies(&self) -> &[IpNet] {
            &[]
        }
    }

    /// As Kubernetes documents it, with what its client adds.
    fn asked(version: &str) -> Value {
        json!({
            "apiVersion": version,
            "kind": "TokenReview",
            "metadata": { "creationTimestamp": null },
            "spec": {
                "token": "014fbff9a07c...",
                "audiences": ["https://myserver.example.com", "https://myserver.internal.example.com"]
            },
            "status": { "user": {} }
        })
    }

    async fn answer(why: Denied, body: &Value) -> Result<Value, u16> {
        let answer = reviewed(&Nobody(why), Ok(body.to_string().into())).await;
        let (_, Json(answer)) = answer.map_err(|error| error.head().0.as_u16())?;
        Ok(serde_json::to_value(answer).expect("it is JSON"))
    }

    #[tokio::test]
    async fn a_token_that_is_not_good_is_said_not_to_be_in_the_version_that_was_asked() {
        for version in VERSIONS {
            let said = answer(Denied::Revoked, &asked(version)).await;
            let status = json!({ "authenticated": false, "error": "The access token was revoked" });
            let wanted = json!({ "apiVersion": version, "kind": "TokenReview", "status": status });
            assert_eq!(said, Ok(wanted));
        }
        let elsewhere = answer(Denied::Unmet(Unmet::Source), &asked(VERSIONS[0])).await;
        assert_eq!(elsewhere.expect("an answer")["status"]["authenticated"], false);
    }

    #[tokio::test]
    async fn who_cannot_know_or_is_asked_something_else_gives_no_verdict() {
        assert_eq!(answer(Denied::NotReady, &asked(VERSIONS[0])).await, Err(503));
        let later = asked("authentication.k8s.io/v2");
        assert_eq!(answer(Denied::Revoked, &later).await, Err(400));
        let mut other = asked(VERSIONS[0]);
        other["kind"] = "SubjectAccessReview".into();
        assert_eq!(answer(Denied::Revoked, &other).await, Err(400));
        let mut without = asked(VERSIONS[0]);
        without["spec"] = json!({});
        assert_eq!(answer(Denied::Revoked, &without).await, Err(400));
        assert_eq!(answer(Denied::Revoked, &json!("x")).await, Err(400));
    }
}
