//! Clients that are slow, or send more than anybody needs, on connections in memory. The bytes are those
//! of RFC 9112 and RFC 9113.

use std::time::Duration;

use axum::http::Request;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Patience, talk};

const PATIENCE: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(10);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frames of HTTP/2 (RFC 9113, section 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u8 = 11;
/// `GET http://a/` in HPACK (RFC 7541): three entries of the static table and a literal.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];

/// A client, and the connection's task.
struct Client {
    stream: DuplexStream,
    served: JoinHandle<()>,
    /// Its end would be the server's.
    running: GracefulShutdown,
}

impl Client {
    fn new() -> Self {
        let (theirs, stream) = tokio::io::duplex(256 * 1024);
        // Says which path was asked for.
        let service = service_fn(async |request: Request<Incoming>| {
            Ok::<Response, _>(request.uri().path().to_owned().into_response())
        });
        let running = GracefulShutdown::new();
        let watcher = running.watcher();
        let patience = Patience { head: PATIENCE, ping: PATIENCE };
        let served = tokio::spawn(talk(theirs, service, watcher, patience));
        Self { stream, served, running }
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it listens");
    }

    /// What is heard until the other side ends the connection.
    async fn hear(mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        let ended = timeout(SOON, self.stream.read_to_end(&mut heard)).await;
        ended.expect("it ends").expect("in memory");
        timeout(SOON, self.served).await.expect("it ends").expect("no panic");
        drop(self.running);
        heard
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Kind and payload of each frame that was heard.
fn frames(mut heard: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = heard {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, after) = rest.split_at_checked(length).expect("a whole frame");
        all.push((*kind, payload));
        heard = after;
    }
    all
}

/// By which error code the connection was ended.
fn ended_by(heard: &[u8]) -> Option<u8> {
    let end = frames(heard).into_iter().find(|(kind, _)| *kind == GOAWAY);
    end.and_then(|(_, payload)| payload.get(7).copied())
}

#[tokio::test]
async fn whoever_does_not_begin_or_does_not_go_on_is_cut_off() {
    let settled = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for began in [
        &b""[..],
        b"P",
        b"PRI * HTTP/2.0\r\n\r\nS",
        b"GET",
        b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: a",
        PREFACE,
        &settled,
        // A head that never ends.
        &[&settled[..], &frame(HEADERS, END_STREAM, 1, GET)].concat(),
    ] {
        let mut client = Client::new();
        client.say(began).await;
        let heard = client.hear().await;
        let text = String::from_utf8_lossy(began);
        assert!(!heard.starts_with(b"HTTP/1.1 200"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_is_kept_and_not_used_ends() {
    let mut client = Client::new();
    client.say(b"GET /first HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(PATIENCE / 2).await;
    client.say(b"GET /second HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let heard = String::from_utf8(client.hear().await).expect("text");
    assert!(heard.contains("/first") && heard.ends_with("/second"), "{heard}");
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    let mut client = Client::new();
    let asked = ["/1", "/2", "/3"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    client.say(asked.concat().as_bytes()).await;
    let heard = String::from_utf8(client.hear().await).expect("text");
    assert_eq!(heard.matches(" 200 OK").count(), 3, "{heard}");
    let places = ["/1HTTP", "/2HTTP", "/3"].map(|answer| heard.find(answer));
    assert!(places.is_sorted() && places[0].is_some(), "{heard}");
}

#[tokio::test]
async fn a_head_may_be_long_and_not_of_any_length() {
    for (length, status) in [(24 * 1024, " 200 OK"), (64 * 1024, " 431 ")] {
        let mut client = Client::new();
        let cookie = "a".repeat(length);
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
        client.say(request.as_bytes()).await;
        let heard = String::from_utf8(client.hear().await).expect("text");
        assert!(heard.lines().next().is_some_and(|line| line.contains(status)), "{heard}");
    }
}

#[tokio::test]
async fn streams_that_are_opened_only_to_be_reset_end_the_connection() {
    let mut client = Client::new();
    let mut flood = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..1_000).step_by(2) {
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, GET));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    client.say(&flood).await;
    assert_eq!(ended_by(&client.hear().await), Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_head_that_goes_on_for_ever_ends_the_connection() {
    let mut client = Client::new();
    let mut flood = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    flood.extend(frame(HEADERS, END_STREAM, 1, GET));
    // A header of no name to speak of, again and again.
    let more = [0, 1, b'b', 1, b'c'].repeat(3_000);
    for _ in 0..16 {
        flood.extend(frame(CONTINUATION, 0, 1, &more));
    }
    client.say(&flood).await;
    let heard = client.hear().await;
    assert!(ended_by(&heard).is_some(), "{:?}", frames(&heard));
}
