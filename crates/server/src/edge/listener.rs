//! Where the edge is asked: a TCP address or a Unix socket.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::http::client_address::{Neighbour, Peer};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:8481`
    Tcp(SocketAddr),
    /// `unix:/run/ntd/edge.sock`
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: is followed by the path of a socket"),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| "use ADDRESS:PORT or unix:PATH"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One connection, of whichever kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Has the other side see the end, when it comes, as an abort, and at once: what the kernel holds for
    /// it is thrown away.
    fn reset_at_its_end(&self);
}

impl Stream for TcpStream {
    fn reset_at_its_end(&self) {
        // Else it ends as usual, behind what is on its way.
        let _reset = self.set_zero_linger();
    }
}

impl Stream for UnixStream {
    /// There is nothing like it for these.
    fn reset_at_its_end(&self) {}
}

/// Listens. A Unix socket's file goes with it.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Begins to listen.
    pub async fn bind(address: &Address) -> anyhow::Result<Self> {
        let failed = || format!("cannot listen on {address}");
        Ok(Self(match address {
            Address::Tcp(tcp) => Kind::Tcp(TcpListener::bind(tcp).await.with_context(failed)?),
            Address::Unix(path) => {
                remove_what_was_left(path)?;
                Kind::Unix(UnixListener::bind(path).with_context(failed)?, path.clone())
            }
        }))
    }

    /// Where it listens, with the port that the system chose.
    pub fn address(&self) -> io::Result<Address> {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.local_addr().map(Address::Tcp),
            Kind::Unix(_, path) => Ok(Address::Unix(path.clone())),
        }
    }

    /// The next connection, and who is at its other end.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Neighbour)> {
        match &self.0 {
            Kind::Tcp(tcp) => {
                let (stream, peer) = tcp.accept().await?;
                // Answers are small and wanted at once.
                let _without_delay = stream.set_nodelay(true);
                Ok((Box::new(stream), Neighbour::Peer(Peer(peer))))
            }
            Kind::Unix(unix, _) => Ok((Box::new(unix.accept().await?.0), Neighbour::Socket)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Unix(_, path) = &self.0 {
            // One that stays is removed by the next process that listens there.
            let _gone = fs::remove_file(path);
        }
    }
}

/// A process that was killed leaves its socket's file behind, and nobody answers there.
fn remove_what_was_left(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        bail!("{} exists and is no socket", path.display());
    }
    match BlockingUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).with_context(|| path.display().to_string())
        }
        _ => bail!("{} is in use by another process", path.display()),
    }
}
