//! A raw HTTP/1.1 client over one kept connection: it sends exactly the bytes it is given, which a
//! well-behaved client would not, and costs almost nothing, which a hammer needs.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(40);

/// A request to be rendered. Nothing in it is checked or escaped.
#[derive(Debug, Clone)]
pub struct Request {
    line: String,
    headers: String,
    body: Vec<u8>,
}

impl Request {
    /// A request with this method and target.
    pub fn new(method: &str, target: &str) -> Self {
        let line = format!("{method} {target} HTTP/1.1\r\n");
        Self { line, headers: String::new(), body: Vec::new() }
    }

    /// `GET`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.headers, "{name}: {value}\r\n").expect("a String takes all");
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, media_type: &str, body: &[u8]) -> Self {
        let mut this = self
            .header("content-type", media_type)
            .header("content-length", &body.len().to_string());
        this.body = body.to_vec();
        this
    }

    /// The bytes on the wire.
    pub fn render(&self) -> Vec<u8> {
        let mut bytes =
            format!("{}host: localhost\r\n{}\r\n", self.line, self.headers).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The error code in the body, if it is one of our errors.
    pub fn error_code(&self) -> Option<String> {
        self.json()["error"]["code"].as_str().map(str::to_owned)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::open_for(address, TIMEOUT)
    }

    /// Connects, for answers that take no longer than this.
    pub fn open_for(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5).min(timeout))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends rendered bytes and reads one answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        self.write(request)?;
        self.read()
    }

    /// Sends bytes without waiting for an answer.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads one answer.
    pub fn read(&mut self) -> io::Result<Response> {
        let mut response = self.read_head()?;
        response.body = self.body(&response)?;
        Ok(response)
    }

    /// Reads one answer that has no body, whatever its head says: one to `HEAD`.
    pub fn read_head(&mut self) -> io::Result<Response> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| invalid(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Response { status, headers, body: Vec::new() })
    }

    fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if response.header("transfer-encoding") == Some("chunked") {
            loop {
                let line = self.line()?;
                let length = u64::from_str_radix(&line, 16).map_err(|_| invalid(&line))?;
                (&mut self.stream).take(length).read_to_end(&mut body)?;
                self.line()?;
                if length == 0 {
                    return Ok(body);
                }
            }
        }
        if let Some(length) = response.header("content-length") {
            let length = length.parse().map_err(|_| invalid(length))?;
            let read = (&mut self.stream).take(length).read_to_end(&mut body)?;
            if u64::try_from(read).ok() != Some(length) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        } else if response.header("connection") == Some("close") {
            self.stream.read_to_end(&mut body)?;
        }
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if (&mut self.stream).take(64 * 1024).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// One request on a connection of its own.
pub fn once(address: SocketAddr, request: &Request) -> Result<Response> {
    once_within(TIMEOUT, address, request)
}

/// One request on a connection of its own, given up after a while.
pub fn once_within(timeout: Duration, address: SocketAddr, request: &Request) -> Result<Response> {
    let connection = Connection::open_for(address, timeout);
    let mut connection = connection.with_context(|| format!("cannot connect to {address}"))?;
    let response = connection.exchange(&request.render());
    response.with_context(|| format!("no answer to {}", request.line.trim_end()))
}

fn invalid(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {line:.80}"))
}
