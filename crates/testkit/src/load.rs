//! Load: many connections that send prepared requests as fast as they are answered.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nt_token::clock::Stopwatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest answer that is read.
const LONGEST: usize = 64 * 1024;

/// What a load run came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many requests were answered as demanded.
    pub requests: usize,
    /// In what time.
    pub took: Duration,
}

impl Rate {
    /// Requests a second.
    pub fn per_second(self) -> f64 {
        let requests = u32::try_from(self.requests).unwrap_or(u32::MAX);
        f64::from(requests) / self.took.as_secs_f64()
    }
}

/// Sends each of these requests once, over this many connections; every answer must have this
/// status.
pub async fn each_once(
    address: SocketAddr,
    connections: usize,
    requests: Arc<Vec<Vec<u8>>>,
    status: u16,
) -> Result<Rate> {
    let total = requests.len();
    run(address, connections, requests, total, status).await
}

/// As [`each_once`]; the bodies of the answers, in no particular order.
pub async fn answers(
    address: SocketAddr,
    connections: usize,
    requests: Arc<Vec<Vec<u8>>>,
    status: u16,
) -> Result<Vec<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    let total = requests.len();
    drive(address, connections, requests, total, status, Some(send)).await?;
    Ok(receive.iter().collect())
}

/// Sends these requests in turn, `total` in all, over this many connections.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    requests: Arc<Vec<Vec<u8>>>,
    total: usize,
    status: u16,
) -> Result<Rate> {
    drive(address, connections, requests, total, status, None).await
}

async fn drive(
    address: SocketAddr,
    connections: usize,
    requests: Arc<Vec<Vec<u8>>>,
    total: usize,
    status: u16,
    bodies: Option<mpsc::Sender<Vec<u8>>>,
) -> Result<Rate> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    let watch = Stopwatch::start();
    for stream in streams {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        let bodies = bodies.clone();
        clients.spawn(async move { client(stream, &requests, &next, total, status, bodies).await });
    }
    drop(bodies);
    while let Some(ended) = clients.join_next().await {
        ended.context("a client panicked")??;
    }
    Ok(Rate { requests: total, took: watch.elapsed() })
}

async fn client(
    mut stream: TcpStream,
    requests: &[Vec<u8>],
    next: &AtomicUsize,
    total: usize,
    status: u16,
    bodies: Option<mpsc::Sender<Vec<u8>>>,
) -> Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= total {
            return Ok(());
        }
        let request = &requests[number % requests.len()];
        let exchange = async {
            stream.write_all(request).await?;
            answer(&mut stream, &mut buffer).await
        };
        let is = tokio::time::timeout(TIMEOUT, exchange).await.context("no answer in time")??;
        if is != status {
            bail!("answered {is}, not {status}: {}", String::from_utf8_lossy(&buffer));
        }
        if let Some(bodies) = &bodies {
            let head = buffer.windows(4).position(|four| four == b"\r\n\r\n");
            let body = buffer.split_off(head.map_or(0, |head| head + 4));
            bodies.send(body).context("nobody wants the answers")?;
        }
    }
}

/// Reads one answer with a `Content-Length` into the buffer; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
        if let Some((status, length)) = parse(buffer)
            && buffer.len() >= length
        {
            return Ok(status);
        }
        if buffer.len() > LONGEST {
            bail!("the answer is too long");
        }
    }
}

/// The status and the whole length of an answer, once its head is there.
fn parse(bytes: &[u8]) -> Option<(u16, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(&bytes[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Some((status, head + length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_only_with_its_body() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n"), None);
        let head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(parse(head), Some((401, head.len() + 3)));
    }
}
