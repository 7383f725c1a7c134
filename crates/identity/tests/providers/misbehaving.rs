//! A provider that does as it is told, and counts what it is asked.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// A server that gives everybody this answer, and its URL.
pub(crate) fn answering(status: u16, body: &Value) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let body = body.to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 8_192]);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// How it answers for its keys.
#[derive(Debug, Clone)]
pub(crate) enum Jwks {
    /// With these.
    Set(Vec<Value>),
    /// With this text.
    Text(&'static str),
    /// With 10 MB, whose length it does not announce.
    Endless,
    /// With this status.
    Status(u16),
    /// Not at all.
    Silence,
}

#[derive(Debug)]
pub(crate) struct Misbehaving {
    pub(crate) issuer: String,
    jwks: Arc<Mutex<Jwks>>,
    fetches: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Misbehaving {
    pub(crate) fn start(jwks: Jwks) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let issuer = format!("http://{}", listener.local_addr().expect("bound"));
        let provider = Self {
            issuer: issuer.clone(),
            jwks: Arc::new(Mutex::new(jwks)),
            fetches: Arc::default(),
            sent: Arc::default(),
        };
        let (jwks, fetches) = (Arc::clone(&provider.jwks), Arc::clone(&provider.fetches));
        let sent = Arc::clone(&provider.sent);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (issuer, jwks) = (issuer.clone(), Arc::clone(&jwks));
                let (fetches, sent) = (Arc::clone(&fetches), Arc::clone(&sent));
                std::thread::spawn(move || answer(stream, &issuer, &jwks, &fetches, &sent));
            }
        });
        provider
    }

    pub(crate) fn now_answers(&self, jwks: Jwks) {
        *self.jwks.lock().expect("not poisoned") = jwks;
    }

    /// How often it was asked for its keys.
    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// How many bytes of an endless answer it got rid of.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

fn answer(
    mut stream: TcpStream,
    issuer: &str,
    jwks: &Mutex<Jwks>,
    fetches: &AtomicUsize,
    sent: &AtomicUsize,
) {
    let mut head = [0; 8_192];
    let Ok(read) = stream.read(&mut head) else { return };
    let head = String::from_utf8_lossy(&head[..read]);
    let body = if head.starts_with("GET /.well-known/openid-configuration ") {
        json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")}).to_string()
    } else if head.starts_with("GET /jwks ") {
        fetches.fetch_add(1, Ordering::SeqCst);
        let jwks = jwks.lock().expect("not poisoned").clone();
        match jwks {
            Jwks::Set(keys) => json!({ "keys": keys }).to_string(),
            Jwks::Text(text) => text.to_owned(),
            Jwks::Endless => return pour(&mut stream, sent),
            Jwks::Status(status) => {
                // Said, so that the client does not ask again on a connection that is just closing.
                let head = format!(
                    "HTTP/1.1 {status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                );
                let _ = stream.write_all(head.as_bytes());
                return;
            }
            Jwks::Silence => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0; 1]);
                return;
            }
        }
    } else {
        return;
    };
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// 10 MB in chunks: a key set that never gets to its end.
fn pour(stream: &mut TcpStream, sent: &AtomicUsize) {
    const CHUNK: usize = 16 * 1_024;
    let head =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"keys\":[],\"x\":\"\r\n";
    let chunk = format!("{CHUNK:x}\r\n{}\r\n", "x".repeat(CHUNK));
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    for _ in 0..10_000_000 / CHUNK {
        if stream.write_all(chunk.as_bytes()).is_err() {
            return;
        }
        sent.fetch_add(CHUNK, Ordering::SeqCst);
    }
    let _ = stream.write_all(b"2\r\n\"}\r\n0\r\n\r\n");
}
