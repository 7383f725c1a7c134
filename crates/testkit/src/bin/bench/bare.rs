//! The control of forward-auth: a server on bare hyper that answers 200, with or without verifying
//! one signature for each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A signature to verify, over as many bytes as a token's has to cover.
struct Signed {
    public: ParsedPublicKey,
    message: [u8; 460],
    signature: Vec<u8>,
}

pub(crate) async fn serve(listen: SocketAddr, verify: bool) -> Result<()> {
    let signed = if verify { Some(Arc::new(signed()?)) } else { None };
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let signed = signed.clone();
        tokio::spawn(async move {
            let answer = move |_: Request<Incoming>| {
                let signed = signed.clone();
                async move { Ok::<_, Infallible>(respond(signed.as_deref())) }
            };
            let http = hyper::server::conn::http1::Builder::new();
            // A connection that breaks concerns only its client, who reports it.
            drop(http.serve_connection(TokioIo::new(stream), service_fn(answer)).await);
        });
    }
}

fn respond(signed: Option<&Signed>) -> Response<Empty<Bytes>> {
    let good = signed.is_none_or(|s| s.public.verify_sig(&s.message, &s.signature).is_ok());
    let mut response = Response::new(Empty::new());
    if !good {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    response
}

fn signed() -> Result<Signed> {
    let pair = Ed25519KeyPair::generate().ok().context("entropy")?;
    let public = ParsedPublicKey::new(&ED25519, pair.public_key()).ok().context("a public key")?;
    let message = [b'a'; 460];
    let signature = pair.sign(&message).as_ref().to_vec();
    Ok(Signed { public, message, signature })
}
