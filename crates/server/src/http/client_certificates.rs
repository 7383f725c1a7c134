//! The demand for a client certificate at the doors of OAuth clients. Whose certificate it is does not
//! matter here: the credential says who asks.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::http::extract::bearer;
use crate::http::oauth::error::OAuthFailure;
use crate::tls::clients::{CertificateDemand, ClientCertificate};

/// Where clients ask with credentials of their own.
const DOORS: &str = "/oauth2/";

/// Refuses there whoever shows none, before the request is looked at any further.
pub async fn demanded(
    State(demand): State<CertificateDemand>,
    request: Request,
    next: Next,
) -> Response {
    let is_open = demand == CertificateDemand::Nothing
        || !request.uri().path().starts_with(DOORS)
        || request.extensions().get::<ClientCertificate>().is_some();
    if is_open {
        return next.run(request).await;
    }
    OAuthFailure::no_certificate(bearer(request.headers()).is_some()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
    use axum::http::{HeaderValue, StatusCode};
    use axum::middleware::from_fn_with_state;
    use axum::routing::any;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(demand: CertificateDemand, request: Request) -> Response {
        let doors = Router::new()
            .route("/oauth2/introspect", any(async || "in"))
            .route("/v1/token_auth", any(async || "in"))
            .layer(from_fn_with_state(demand, demanded));
        doors.oneshot(request).await.expect("infallible")
    }

    fn to(path: &str) -> Request {
        Request::builder().uri(path).body(Body::empty()).expect("a request")
    }

    #[tokio::test]
    async fn at_oauth2_a_certificate_is_demanded_and_elsewhere_none() {
        let open = ask(CertificateDemand::Nothing, to("/oauth2/introspect")).await;
        assert_eq!(open.status(), StatusCode::OK);
        let elsewhere = ask(CertificateDemand::Certificate, to("/v1/token_auth")).await;
        assert_eq!(elsewhere.status(), StatusCode::OK);
        let mut shown = to("/oauth2/introspect");
        shown.extensions_mut().insert(ClientCertificate::naming([]));
        assert_eq!(ask(CertificateDemand::Certificate, shown).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_refusal_is_one_of_the_client_and_says_what_to_do() {
        for (authorization, challenge) in
            [("", "Basic realm"), ("Bearer x", "Bearer realm"), ("bAsIc YTpi", "Basic realm")]
        {
            let mut request = to("/oauth2/introspect");
            let shown = HeaderValue::from_static(authorization);
            request.headers_mut().insert(AUTHORIZATION, shown);
            let refused = ask(CertificateDemand::Certificate, request).await;
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
            let told = refused.headers()[WWW_AUTHENTICATE].to_str().expect("ASCII");
            assert!(told.starts_with(challenge), "{told}");
            let body = to_bytes(refused.into_body(), 1_024).await.expect("short");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(body["error"], "invalid_client");
            let told = body["error_description"].as_str().expect("a text");
            assert!(told.contains("client CA has signed"), "{told}");
        }
    }
}
