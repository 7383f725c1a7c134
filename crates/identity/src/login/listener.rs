//! The loopback listener that the browser is redirected to (RFC 8252, section 7.3): as much of
//! HTTP/1.1 as that takes, a thread a connection, so that a silent one holds up nobody.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nt_token::clock::Stopwatch;

use super::callback::{Answer, Expected, PATH};
use super::{LoginError, page};

/// How many ports after the wanted one are tried.
const MORE_PORTS: u16 = 10;

/// How many connections are held; a further one ends the oldest, which browsers open on suspicion.
const MOST_CONNECTIONS: usize = 16;

/// The longest request head, in bytes: browsers send other local servers' cookies along.
const LONGEST_HEAD: usize = 32 * 1_024;

/// How long a connection may take to send its request, and to take our answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Binds the wanted port, or one of the next ten.
pub(super) fn bind(port: u16) -> Result<(TcpListener, u16), LoginError> {
    let last = if port == 0 { 0 } else { port.saturating_add(MORE_PORTS) };
    for each in port..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, each)) {
            Ok(listener) => {
                let bound = listener.local_addr()?.port();
                return Ok((listener, bound));
            }
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(LoginError::PortsBusy { first: port, last })
}

/// A browser that waits for its answer.
#[derive(Debug)]
pub(super) struct Browser(Arc<TcpStream>);

impl Browser {
    /// Answers. A browser that has gone away is no failure of ours.
    pub(super) fn show(&self, response: &str) {
        let mut stream = &*self.0;
        let _ = stream.set_write_timeout(Some(PATIENCE));
        let _ = stream.write_all(response.as_bytes()).and_then(|()| stream.flush());
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// The listener at work. Dropping it ends all its threads.
#[derive(Debug)]
pub(super) struct Callbacks {
    answers: Receiver<(Answer, Browser)>,
    stopped: Arc<AtomicBool>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

impl Callbacks {
    /// Begins to accept connections.
    pub(super) fn listen(listener: TcpListener, expected: Expected) -> io::Result<Self> {
        let (sender, answers) = channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let address = listener.local_addr()?;
        let acceptor = {
            let stopped = Arc::clone(&stopped);
            Builder::new()
                .spawn(move || accept(&listener, &Arc::new(expected), &sender, &stopped))?
        };
        Ok(Self { answers, stopped, address, acceptor: Some(acceptor) })
    }

    /// The next answer to our request, if one comes within this time.
    pub(super) fn next_within(
        &self,
        time: Duration,
    ) -> Result<Option<(Answer, Browser)>, LoginError> {
        match self.answers.recv_timeout(time) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("the listener has stopped").into())
            }
        }
    }
}

impl Drop for Callbacks {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The acceptor waits for a connection: here is one. Should it fail, the thread is left to
        // the end of the process rather than waited for without end.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

struct Connection {
    stream: Arc<TcpStream>,
    thread: JoinHandle<()>,
}

impl Connection {
    fn end(self) {
        if !self.thread.is_finished() {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        let _ = self.thread.join();
    }
}

fn accept(
    listener: &TcpListener,
    expected: &Arc<Expected>,
    answers: &Sender<(Answer, Browser)>,
    stopped: &AtomicBool,
) {
    let mut connections: VecDeque<Connection> = VecDeque::new();
    for accepted in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = accepted.map(Arc::new) else {
            // No file descriptor is left, say: a moment later there may be one.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        connections.retain(|connection| !connection.thread.is_finished());
        if connections.len() >= MOST_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.end();
        }
        let browser = Browser(Arc::clone(&stream));
        let (expected, answers) = (Arc::clone(expected), answers.clone());
        if let Ok(thread) = Builder::new().spawn(move || converse(browser, &expected, &answers)) {
            connections.push_back(Connection { stream, thread });
        }
    }
    connections.into_iter().for_each(Connection::end);
}

/// Reads one request. The answer to ours is handed over together with the browser that brought it;
/// everything else is answered here, and changes nothing.
fn converse(browser: Browser, expected: &Expected, answers: &Sender<(Answer, Browser)>) {
    let target = match read_target(&browser.0) {
        Ok(target) => target,
        Err(Unread::Gone) => return,
        Err(Unread::Refused(status)) => return browser.show(&page::bad_request(status)),
    };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    if path != PATH {
        return browser.show(&page::not_found());
    }
    match expected.read(query) {
        // Nobody waits any more: the browser sees the connection end.
        Ok(answer) => drop(answers.send((answer, browser))),
        Err(not_ours) => browser.show(&page::not_ours(not_ours)),
    }
}

/// Why there is no request to look at.
enum Unread {
    /// The other side left, or took too long.
    Gone,
    /// Answered with this status line.
    Refused(&'static str),
}

/// Reads a request's head, and takes the target out of it (RFC 9112, section 3).
fn read_target(mut stream: &TcpStream) -> Result<String, Unread> {
    let since = Stopwatch::start();
    let mut head = Vec::new();
    let mut part = [0; 4_096];
    let mut looked_at = 0;
    while !head[looked_at..].windows(4).any(|end| end == b"\r\n\r\n") {
        looked_at = head.len().saturating_sub(3);
        if head.len() > LONGEST_HEAD {
            return Err(Unread::Refused("431 Request Header Fields Too Large"));
        }
        let left = PATIENCE.saturating_sub(since.elapsed());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return Err(Unread::Gone);
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return Err(Unread::Gone),
            Ok(read) => head.extend_from_slice(&part[..read]),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| Unread::Refused("400 Bad Request"))?;
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["GET", target, "HTTP/1.1" | "HTTP/1.0"] => Ok(target.to_owned()),
        [_, _, "HTTP/1.1" | "HTTP/1.0"] => Err(Unread::Refused("405 Method Not Allowed")),
        _ => Err(Unread::Refused("400 Bad Request")),
    }
}
