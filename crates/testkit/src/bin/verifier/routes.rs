//! What the service offers, all of it behind the layer that checks tokens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Extension;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use nt_verifier::VerifiedToken;
use nt_verifier::Verifier;
use nt_verifier::layer::BearerLayer;
use serde_json::json;
use tokio_stream::wrappers::IntervalStream;
use tokio_stream::{Stream, StreamExt as _};

/// Between two events of a stream.
const EVENT_EACH: Duration = Duration::from_millis(20);

/// Everything; without a good token there is no way in.
pub(crate) fn guarded(verifier: Verifier) -> Router {
    Router::new()
        .route("/check", get(check))
        .route("/sse", get(events))
        .route("/ws", any(socket))
        .layer(BearerLayer::new(verifier))
}

async fn check(Extension(token): Extension<VerifiedToken>) -> Response {
    Json(json!({ "jti": token.claims().jti.to_string() })).into_response()
}

/// A stream without an end of its own: the layer cuts it.
async fn events() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = IntervalStream::new(tokio::time::interval(EVENT_EACH));
    Sse::new(ticks.map(|_| Ok(Event::default().data("tick"))))
}

/// What the layer no longer sees ends itself.
async fn socket(upgrade: WebSocketUpgrade, Extension(token): Extension<VerifiedToken>) -> Response {
    upgrade.on_upgrade(move |socket| talk(socket, token))
}

async fn talk(mut socket: WebSocket, token: VerifiedToken) {
    let ended = token.ended();
    tokio::pin!(ended);
    let mut ticks = tokio::time::interval(EVENT_EACH);
    loop {
        let said = tokio::select! {
            biased;
            why = &mut ended => {
                let reason = why.to_string().into();
                let close = CloseFrame { code: close_code::POLICY, reason };
                // Whoever went away already needs no goodbye.
                let _gone = socket.send(Message::Close(Some(close))).await;
                return;
            }
            heard = socket.recv() => match heard {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            _ = ticks.tick() => socket.send(Message::text("tick")).await,
        };
        if said.is_err() {
            return;
        }
    }
}
