//! What is open with a token ends with it.

use std::io;
use std::time::Duration;

use nt_token::clock::Stopwatch;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::edge::proxy::tests::world::{Answer, Running, Upstream, in_front_of, rest, until_said};
use crate::edge::tests::world::{Authority, LEASE, until};

/// The aim is 100 ms; the rest is for the machine that runs the test.
const SOON: Duration = Duration::from_millis(500);

struct All {
    authority: Authority,
    _upstream: Upstream,
    proxy: Running,
}

impl All {
    async fn start() -> Self {
        let (authority, upstream) = (Authority::start().await, Upstream::start().await);
        let settings = in_front_of(&format!("http://{}", upstream.address));
        let proxy = Running::start(&authority, settings).await;
        Self { authority, _upstream: upstream, proxy }
    }

    async fn open(&self, idx: u32, line: &str, headers: &str, said: &str) -> TcpStream {
        let (token, _) = self.authority.token(idx);
        let request =
            format!("{line} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{headers}\r\n");
        let mut stream = self.proxy.open(&request).await;
        if !said.is_empty() {
            until_said(&mut stream, said).await;
        }
        stream
    }

    async fn events(&self, idx: u32) -> TcpStream {
        self.open(idx, "GET /sse", "", "tick").await
    }
}

#[tokio::test]
async fn a_revocation_cuts_what_its_token_has_open_and_nothing_else() {
    let all = All::start().await;
    let mut events = all.events(7).await;
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let mut socket = all.open(7, "GET /ws", upgrade, "\r\n\r\n").await;
    let mut upload = all
        .open(
            7,
            "POST /up",
            "content-length: 1000000\r\nexpect: 100-continue\r\n",
            "100 Continue\r\n\r\n",
        )
        .await;
    upload.write_all(&[0; 1_000]).await.expect("it is taken");
    let mut held = all.open(7, "GET /hold", "", "").await;
    let mut others = all.events(8).await;
    let mut other_socket = all.open(8, "GET /ws", upgrade, "\r\n\r\n").await;

    let watch = Stopwatch::start();
    all.authority.revoke(7).await;
    let said = rest(&mut events).await;
    assert!(!said.ends_with("0\r\n\r\n"), "an abort is no end: {said}");
    rest(&mut socket).await;
    // Nothing was answered yet: then there is a place to say why.
    for waiting in [&mut upload, &mut held] {
        let answer = Answer::of(&until_said(waiting, "\r\n\r\n").await);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.head.contains("The access token was revoked"), "{answer:?}");
    }
    assert!(watch.elapsed() < SOON, "{:?}", watch.elapsed());
    until_said(&mut others, "tick").await;
    other_socket.write_all(b"still").await.expect("it is open");
    until_said(&mut other_socket, "still").await;
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_too_and_gets_nothing_that_came_after() {
    let all = All::start().await;
    let mut download = all.open(7, "GET /big", "", "\r\n\r\n").await;
    // What is on its way fills up, and then nothing moves.
    tokio::time::sleep(Duration::from_millis(100)).await;
    all.authority.revoke(7).await;
    // Without a read: that the connection was reset is known here by what can be written no more.
    let is_reset = |error: io::Error| error.kind() != io::ErrorKind::WouldBlock;
    until("it is reset", || async { download.try_write(b"x").is_err_and(is_reset) }).await;
    let said = rest(&mut download).await;
    assert!(said.len() < 32 << 20, "{} of {}", said.len(), 64 << 20);
}

#[tokio::test]
async fn without_its_authority_a_stream_ends_soon_after_the_lease() {
    let mut all = All::start().await;
    let mut events = all.events(7).await;
    all.authority.stop().await;
    let watch = Stopwatch::start();
    let said = rest(&mut events).await;
    assert!(!said.ends_with("0\r\n\r\n"), "{said}");
    // For as long again as a lease usually is, so that a node can be restarted under it.
    assert!(watch.elapsed() <= LEASE + Duration::from_secs(2) + SOON, "{:?}", watch.elapsed());
}
