//! What the layer lets through, what it answers, and that it cuts.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::world::*;
use crate::layer::{BearerLayer, CutError};
use crate::{End, VerifiedToken};

type Bytes = std::collections::VecDeque<u8>;

fn request(credentials: &[&str]) -> Request<()> {
    let mut request = Request::builder();
    for value in credentials {
        request = request.header(AUTHORIZATION, *value);
    }
    request.body(()).expect("a request")
}

async fn answer(layer: BearerLayer, request: Request<()>) -> Response<Vec<u8>> {
    let service =
        ServiceBuilder::new().layer(layer).service_fn(|request: Request<()>| async move {
            let token: &VerifiedToken =
                request.extensions().get().expect("let through with a token");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(
                token.claims().sub.to_string().into_bytes(),
            ))))
        });
    let (head, body) = service.oneshot(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("short").to_bytes().to_vec();
    Response::from_parts(head, body)
}

fn challenge(response: &Response<Vec<u8>>) -> &str {
    response.headers().get(WWW_AUTHENTICATE).expect("a challenge").to_str().expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_good_token_passes_and_the_service_sees_it() {
    let world = World::leased();
    let token = world.token(0, HERE);
    for scheme in ["Bearer", "bearer", "BEARER "] {
        let layer = BearerLayer::new(world.verifier.clone());
        let response = answer(layer, request(&[&format!("{scheme} {token}")])).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.body().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_pass_is_told_what_rfc_6750_says() {
    let world = World::leased();
    let good = format!("Bearer {}", world.token(0, HERE));
    let expected: [(&[&str], u16, &str); 6] = [
        (&[], 401, "Bearer"),
        (&["Basic dTpw"], 401, "Bearer"),
        (&["Bearer nonsense"], 401, r#"Bearer error="invalid_token""#),
        (&[&good, &good], 400, r#"Bearer error="invalid_request""#),
        (&["Bearer a b"], 400, r#"Bearer error="invalid_request""#),
        (&["Bearer "], 400, r#"Bearer error="invalid_request""#),
    ];
    for (credentials, status, text) in expected {
        let response = answer(BearerLayer::new(world.verifier.clone()), request(credentials)).await;
        assert_eq!(response.status().as_u16(), status, "{credentials:?}");
        assert_eq!(challenge(&response), text);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_token_without_the_scope_is_forbidden() {
    let world = World::leased();
    let token = format!("Bearer {}", world.token(0, HERE));
    let layer = |scope: &str| {
        BearerLayer::new(world.verifier.clone()).scope(scope.parse().expect("a scope"))
    };
    assert_eq!(answer(layer("read"), request(&[&token])).await.status(), StatusCode::OK);
    let response = answer(layer("write"), request(&[&token])).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(challenge(&response), r#"Bearer error="insufficient_scope", scope="write""#);
}

#[tokio::test(start_paused = true)]
async fn all_scopes_that_are_demanded_are_needed_and_named() {
    let world = World::leased();
    let token = format!("Bearer {}", world.token(0, HERE));
    let layer = |scopes: &[&str]| {
        let layer = BearerLayer::new(world.verifier.clone());
        scopes.iter().fold(layer, |layer, scope| layer.scope(scope.parse().expect("a scope")))
    };
    let response = answer(layer(&["read", "write", "read"]), request(&[&token])).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(challenge(&response), r#"Bearer error="insufficient_scope", scope="read write""#);
    assert_eq!(answer(layer(&["read", "read"]), request(&[&token])).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_restricted_token_passes_only_where_it_is_known_to_come_from_its_networks() {
    /// From where a request comes, as a server notes it.
    #[derive(Clone)]
    struct From(IpAddr);

    let world = World::leased();
    let restricted = format!("Bearer {}", world.restricted_token("192.0.2.0/24 2001:db8::/32"));
    let other = format!("Bearer {}", world.token(0, HERE));
    let unknowing = BearerLayer::new(world.verifier.clone());
    let knowing = unknowing.clone().source(|head| head.extensions.get::<From>().map(|from| from.0));
    let asked = async |layer: &BearerLayer, token: &str, from: Option<&str>| {
        let mut request = request(&[token]);
        if let Some(from) = from {
            request.extensions_mut().insert(From(from.parse().expect("an address")));
        }
        answer(layer.clone(), request).await
    };
    for inside in ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"] {
        let response = asked(&knowing, &restricted, Some(inside)).await;
        assert_eq!(response.status(), StatusCode::OK, "{inside}");
    }
    for (layer, from) in [
        (&knowing, Some("198.51.100.7")),
        (&knowing, None),
        (&unknowing, Some("192.0.2.9")),
        (&unknowing, None),
    ] {
        let response = asked(layer, &restricted, from).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{from:?}");
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE), "the token is to be kept");
        assert_eq!(response.headers()["x-auth-unmet"], "source");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(asked(layer, &other, from).await.status(), StatusCode::OK, "not restricted");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_the_answer_is_503_with_a_time_to_come_back_and_no_challenge() {
    let world = World::leased();
    let token = format!("Bearer {}", world.token(0, HERE));
    world.state.drop_lease();
    let response = answer(BearerLayer::new(world.verifier.clone()), request(&[&token])).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "1");
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
}

/// A body that sends one frame and then nothing more, like server-sent events; or frame upon frame.
struct Stream {
    pauses: bool,
    sent: usize,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.pauses && self.sent > 0 {
            return Poll::Pending;
        }
        self.sent += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from([0])))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_cut_when_its_token_is_revoked() {
    for pauses in [true, false] {
        let world = World::leased();
        let token = format!("Bearer {}", world.token(0, HERE));
        let service = ServiceBuilder::new()
            .layer(BearerLayer::new(world.verifier.clone()))
            .service(service_fn(move |_: Request<()>| async move {
                Ok::<_, Infallible>(Response::new(Stream { pauses, sent: 0 }))
            }));
        let mut body = service.oneshot(request(&[&token])).await.expect("answer").into_body();
        body.frame().await.expect("a frame").expect("no error yet");
        let next = async {
            if pauses {
                tokio::task::yield_now().await;
            }
            world.apply(revoke(HERE));
        };
        let (cut, ()) = tokio::join!(
            async {
                loop {
                    match body.frame().await.expect("not a proper end") {
                        Ok(_) => tokio::task::yield_now().await,
                        Err(cut) => return cut,
                    }
                }
            },
            next
        );
        assert!(matches!(cut, CutError::Ended(End::Revoked)), "{cut}");
        assert!(body.frame().await.is_none(), "nothing comes after it");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_says_that_it_is_empty() {
    let world = World::leased();
    let token = format!("Bearer {}", world.token(0, HERE));
    let service =
        ServiceBuilder::new().layer(BearerLayer::new(world.verifier.clone())).service(service_fn(
            |_: Request<()>| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) },
        ));
    for credentials in [&[token.as_str()][..], &[]] {
        let body = service.clone().oneshot(request(credentials)).await.expect("answer").into_body();
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
    }
}
