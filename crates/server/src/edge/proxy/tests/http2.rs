//! HTTP/2: to the upstream, with TLS and without, and from the client.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use axum::http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::edge::proxy::tests::world::{Running, Upstream, in_front_of, until_said};
use crate::edge::tests::world::Authority;
use crate::tls::{Clients, Files, Tls};

#[tokio::test]
async fn an_upstream_of_http_2_gets_whom_the_client_means_and_trailers_as_grpc_needs_them() {
    let (authority, upstream) = (Authority::start().await, Upstream::start().await);
    let settings = in_front_of(&format!("h2c://{}", upstream.address));
    let proxy = Running::start(&authority, settings).await;
    let (token, workspace) = authority.token(7);
    let headers =
        format!("authorization: Bearer {token}\r\nte: trailers\r\nconnection: close, te\r\n");
    for _ in 0..3 {
        let answer = proxy.ask("GET /a?b", &headers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = answer.seen();
        assert_eq!(
            (&seen["version"], &seen["uri"]),
            (&"HTTP/2.0".into(), &"http://h.example/a?b".into())
        );
        assert_eq!(answer.lines("x-auth-workspace"), [workspace.to_string()]);
        assert_eq!(answer.lines("te"), ["trailers"]);
        assert!(answer.lines("host").is_empty() && answer.lines("connection").is_empty());
    }
    let answer = proxy.ask("GET /trailers", &headers).await;
    assert!(answer.body.contains("0\r\nx-sum: 1\r\n"), "{answer:?}");
}

#[tokio::test]
async fn a_client_of_http_2_has_its_stream_reset_and_its_connection_kept() {
    let (authority, upstream) = (Authority::start().await, Upstream::start().await);
    let settings = in_front_of(&format!("http://{}", upstream.address));
    let proxy = Running::start(&authority, settings).await;
    let stream = TcpStream::connect(proxy.address).await.expect("it listens");
    let made = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = made.expect("it speaks HTTP/2");
    tokio::spawn(connection);
    let mut get = async |idx: u32, path: &str| {
        let bearer = format!("Bearer {}", authority.token(idx).0);
        let request = Request::get(format!("http://h.example{path}"));
        let request = request.header("authorization", bearer).body(Empty::<Bytes>::new());
        sender.send_request(request.expect("a request")).await.expect("an answer")
    };
    let (mut mine, mut theirs) =
        (get(7, "/sse").await.into_body(), get(8, "/sse").await.into_body());
    assert!(mine.frame().await.is_some_and(|frame| frame.is_ok()));
    authority.revoke(7).await;
    let ended = loop {
        match mine.frame().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(ended.is_some(), "a reset is no end");
    assert!(theirs.frame().await.is_some_and(|frame| frame.is_ok()));
    assert_eq!(get(7, "/").await.status(), 401);
    let seen = get(8, "/").await.into_body().collect().await.expect("a body").to_bytes();
    let seen: serde_json::Value = serde_json::from_slice(&seen).expect("JSON");
    assert!(seen["headers"].to_string().contains("host: h.example"), "{seen}");
    let trailers = get(8, "/trailers").await.into_body().collect().await.expect("a body");
    assert_eq!(
        trailers.trailers().map(HeaderMap::len),
        None,
        "it did not say that it understands them"
    );
}

#[tokio::test]
async fn an_upstream_with_tls_is_known_by_its_certificate_and_speaks_http_2() {
    let (authority, upstream) = (Authority::start().await, Upstream::start().await);
    let dir = tempfile::tempdir().expect("a folder");
    let key = KeyPair::generate().expect("randomness");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let files = Files {
        certificate: dir.path().join("pem"),
        key: dir.path().join("key"),
        clients: Clients::NotAsked,
    };
    fs::write(&files.certificate, params.self_signed(&key).expect("signed").pem()).expect("a file");
    fs::write(&files.key, key.serialize_pem()).expect("a file");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).expect("ours");
    let ca = files.certificate.clone();
    // Itself behind another, with everything public, is a server with TLS.
    let mut settings = in_front_of(&format!("http://{}", upstream.address));
    settings.public = vec!["/".parse().expect("a path")];
    let behind = Running::with_tls(&authority, settings, Tls::open(files).expect("TLS")).await;
    let mut settings = in_front_of(&format!("https://localhost:{}", behind.address.port()));
    settings.ca = Some(ca);
    let proxy = Running::start(&authority, settings).await;
    let (token, _) = authority.token(7);
    for _ in 0..3 {
        let answer = proxy.get("/a", &token).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.lines("x-forwarded-proto"), ["https"]);
        assert_eq!(answer.lines("host"), ["h.example"]);
    }
    let mut socket = proxy
        .open(&format!(
            "GET /ws HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\n\r\n"
        ))
        .await;
    until_said(&mut socket, "\r\n\r\n").await;
    socket.write_all(b"over TLS").await.expect("it is open");
    until_said(&mut socket, "over TLS").await;
    // Whoever is not known is not spoken to.
    let settings = in_front_of(&format!("https://localhost:{}", behind.address.port()));
    let proxy = Running::start(&authority, settings).await;
    assert_eq!(proxy.get("/a", &token).await.status, 502);
}
