//! Making a connection to the upstream: over TCP or a Unix socket, with TLS or without, in HTTP/1.1 or 2.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::http::uri::Authority;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::authority::limits;
use crate::edge::proxy::settings::Way;
use crate::edge::proxy::upstream::Failed;
use crate::edge::proxy::upstream::kept::Line;
use crate::tls::certificates;

/// A connection, of whichever kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// Makes connections.
pub(super) struct Connector {
    way: Way,
    tls: Option<Tls>,
}

/// By which protocols a connection may be offered.
struct Tls {
    server: ServerName<'static>,
    either: TlsConnector,
    http1: TlsConnector,
}

impl Connector {
    pub(super) fn new(way: Way, ca: Option<&Path>) -> anyhow::Result<Self> {
        let tls = if let Way::Https(authority) = &way {
            Some(Tls::new(authority, ca)?)
        } else {
            ensure!(ca.is_none(), "certificates are for an upstream at https://");
            None
        };
        Ok(Self { way, tls })
    }

    /// What is spoken if nothing else is agreed upon.
    pub(super) fn first(&self) -> Spoken {
        match self.way {
            Way::H2c(_) | Way::Https(_) => Spoken::Http2,
            Way::Http(_) | Way::Unix(_) => Spoken::Http1,
        }
    }

    /// A new connection.
    pub(super) async fn line(&self) -> Result<Line, Failed> {
        in_time(async {
            let (stream, spoken) = self.dial(self.first()).await?;
            match spoken {
                Spoken::Http1 => http1_line(stream).await,
                Spoken::Http2 => http2_line(stream).await,
            }
        })
        .await
    }

    /// A new connection in HTTP/1.1, which can become another protocol's.
    pub(super) async fn line_for_another(&self) -> Result<Line, Failed> {
        in_time(async { http1_line(self.dial(Spoken::Http1).await?.0).await }).await
    }

    async fn dial(&self, wanted: Spoken) -> io::Result<(Box<dyn Stream>, Spoken)> {
        match (&self.way, &self.tls) {
            (Way::Unix(path), _) => Ok((Box::new(UnixStream::connect(path).await?), wanted)),
            (Way::Http(authority) | Way::H2c(authority) | Way::Https(authority), None) => {
                Ok((Box::new(tcp(authority, 80).await?), wanted))
            }
            (Way::Http(authority) | Way::H2c(authority) | Way::Https(authority), Some(tls)) => {
                tls.connect(tcp(authority, 443).await?, wanted).await
            }
        }
    }
}

async fn in_time(connecting: impl Future<Output = Result<Line, Failed>>) -> Result<Line, Failed> {
    let within = tokio::time::timeout(limits::UPSTREAM_CONNECT, connecting).await;
    within.unwrap_or(Err(Failed::NotInTime))
}

async fn tcp(authority: &Authority, port: u16) -> io::Result<TcpStream> {
    let port = authority.port_u16().unwrap_or(port);
    let stream = TcpStream::connect((bare(authority), port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The host without the brackets of an IPv6 address.
fn bare(authority: &Authority) -> &str {
    authority.host().trim_start_matches('[').trim_end_matches(']')
}

/// The task ends with the connection, which ends when nobody sends over it any more.
async fn http1_line(stream: Box<dyn Stream>) -> Result<Line, Failed> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(limits::PROXY_BUFFER);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to the upstream ended with an error");
        }
    });
    Ok(Line::one(sender))
}

async fn http2_line(stream: Box<dyn Stream>) -> Result<Line, Failed> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).adaptive_window(true);
    builder.keep_alive_interval(limits::HEAD_WAIT).max_header_list_size(limits::PROXY_HEAD);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the upstream ended with an error");
        }
    });
    Ok(Line::shared(sender))
}

impl Tls {
    fn new(authority: &Authority, ca: Option<&Path>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = ca {
            for certificate in certificates(path)? {
                roots.add(certificate).with_context(|| path.display().to_string())?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            ensure!(!roots.is_empty(), "there are no certificates to trust the upstream by");
        }
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let speaking = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            TlsConnector::from(Arc::new(config))
        };
        Ok(Self {
            server: ServerName::try_from(bare(authority).to_owned())
                .context("the upstream's host is no name that a certificate can have")?,
            either: speaking(&[b"h2", b"http/1.1"]),
            http1: speaking(&[b"http/1.1"]),
        })
    }

    async fn connect(
        &self,
        stream: TcpStream,
        wanted: Spoken,
    ) -> io::Result<(Box<dyn Stream>, Spoken)> {
        let connector = match wanted {
            Spoken::Http1 => &self.http1,
            Spoken::Http2 => &self.either,
        };
        let stream = connector.connect(self.server.clone(), stream).await?;
        let agreed = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Spoken::Http2,
            _ => Spoken::Http1,
        };
        Ok((Box::new(stream), agreed))
    }
}
