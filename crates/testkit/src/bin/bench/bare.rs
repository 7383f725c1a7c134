//! The controls that are processes of their own: of forward-auth, a server on bare hyper that answers
//! 200, with or without verifying one signature for each request; of revokes, a broadcaster that does
//! nothing but send bytes to many and wait until all have sent them back.

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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};

/// About as many bytes as one revocation and its frames are on the wire.
pub(crate) const NEWS: usize = 100;

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

/// Whoever connects says what it is by one byte: 1 is told each news and sends it back; 0 asks, by
/// any byte, for news to be sent to all of those, and is answered by one when all have answered. It
/// connects last: nobody is taken in after it.
pub(crate) async fn broadcast(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let (news, _) = broadcast::channel::<[u8; NEWS]>(16);
    let (answered, mut answers) = mpsc::channel::<()>(16_384);
    let mut asker = loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match stream.read_u8().await {
            Ok(0) => break stream,
            Ok(_) => drop(tokio::spawn(tell(stream, news.subscribe(), answered.clone()))),
            // Somebody only looked whether this listens.
            Err(_) => {}
        }
    };
    while asker.read_u8().await.is_ok() {
        let told = news.send([7; NEWS]).unwrap_or(0);
        for _ in 0..told {
            answers.recv().await.context("nobody is left to answer")?;
        }
        asker.write_all(&[1]).await?;
    }
    Ok(())
}

async fn tell(
    mut stream: TcpStream,
    mut news: broadcast::Receiver<[u8; NEWS]>,
    answered: mpsc::Sender<()>,
) -> Result<()> {
    let mut back = [0; NEWS];
    while let Ok(bytes) = news.recv().await {
        stream.write_all(&bytes).await?;
        stream.read_exact(&mut back).await?;
        answered.send(()).await?;
    }
    Ok(())
}
