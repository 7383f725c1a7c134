//! A small API that is protected by the authority: it asks `/v1/token_auth` about each request and
//! remembers nothing. It serves the demo. What stands behind gateways is `gateway::Recorder`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use serde_json::json;

use crate::http::{Connection, Request};

/// A running API. Dropping it stops it.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Api {
    /// Starts on a free loopback port; asks this authority about each request.
    pub fn start(authority: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::world::free_port()?))?;
        let address = listener.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                // A connection that breaks concerns only its own client.
                thread::spawn(move || drop(serve(stream, authority)));
            }
        });
        Ok(Self { address, stopping, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; if that fails, it has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Answers requests on one connection: 200 with what was received, or what the authority says.
fn serve(stream: TcpStream, authority: SocketAddr) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut authority = Connection::open(authority)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if (&mut reader).take(64 * 1024).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut headers = serde_json::Map::new();
        loop {
            let mut header = String::new();
            (&mut reader).take(64 * 1024).read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), json!(value.trim()));
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.as_str());
        let length = text("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        (&mut reader).take(length).read_to_end(&mut Vec::new())?;
        let ask = Request::get("/v1/token_auth");
        let ask = match text("authorization") {
            Some(credential) => ask.header("authorization", credential),
            None => ask,
        };
        let status = authority.exchange(&ask.render())?.status;
        let body = json!({ "request": line.trim_end(), "headers": headers }).to_string();
        let length = body.len();
        let head = format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n");
        let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}
