//! What a proxy is told: where the upstream is, and what it demands of a request.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderValue, Uri};
use nt_token::{Scope, WorkspaceId};

use crate::edge::proxy::public::PublicPath;
use crate::edge::proxy::resource::Resource;

/// All of it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where requests go.
    pub upstream: Origin,
    /// Certificates in PEM that are trusted for it, in place of the system's.
    pub ca: Option<PathBuf>,
    /// What clients know it as.
    pub resource: Option<Resource>,
    /// The scopes that every token must have, all of them.
    pub scopes: Vec<Scope>,
    /// What passes without a token.
    pub public: Vec<PublicPath>,
    /// For which workspace a token must be.
    pub workspace: Bound,
}

/// For which workspace a token must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bound {
    /// Any.
    #[default]
    Any,
    /// This one.
    To(WorkspaceId),
    /// The one that the path names by its first segment that is a UUID, where there is one.
    ByPath,
}

impl FromStr for Bound {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "path" => Ok(Self::ByPath),
            _ => text.parse().map(Self::To).map_err(|_| "use a workspace's UUID, or path"),
        }
    }
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// How it is reached.
    pub way: Way,
    /// What it is called where a client has not said whom it means.
    pub host: HeaderValue,
}

/// How an upstream is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// HTTP/1.1, without TLS.
    Http(Authority),
    /// HTTP/2 by prior knowledge, without TLS.
    H2c(Authority),
    /// TLS, and HTTP/2 where the upstream has it.
    Https(Authority),
    /// HTTP/1.1 over a Unix socket.
    Unix(PathBuf),
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NONE: &str = "use http://HOST:PORT, https://HOST, h2c://HOST:PORT or unix:PATH";
        if let Some(path) = text.strip_prefix("unix:") {
            let host = HeaderValue::from_static("localhost");
            let way = Way::Unix(path.into());
            return if path.is_empty() { Err(NONE) } else { Ok(Self { way, host }) };
        }
        let uri: Uri = text.parse().map_err(|_| NONE)?;
        let parts = uri.into_parts();
        let (scheme, authority) = parts.scheme.zip(parts.authority).ok_or(NONE)?;
        let bare = parts.path_and_query.is_none_or(|path| path == "/");
        if !bare || authority.as_str().contains('@') {
            return Err("an upstream is an origin: without a path, a query or a user's name");
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| NONE)?;
        let way = match scheme.as_str() {
            _ if scheme == Scheme::HTTP => Way::Http(authority),
            _ if scheme == Scheme::HTTPS => Way::Https(authority),
            "h2c" => Way::H2c(authority),
            _ => return Err(NONE),
        };
        Ok(Self { way, host })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Http(authority) => write!(f, "http://{authority}"),
            Way::H2c(authority) => write!(f, "h2c://{authority}"),
            Way::Https(authority) => write!(f, "https://{authority}"),
            Way::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_an_origin_or_a_socket() {
        for text in [
            "http://127.0.0.1:9000",
            "https://mcp.internal",
            "h2c://[::1]:50051",
            "unix:/run/app.sock",
        ] {
            assert_eq!(text.parse::<Origin>().expect(text).to_string(), text);
        }
        for text in ["", "127.0.0.1:9000", "unix:", "ftp://a", "http://a/b", "http://u:p@a", "/a"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_workspace_is_given_or_read_from_the_path() {
        let one = "8f14e45f-ceea-467f-a0e6-0f6b1c2d3e4f";
        assert_eq!(one.parse(), Ok(Bound::To(one.parse().expect("a UUID"))));
        assert_eq!("path".parse(), Ok(Bound::ByPath));
        assert!("any".parse::<Bound>().is_err());
    }
}
