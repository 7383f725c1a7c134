//! The head of what is passed on: what must be clear about it, what ends here, and what is added.
//!
//! Whatever this side says of a request (`X-Auth-…`, `X-Forwarded-…`) comes from this side alone: a
//! client's own lines of such names, and of names that a server behind us may take for the same, are
//! taken out first.

use std::net::IpAddr;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::http::error::ApiError;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What is between two neighbours only, whether or not `Connection` names it (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "te",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
];

/// Where a request goes, in its own words.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    /// Whom it means; `None` where an HTTP/1.0 client does not say.
    pub(super) host: Option<HeaderValue>,
    /// What it asks of them.
    pub(super) path: PathAndQuery,
    /// Whether trailers are understood.
    pub(super) trailers: bool,
}

/// What is not passed on, whoever sends it: not this method, or one could read it in two ways.
pub(super) fn aim(parts: &Parts) -> Result<Aim, ApiError> {
    // A tunnel to anywhere is no request to the upstream, and an echo would show what we add.
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(ApiError::method_not_allowed());
    }
    let unclear = |message| ApiError::invalid("host", message);
    let mut hosts = parts.headers.get_all(HOST).iter();
    let said = hosts.next();
    if hosts.next().is_some() {
        return Err(unclear("The request has two Host headers"));
    }
    let named = parts.uri.authority().map(Authority::as_str);
    let said = said.map(|value| value.to_str().map_err(|_| unclear("Host is not a host's name")));
    let said = said.transpose()?;
    let host = match (named, said) {
        // RFC 9113, 8.3.1: the two may not differ. In HTTP/1.1 the absolute form wins (RFC 9112, 3.2.2).
        (Some(named), Some(said)) if is_h2(parts) && !named.eq_ignore_ascii_case(said) => {
            return Err(unclear("Host and :authority differ"));
        }
        (Some(host), _) | (None, Some(host)) => Some(host),
        (None, None) if parts.version == Version::HTTP_10 => None,
        (None, None) => return Err(unclear("The request has no Host")),
    };
    if host.is_some_and(|host| !is_host(host)) {
        return Err(unclear("Host is not a host's name"));
    }
    let path = parts.uri.path_and_query().cloned();
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let is_whole = parts.method == Method::OPTIONS && path == "*";
    if !path.as_str().starts_with('/') && !is_whole {
        return Err(ApiError::invalid("path", "The path does not begin with /"));
    }
    let te = parts.headers.get(TE).and_then(|te| te.to_str().ok());
    let trailers = te.is_some_and(|te| te.split(',').any(|te| te.trim() == "trailers"));
    let host = host.and_then(|host| HeaderValue::from_str(host).ok());
    Ok(Aim { host, path, trailers })
}

fn is_h2(parts: &Parts) -> bool {
    parts.version == Version::HTTP_2
}

fn is_host(text: &str) -> bool {
    !text.contains('@') && text.parse::<Authority>().is_ok()
}

/// Whether this is a request for a WebSocket. Other upgrades are not passed on: behind `h2c`, for
/// instance, there would be requests that nobody here sees.
pub(super) fn is_web_socket(parts: &Parts) -> bool {
    let mut upgrades = parts.headers.get_all(UPGRADE).iter();
    let one = upgrades.next().filter(|_| upgrades.next().is_none());
    parts.version == Version::HTTP_11
        && parts.method == Method::GET
        && one.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && named_by_connection(&parts.headers).any(|name| name.eq_ignore_ascii_case("upgrade"))
}

/// Takes out what is meant for this side alone.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        // Never one that frames or addresses the message: that is not the sender's to hide.
        let kept = [HOST, CONTENT_LENGTH, TRAILER];
        let named: Vec<HeaderName> = named_by_connection(headers)
            .filter_map(|name| name.parse().ok())
            .filter(|name| !kept.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(CONNECTION).iter();
    lines.flat_map(|line| line.to_str().unwrap_or_default().split(',')).map(str::trim)
}

