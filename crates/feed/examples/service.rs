//! A service whose doors open for workspace tokens alone, and whose streams end when the token does.
//!
//! ```console
//! $ ntd serve --dev
//! $ cargo run -p nt-feed --example service -- http://127.0.0.1:8480 127.0.0.1:8482
//! $ curl -N -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8482/ticks     # then revoke it
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{Extension, Router};
use nt_feed::client::{Settings, connect};
use nt_verifier::VerifiedToken;
use nt_verifier::layer::BearerLayer;
use tokio_stream::{Stream, StreamExt as _, wrappers::IntervalStream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let authority = arguments.next().unwrap_or("http://127.0.0.1:8480".to_owned()).parse()?;
    let listen = arguments.next().unwrap_or("127.0.0.1:8482".to_owned());

    let (verifier, following) = connect(Settings::new(authority, "example")).await?;
    let service = Router::new()
        .route("/whoami", get(whoami))
        .route("/ticks", get(ticks))
        // Without it a token that is restricted to networks is not let in.
        .layer(BearerLayer::new(verifier).source(|head| {
            head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
        }))
        .into_make_service_with_connect_info::<SocketAddr>();

    let listener = tokio::net::TcpListener::bind(listen).await?;
    tokio::select! {
        served = axum::serve(listener, service) => served?,
        stop = tokio::signal::ctrl_c() => stop?,
    }
    // Gives the lease back, so that no revoke waits for this process.
    following.stop().await;
    Ok(())
}

async fn whoami(Extension(token): Extension<VerifiedToken>) -> String {
    format!("{} in {}\n", token.claims().jti, token.claims().sub)
}

async fn ticks() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let seconds = IntervalStream::new(tokio::time::interval(Duration::from_secs(1)));
    Sse::new(seconds.map(|_| Ok(Event::default().data("tick"))))
}
