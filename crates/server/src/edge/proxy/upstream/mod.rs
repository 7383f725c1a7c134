//! The server behind us: connections to it, kept and used again, and what may go wrong with them.
//!
//! A request goes out once. It is sent again only where the connection that it was meant for turns out
//! to be closed before any of it was written.

mod connect;
mod kept;

use std::io;
use std::sync::Arc;

use axum::http::header::{CONNECTION, HOST, TE};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;

use crate::edge::proxy::body::{Download, Upload, Whole};
use crate::edge::proxy::head::Aim;
use crate::edge::proxy::settings::{Settings, Way};
use crate::edge::proxy::upstream::connect::{Connector, Spoken};
pub(super) use crate::edge::proxy::upstream::kept::Lease;
use crate::edge::proxy::upstream::kept::{Kept, Line};

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Why there is no answer of the upstream.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// No connection.
    #[error("no connection: {0}")]
    NoConnection(#[from] io::Error),
    /// No connection in time.
    #[error("no connection in time")]
    NotInTime,
    /// The connection ended, or said what is no answer.
    #[error("no answer: {0}")]
    NoAnswer(#[from] hyper::Error),
    /// It was said otherwise than was asked.
    #[error("an answer to what was not asked")]
    NotAsked,
}

/// The upstream.
pub(super) struct Upstream {
    connector: Connector,
    kept: Arc<Kept>,
    /// What it is called where nobody has said it.
    host: HeaderValue,
    secure: bool,
}

/// What becomes of the connection that a request goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is used again.
    Again,
    /// It is to become another protocol's.
    ForAnother,
}

impl Upstream {
    pub(super) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let origin = &settings.upstream;
        Ok(Self {
            connector: Connector::new(origin.way.clone(), settings.ca.as_deref())?,
            kept: Arc::default(),
            host: origin.host.clone(),
            secure: matches!(origin.way, Way::Https(_)),
        })
    }

    /// Whether a connection to it can be made another protocol's.
    pub(super) fn upgrades(&self) -> bool {
        self.connector.first() != Spoken::Http2 || self.secure
    }

    /// Sends a request whose head is complete but for what depends on the connection.
    pub(super) async fn send(
        &self,
        mut request: Request<Upload>,
        aim: &Aim,
        purpose: Use,
    ) -> Result<Response<Download>, Failed> {
        let whole = request.body().whole();
        loop {
            let (mut line, is_new) = self.line(purpose).await?;
            self.address(&mut request, aim, line.spoken());
            match line.send(request).await {
                Ok(response) => return answer(response, line, whole, purpose),
                Err((_, Some(unsent))) if !is_new => request = unsent,
                Err((error, _)) => return Err(Failed::NoAnswer(error)),
            }
        }
    }

    /// A connection that was kept, or a new one.
    async fn line(&self, purpose: Use) -> Result<(Line, bool), Failed> {
        if purpose == Use::ForAnother {
            return Ok((self.connector.line_for_another().await?, true));
        }
        if let Some(line) = self.kept.line().await {
            return Ok((line, false));
        }
        let line = self.connector.line().await?;
        Ok((self.kept.share(line), true))
    }

    /// Says whom the request means and what it asks, as the protocol has it.
    fn address(&self, request: &mut Request<Upload>, aim: &Aim, spoken: Spoken) {
        let host = aim.host.as_ref().unwrap_or(&self.host);
        match spoken {
            Spoken::Http1 => {
                *request.version_mut() = Version::HTTP_11;
                *request.uri_mut() = aim.path.clone().into();
                request.headers_mut().insert(HOST, host.clone());
                if aim.trailers && !request.headers().contains_key(CONNECTION) {
                    // What is between two neighbours is named so (RFC 9110, 10.1.4).
                    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("te"));
                    request.headers_mut().insert(TE, TRAILERS);
                }
            }
            Spoken::Http2 => {
                *request.version_mut() = Version::HTTP_2;
                *request.uri_mut() = whole_uri(host, &aim.path, self.secure);
                request.headers_mut().remove(HOST);
                request.headers_mut().remove(CONNECTION);
                if aim.trailers {
                    request.headers_mut().insert(TE, TRAILERS);
                }
            }
        }
    }
}

fn whole_uri(host: &HeaderValue, path: &PathAndQuery, secure: bool) -> Uri {
    let mut parts = axum::http::uri::Parts::default();
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    parts.path_and_query = Some(path.clone());
    // A host and a path that were read before make a URI; without one the upstream refuses.
    Uri::from_parts(parts).unwrap_or_default()
}

fn answer(
    response: Response<Incoming>,
    line: Line,
    whole: Whole,
    purpose: Use,
) -> Result<Response<Download>, Failed> {
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    match (switches, purpose) {
        (true, Use::Again) => Err(Failed::NotAsked),
        (true, Use::ForAnother) => Ok(response.map(|body| Download::new(body, Lease::none()))),
        (false, _) => Ok(response.map(|body| Download::new(body, line.lease(whole)))),
    }
}