/// Who sends a request, as far as is known here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// The neighbour's address, where it has one.
    pub(super) address: Option<IpAddr>,
    /// Whether what the neighbour says of those before it is believed.
    pub(super) trusted: bool,
    /// Whether it came over TLS.
    pub(super) encrypted: bool,
}

/// Takes out what only this side may say, and the token where it is not to be passed on.
pub(super) fn strip_reserved(headers: &mut HeaderMap, sender: Sender, token: Credential) {
    let ours = |name: &&HeaderName| is_ours(name.as_str(), sender.trusted);
    let named: Vec<HeaderName> = headers.keys().filter(ours).cloned().collect();
    for name in named {
        headers.remove(name);
    }
    // Answered here: the body is asked for when the upstream takes it.
    headers.remove(EXPECT);
    headers.remove(PROXY_AUTHORIZATION);
    headers.remove(TRANSFER_ENCODING);
    if token == Credential::IsOurs {
        headers.remove(AUTHORIZATION);
    }
}

/// Whose credential a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    /// A workspace token, which ends here.
    IsOurs,
    /// None, or something for the upstream.
    IsTheirs,
}

/// Whether a name, as servers that know of letters and digits only may read it, is one that we say.
fn is_ours(name: &str, trusted: bool) -> bool {
    let is = |from: usize, other: &str| {
        let Some(part) = name.as_bytes().get(from..) else { return false };
        part.len() >= other.len()
            && part.iter().zip(other.bytes()).all(|(byte, other)| match other {
                b'-' => !byte.is_ascii_alphanumeric(),
                other => *byte == other,
            })
    };
    match name.as_bytes().first() {
        Some(b'x') if is(1, "-auth-") => true,
        Some(b'x') if is(1, "-forwarded-") || is(1, "-real-ip") => {
            // A trusted one's are kept as they are spelt, and no others.
            !trusted || !name.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
        }
        Some(b'f') => name == "forwarded" && !trusted,
        _ => false,
    }
}

