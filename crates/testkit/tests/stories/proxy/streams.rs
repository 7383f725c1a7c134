//! Events, a WebSocket, a download and an upload: each is cut when its token is revoked.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{Request, process};
use nt_token::clock::Stopwatch;
use serde_json::json;

use super::SOON;
use super::programs::{Proxy, Server};
use crate::{OWNER, report, story};

/// The aim is 100 ms; the rest is for the machine that runs the test.
const ENDS_WITHIN_MS: f64 = 750.0;

/// How long after the answer something ended, in milliseconds; below zero where it was before.
fn late(ended: Duration, answered: Duration) -> f64 {
    (ended.as_secs_f64() - answered.as_secs_f64()) * 1e3
}

/// How a connection ended.
pub(super) struct Ended {
    at: Duration,
    reset: bool,
    all: Vec<u8>,
}

impl Ended {
    /// Whether what came looks like the whole: with the last chunk, or of the announced length.
    pub(super) fn is_whole(&self) -> bool {
        let text = String::from_utf8_lossy(&self.all);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        match length.and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => body.len() >= length,
            None => body.ends_with("\r\n0\r\n\r\n"),
        }
    }

    fn status(&self) -> Option<u16> {
        String::from_utf8_lossy(&self.all).get(9..12)?.parse().ok()
    }
}

/// A connection that is read until the other side ends it.
pub(super) struct Open {
    stream: TcpStream,
    reader: Option<JoinHandle<Ended>>,
}

impl Open {
    /// Sends the request and waits for the first of what comes without an end.
    pub(super) fn new(address: SocketAddr, request: &Request, watch: Stopwatch) -> Result<Self> {
        Self::after(address, request, "tick", watch)
    }

    fn after(address: SocketAddr, request: &Request, said: &str, watch: Stopwatch) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(&request.render())?;
        let mut reading = stream.try_clone()?;
        let mut all = Vec::new();
        while !String::from_utf8_lossy(&all).contains(said) {
            let mut piece = [0; 512];
            let read = reading.read(&mut piece)?;
            ensure!(read > 0, "no stream: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&piece[..read]);
        }
        let reader = thread::spawn(move || {
            let read = reading.read_to_end(&mut all);
            let reset = read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
            Ended { at: watch.elapsed(), reset, all }
        });
        Ok(Self { stream, reader: Some(reader) })
    }

    fn is_open(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| !reader.is_finished())
    }

    /// How it ended, once it has.
    pub(super) fn ended(&mut self, within: Duration) -> Result<Ended> {
        process::until(within, || Ok((!self.is_open()).then_some(())))?;
        let reader = self.reader.take().context("it is asked once")?;
        reader.join().ok().context("the reader panicked")
    }
}

fn web_socket(token: &str) -> Request {
    let upgrade = Request::get("/ws").bearer(token).header("connection", "upgrade");
    let upgrade = upgrade.header("upgrade", "websocket").header("sec-websocket-version", "13");
    upgrade.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// An upload that goes on and on, slowly.
fn upload(address: SocketAddr, token: &str, watch: Stopwatch) -> Result<Open> {
    let request = Request::new("POST", "/upload").bearer(token).header("expect", "100-continue");
    let request = request.header("content-length", "1000000000");
    let open = Open::after(address, &request, "100 Continue\r\n\r\n", watch)?;
    let mut writing = open.stream.try_clone()?;
    // Until nobody takes it any more.
    thread::spawn(move || {
        while writing.write_all(&[b'x'; 1_000]).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    Ok(open)
}

#[test]
fn what_is_open_with_a_token_is_cut_when_the_revoke_is_answered_and_nothing_else_is() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let made = owner.create_workspace("main")?;
        let other = owner.create_token(&made.workspace, &json!({}))?;
        let upstream = Server::start("upstream.mjs", &[])?;
        let proxy = Proxy::start(world, upstream.port, &[])?;
        let watch = Stopwatch::start();
        let open = |token: &str| -> Result<[Open; 3]> {
            let open = |request: Request| Open::new(proxy.address, &request.bearer(token), watch);
            let socket = Open::new(proxy.address, &web_socket(token), watch)?;
            Ok([open(Request::get("/events"))?, open(Request::get("/slow"))?, socket])
        };
        let (mine, theirs) = (open(&made.token)?, open(&other.token)?);
        let mut upload = upload(proxy.address, &made.token, watch)?;
        assert!(mine.iter().all(Open::is_open) && upload.is_open());

        owner.revoke(&made.workspace, &made.jti)?;
        let answered = watch.elapsed();
        let mut said = Vec::new();
        for (mut open, what) in mine.into_iter().zip(["events", "a download", "a WebSocket"]) {
            let ended = open.ended(SOON)?;
            assert!(ended.reset || !ended.is_whole(), "{what}: a cut is seen as one");
            said.push((what, late(ended.at, answered)));
        }
        let ended = upload.ended(SOON)?;
        assert!(ended.reset || String::from_utf8_lossy(&ended.all).contains("HTTP/1.1 401 "));
        assert_eq!(ended.status(), Some(100), "nothing else came before");
        said.push(("an upload", late(ended.at, answered)));
        assert_eq!(upstream.node.line()?, "upload cut", "the upstream sees it too");
        report(&format!("the proxy: cut, in ms after the revoke's answer: {said:.1?}"))?;
        assert!(said.iter().all(|(_, late)| *late <= ENDS_WITHIN_MS), "{said:?}");
        thread::sleep(Duration::from_millis(100));
        assert!(theirs.iter().all(Open::is_open), "something of another token was cut");
        Ok(())
    });
}
