//! What is open with a token ends with it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{Request, process};
use nt_token::clock::Stopwatch;
use serde_json::json;

use super::{SOON, verifier};
use crate::{OWNER, report, story};

/// The aim is 100 ms; the rest is for the machine that runs the test.
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// A connection that is read until the other side ends it.
struct Open {
    stream: TcpStream,
    reader: JoinHandle<(Duration, Vec<u8>)>,
}

impl Open {
    /// Sends the request and waits for the first of what comes without an end.
    fn new(address: SocketAddr, request: &Request, watch: Stopwatch) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(&request.render())?;
        let mut reading = stream.try_clone()?;
        let mut all = Vec::new();
        while !all.windows(4).any(|part| part == b"tick") {
            let mut piece = [0; 512];
            let read = reading.read(&mut piece)?;
            ensure!(read > 0, "no stream: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&piece[..read]);
        }
        let reader = thread::spawn(move || {
            // A reset is an end too.
            let _ended = reading.read_to_end(&mut all);
            (watch.elapsed(), all)
        });
        Ok(Self { stream, reader })
    }

    fn is_open(&self) -> bool {
        !self.reader.is_finished()
    }

    /// When it ended, and everything that came.
    fn end(self) -> Result<(Duration, Vec<u8>)> {
        process::until(SOON, || Ok(self.reader.is_finished().then_some(())))?;
        drop(self.stream);
        self.reader.join().ok().context("the reader panicked")
    }
}

fn web_socket(token: &str) -> Request {
    let upgrade = Request::get("/ws").bearer(token).header("connection", "upgrade");
    let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
    upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The status code of the frame that closes a WebSocket (RFC 6455, 5.5.1): the last that came. A
/// server does not mask its frames, and what is said here is shorter than 126 bytes.
fn close_code(all: &[u8]) -> Option<u16> {
    let head = all.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let mut frames = all.get(head..)?;
    loop {
        let (&kind, &length) = (frames.first()?, frames.get(1)?);
        let body = frames.get(2..2 + usize::from(length))?;
        if kind == 0x88 {
            return Some(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        }
        frames = &frames[2 + body.len()..];
    }
}

#[test]
fn an_event_stream_and_a_web_socket_end_with_their_token_and_no_other_does() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let made = owner.create_workspace("main")?;
        let other = owner.create_token(&made.workspace, &json!({}))?;
        let service = verifier(world, "service", world.address(), None)?;
        service.until(&made.token, 200)?;
        let watch = Stopwatch::start();
        let open = |request: Request| Open::new(service.address(), &request, watch);
        let events = open(Request::get("/sse").bearer(&made.token))?;
        let socket = open(web_socket(&made.token))?;
        let others =
            [open(Request::get("/sse").bearer(&other.token))?, open(web_socket(&other.token))?];
        assert!(events.is_open() && socket.is_open());

        owner.revoke(&made.workspace, &made.jti)?;
        let answered = watch.elapsed();
        let (events, _) = events.end()?;
        let (socket, said) = socket.end()?;
        assert_eq!(close_code(&said), Some(1008), "it is told that it may not go on");
        let late = |end: Duration| end.saturating_sub(answered);
        report(&format!(
            "streams: an event stream ended {:?} and a WebSocket {:?} after the revoke's answer",
            late(events),
            late(socket)
        ))?;
        assert!(late(events).max(late(socket)) <= ENDS_WITHIN);
        thread::sleep(Duration::from_millis(100));
        assert!(others.iter().all(Open::is_open), "a stream of another token ended");
        Ok(())
    });
}