/// Says from whom a request comes (RFC 7239 where the neighbour does, and as everybody does).
pub(super) fn add_forwarded(headers: &mut HeaderMap, sender: Sender, host: Option<&HeaderValue>) {
    if let Some(address) = sender.address {
        append(headers, &X_FORWARDED_FOR, &address.to_string());
        if headers.contains_key(FORWARDED) {
            let element = match address {
                IpAddr::V4(address) => format!("for={address}"),
                IpAddr::V6(address) => format!("for=\"[{address}]\""),
            };
            append(headers, &FORWARDED, &element);
        }
    }
    if !headers.contains_key(X_FORWARDED_PROTO) {
        let proto = if sender.encrypted { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    }
    if let Some(host) = host.filter(|_| !headers.contains_key(X_FORWARDED_HOST)) {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
}

/// Adds an element to a list, in one line.
fn append(headers: &mut HeaderMap, name: &HeaderName, element: &str) {
    let lines = headers.get_all(name).iter();
    let mut whole: String =
        lines.filter_map(|line| line.to_str().ok()).flat_map(|line| [line, ", "]).collect();
    whole.push_str(element);
    if let Ok(whole) = HeaderValue::try_from(whole) {
        headers.insert(name, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: Sender = Sender {
        address: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        trusted: false,
        encrypted: true,
    };

    fn parts(request: axum::http::request::Builder) -> Parts {
        request.body(()).expect("a request").into_parts().0
    }

    fn request() -> axum::http::request::Builder {
        axum::http::Request::builder().uri("/a?b")
    }

    fn host_of(request: axum::http::request::Builder) -> Option<String> {
        let aim = aim(&parts(request)).ok()?;
        Some(aim.host.map(|host| host.to_str().expect("text").to_owned()).unwrap_or_default())
    }

    #[test]
    fn whom_a_request_means_is_clear_or_it_is_refused() {
        assert_eq!(host_of(request().header("host", "a:1")).as_deref(), Some("a:1"));
        assert_eq!(host_of(request().header("host", "[::1]:1")).as_deref(), Some("[::1]:1"));
        let absolute = request().uri("http://b/a").header("host", "a");
        assert_eq!(host_of(absolute).as_deref(), Some("b"), "the absolute form wins");
        let h2 = || request().uri("http://b/a").version(Version::HTTP_2);
        assert_eq!(host_of(h2()).as_deref(), Some("b"));
        assert_eq!(host_of(h2().header("host", "B")).as_deref(), Some("b"));
        assert_eq!(host_of(request().version(Version::HTTP_10)).as_deref(), Some(""));
        for refused in [
            request(),
            request().header("host", "a").header("host", "a"),
            request().header("host", ""),
            request().header("host", "u@a"),
            request().header("host", "a b"),
            request().header("host", "a/b"),
            h2().header("host", "a"),
            request().method("TRACE").header("host", "a"),
            request().method("CONNECT").uri("a:1").header("host", "a:1"),
            request().uri("*").header("host", "a"),
        ] {
            assert_eq!(host_of(refused), None);
        }
        assert!(host_of(request().method("OPTIONS").uri("*").header("host", "a")).is_some());
    }

    #[test]
    fn what_is_between_neighbours_ends_here_and_what_connection_names_too() {
        let mut headers = parts(
            request()
                .header("connection", "close, X-Mine")
                .header("connection", "x-auth-workspace, Host, content-length")
                .header("x-mine", "1")
                .header("te", "trailers")
                .header("upgrade", "h2c")
                .header("keep-alive", "timeout=5")
                .header("proxy-authorization", "Basic x")
                .header("x-auth-workspace", "forged")
                .header("host", "a")
                .header("content-length", "1")
                .header("accept", "*/*"),
        )
        .headers;
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "host"]);
    }

    #[test]
    fn nobody_else_says_what_we_say_in_whatever_spelling() {
        for name in [
            "x-auth-workspace",
            "x_auth_workspace",
            "x-auth_jti",
            "x-auth-",
            "x.auth.scope",
            "x-forwarded-for",
            "x_forwarded_proto",
            "x-real-ip",
            "forwarded",
        ] {
            assert!(is_ours(name, false), "{name}");
        }
        for name in ["x-authority", "x-auth", "authorization", "x-forwardedfor", "x", "accept"] {
            assert!(!is_ours(name, false), "{name}");
        }
        assert!(is_ours("x-auth-jti", true) && is_ours("x_forwarded_for", true));
        assert!(!is_ours("x-forwarded-for", true) && !is_ours("forwarded", true));
    }

    #[test]
    fn a_strangers_list_begins_anew_and_a_trusted_ones_goes_on() {
        let sent = || {
            let request =
                request().header("x-forwarded-for", "1.1.1.1").header("forwarded", "for=1.1.1.1");
            parts(request.header("x-forwarded-proto", "gopher")).headers
        };
        let host = HeaderValue::from_static("a");
        let mut headers = sent();
        strip_reserved(&mut headers, STRANGER, Credential::IsOurs);
        add_forwarded(&mut headers, STRANGER, Some(&host));
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "a");
        assert!(!headers.contains_key("forwarded"));
        let trusted = Sender { trusted: true, ..STRANGER };
        let mut headers = sent();
        strip_reserved(&mut headers, trusted, Credential::IsOurs);
        add_forwarded(&mut headers, trusted, Some(&host));
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 127.0.0.1");
        assert_eq!(headers["forwarded"], "for=1.1.1.1, for=127.0.0.1");
        assert_eq!(headers["x-forwarded-proto"], "gopher");
    }

    #[test]
    fn only_a_web_socket_is_an_upgrade_that_is_passed_on() {
        let asks = |connection: &str, upgrade: &str| {
            let request = request().header("connection", connection).header("upgrade", upgrade);
            is_web_socket(&parts(request))
        };
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("upgrade", "h2c") && !asks("upgrade", "websocket, h2c"));
        assert!(!asks("keep-alive", "websocket"));
    }
}
