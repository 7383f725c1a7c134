//! What stands on the two sides of a gateway and writes down what reaches it: the API that is
//! protected, and a relay on the way to the authority.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use serde_json::json;

use crate::http::{Connection, Response};
use crate::world::free_port;

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The request target, byte for byte.
    pub target: String,
    /// The header lines in order, names as they were spelt.
    pub headers: Vec<(String, String)>,
    /// How long the body was.
    pub body: usize,
}

impl Seen {
    /// The values of a header, however its name is spelt: upper case counts as lower case, and an
    /// underscore as a hyphen, as many a framework reads them.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let wanted = plain(name);
        let matching = self.headers.iter().filter(|(name, _)| plain(name) == wanted);
        matching.map(|(_, value)| value.as_str()).collect()
    }

    /// Whether this text occurs anywhere in it but in the body.
    pub fn mentions(&self, text: &str) -> bool {
        self.target.contains(text) || self.headers.iter().any(|(_, value)| value.contains(text))
    }
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The recorder itself: 200 to all.
    Itself,
    /// Whoever listens there, to whom each request is passed on as it came.
    From(SocketAddr),
}

/// A recorder on a free loopback port. Dropping it stops it.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopping: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts one.
    pub fn start(answers: Answers) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?))?;
        let address = listener.local_addr()?;
        let (seen, stopping) =
            (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(AtomicBool::new(false)));
        let (record, stop) = (Arc::clone(&seen), Arc::clone(&stopping));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let record = Arc::clone(&record);
                // A connection that breaks concerns only its own client.
                thread::spawn(move || drop(serve(stream, answers, &record)));
            }
        });
        Ok(Self { address, seen, stopping, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived since the last time that this was asked.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; if that fails, it has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Answers the requests on one connection.
fn serve(stream: TcpStream, answers: Answers, record: &Mutex<Vec<Seen>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut onward = None;
    while let Some((seen, bytes)) = read(&mut reader)? {
        let head = seen.method == "HEAD";
        record.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
        let answer = match answers {
            Answers::Itself => own(&seen),
            Answers::From(address) => {
                let mut connection = match onward.take() {
                    Some(connection) => connection,
                    None => Connection::open(address)?,
                };
                connection.write(&bytes)?;
                let answer = if head { connection.read_head()? } else { connection.read()? };
                onward = Some(connection);
                answer
            }
        };
        write(reader.get_mut(), &answer, head)?;
    }
    Ok(())
}

/// The API's answer: what it received.
fn own(seen: &Seen) -> Response {
    let body = json!({ "method": seen.method, "target": seen.target, "body": seen.body });
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Response { status: 200, headers, body: body.to_string().into_bytes() }
}

fn write(stream: &mut TcpStream, answer: &Response, head: bool) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {} -\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        if !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection") {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", answer.body.len()).as_bytes());
    if !head {
        bytes.extend_from_slice(&answer.body);
    }
    stream.write_all(&bytes)
}

/// One request, and its bytes as they came.
fn read(reader: &mut BufReader<TcpStream>) -> Result<Option<(Seen, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let line = line(reader, &mut bytes)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut seen = Seen { method, target, headers: Vec::new(), body: 0 };
    loop {
        let header = self::line(reader, &mut bytes)?;
        let Some((name, value)) = header.split_once(':') else { break };
        seen.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let value = |name: &str| seen.values(name).first().map(|value| (*value).to_owned());
    if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        loop {
            let size = usize::from_str_radix(self::line(reader, &mut bytes)?.trim(), 16)?;
            seen.body += take(reader, size, &mut bytes)?;
            self::line(reader, &mut bytes)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = value("content-length") {
        seen.body = take(reader, length.parse()?, &mut bytes)?;
    }
    Ok(Some((seen, bytes)))
}

fn line(reader: &mut BufReader<TcpStream>, bytes: &mut Vec<u8>) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(64 * 1024).read_until(b'\n', &mut line)?;
    bytes.extend_from_slice(&line);
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

fn take(
    reader: &mut BufReader<TcpStream>,
    length: usize,
    bytes: &mut Vec<u8>,
) -> io::Result<usize> {
    reader.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(bytes)
}
