//! Connections that fail as networks do: they are cut, or they stall, which nobody is told.
//!
//! One proxy stands before one target; what is done to it is done to all its connections, those that
//! are there and those that come.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// They pass.
    Flowing,
    /// They wait, in both directions, and nobody is told.
    Stalled,
    /// Connections are closed, and new ones at once.
    Cut,
}

/// Stands between whoever connects here and the target.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    line: Line,
    ended: bool,
    /// Both ends of each connection.
    open: Vec<[TcpStream; 2]>,
}

impl Proxy {
    /// One that lets everything pass.
    pub fn before(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = State { line: Line::Flowing, ended: false, open: Vec::new() };
        let shared = Shared { target, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.state().ended {
                    return;
                }
                // Where the target is not there, the client is told by the end of its connection.
                let _refused = accepting.join(client);
            }
        });
        Ok(Self { address, shared })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection, and those that come.
    pub fn cut(&self) {
        self.shared.set(Line::Cut);
    }

    /// Holds all bytes back.
    pub fn stall(&self) {
        self.shared.set(Line::Stalled);
    }

    /// Lets everything pass, also what was held back.
    pub fn heal(&self) {
        self.shared.set(Line::Flowing);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.cut();
        // Whoever waits for a connection sees the end by getting one.
        let _gone = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, line: Line) {
        let mut state = self.state();
        state.line = line;
        if line == Line::Cut {
            state.open.drain(..).flatten().for_each(|stream| close(&stream));
        }
        self.changed.notify_all();
    }

    /// Whether bytes may pass, after they could be said to.
    fn may_pass(&self) -> bool {
        let stalled = |state: &mut State| state.line == Line::Stalled;
        let state = self.changed.wait_while(self.state(), stalled);
        state.unwrap_or_else(PoisonError::into_inner).line == Line::Flowing
    }

    fn join(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let target = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let ways = [
            (client.try_clone()?, target.try_clone()?),
            (target.try_clone()?, client.try_clone()?),
        ];
        let mut state = self.state();
        if state.line == Line::Cut {
            return Ok(());
        }
        state.open.retain(|[client, _]| client.peer_addr().is_ok());
        state.open.push([client, target]);
        for (from, to) in ways {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pass(from, to));
        }
        Ok(())
    }

    /// One direction, until it ends; then both do.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if !self.may_pass() || to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The end itself waits as bytes do.
        self.may_pass();
        close(&from);
        close(&to);
    }
}

fn close(stream: &TcpStream) {
    // One that is closed already is what is wanted.
    let _closed = stream.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;

    /// Sends back what it is sent.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let (mut reader, mut writer) = (&stream, &stream);
                    std::io::copy(&mut reader, &mut writer)
                });
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        stream
    }

    fn comes_back(stream: &mut TcpStream, said: &[u8]) -> bool {
        let mut heard = vec![0; said.len()];
        stream.write_all(said).is_ok() && stream.read_exact(&mut heard).is_ok() && heard == said
    }

    #[test]
    fn what_is_said_passes_both_ways() {
        let proxy = Proxy::before(echo()).expect("it starts");
        let mut stream = connect(&proxy);
        assert!(comes_back(&mut stream, b"first") && comes_back(&mut stream, b"second"));
    }

    #[test]
    fn a_stalled_connection_says_nothing_until_it_is_healed_and_loses_nothing() {
        let proxy = Proxy::before(echo()).expect("it starts");
        let mut before = connect(&proxy);
        assert!(comes_back(&mut before, b"first"));
        proxy.stall();
        let mut during = connect(&proxy);
        for stream in [&mut before, &mut during] {
            stream.write_all(b"second").expect("nobody is told");
            stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket");
            let silent = stream.read(&mut [0; 8]).expect_err("nothing passes");
            assert!(matches!(silent.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        }
        proxy.heal();
        for stream in [&mut before, &mut during] {
            let mut heard = [0; 6];
            stream.read_exact(&mut heard).expect("it was only late");
            assert_eq!(&heard, b"second");
        }
    }

    #[test]
    fn a_cut_ends_the_connections_and_those_that_come_until_it_is_healed() {
        let proxy = Proxy::before(echo()).expect("it starts");
        let mut before = connect(&proxy);
        assert!(comes_back(&mut before, b"first"));
        proxy.cut();
        assert!(!comes_back(&mut before, b"second"));
        assert!(!comes_back(&mut connect(&proxy), b"second"));
        proxy.heal();
        assert!(!comes_back(&mut before, b"third"), "what was cut stays cut");
        assert!(comes_back(&mut connect(&proxy), b"third"));
    }

    #[test]
    fn a_stalled_connection_can_be_cut() {
        let proxy = Proxy::before(echo()).expect("it starts");
        let mut stream = connect(&proxy);
        assert!(comes_back(&mut stream, b"first"));
        proxy.stall();
        stream.write_all(b"second").expect("nobody is told");
        proxy.cut();
        assert!(!comes_back(&mut stream, b"third"));
    }

    #[test]
    fn an_end_passes_too() {
        let proxy = Proxy::before(echo()).expect("it starts");
        let mut stream = connect(&proxy);
        assert!(comes_back(&mut stream, b"first"));
        stream.shutdown(Shutdown::Write).expect("open");
        assert_eq!(stream.read(&mut [0; 8]).expect("an end"), 0);
    }
}
