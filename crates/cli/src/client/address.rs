//! Where the authority is: an origin, and nothing but an origin.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Where `ntd` listens by default.
pub(crate) const DEFAULT: &str = "http://127.0.0.1:8480";

const LONGEST: usize = 512;

/// The origin of an authority in its one spelling: `https://auth.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Authority(String);

/// Why a text does not say where an authority is. The text is not repeated: it may be hostile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the address of an authority: use a host or a URL such as https://auth.example.com")]
pub(crate) struct InvalidAuthority;

impl Authority {
    /// Reads `https://host[:port]`, `http://host[:port]` or `host[:port]`. Where no scheme is
    /// given, it is `http` for loopback addresses and `https` for all others. User names, paths,
    /// queries and fragments are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAuthority> {
        if text.len() > LONGEST {
            return Err(InvalidAuthority);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest)?;
        let host = parse_host(host)?;
        let scheme = match scheme.as_deref() {
            Some("http") => "http",
            None if is_loopback_host(&host) => "http",
            Some("https") | None => "https",
            Some(_) => return Err(InvalidAuthority),
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        Ok(Self(match port {
            Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the host is this machine, by its address or by the name `localhost`; a name that
    /// merely contains one of them is not.
    pub(crate) fn is_loopback(&self) -> bool {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        split_port(rest).is_ok_and(|(host, _)| is_loopback_host(host))
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), InvalidAuthority> {
    let end_of_host = text.rfind(']').map_or(0, |at| at + 1);
    match text[end_of_host..].rfind(':') {
        None => Ok((text, None)),
        Some(at) => {
            let (host, port) = text.split_at(end_of_host + at);
            let digits = &port[1..];
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(InvalidAuthority);
            }
            match digits.parse() {
                Ok(0) | Err(_) => Err(InvalidAuthority),
                Ok(port) => Ok((host, Some(port))),
            }
        }
    }
}

fn parse_host(host: &str) -> Result<String, InvalidAuthority> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').ok_or(InvalidAuthority)?;
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidAuthority)?;
        return Ok(format!("[{address}]"));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(InvalidAuthority);
    }
    Ok(host.to_ascii_lowercase())
}

fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl TryFrom<String> for Authority {
    type Error = InvalidAuthority;

    fn try_from(text: String) -> Result<Self, InvalidAuthority> {
        Self::parse(&text)
    }
}

impl From<Authority> for String {
    fn from(authority: Authority) -> Self {
        authority.0
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_one_spelling() {
        let spellings = [
            ("HTTPS://Auth.Example.com:443/", "https://auth.example.com"),
            ("auth.example.com", "https://auth.example.com"),
            ("auth.example.com:8443", "https://auth.example.com:8443"),
            ("localhost:8480", "http://localhost:8480"),
            ("127.0.0.1:8480", "http://127.0.0.1:8480"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("[::1]:8480", "http://[::1]:8480"),
            ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        ];
        for (text, expected) in spellings {
            assert_eq!(Authority::parse(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_authority() {
        let bad = [
            "",
            "http://",
            "ftp://example.com",
            "https://127.0.0.1@evil.example",
            "https://user:password@example.com",
            "https://example.com/path",
            "https://example.com//",
            "https://example.com?x",
            "https://example.com#x",
            "https://exa mple.com",
            "https://example.com:0",
            "https://example.com:+80",
            "https://example.com:99999",
            "https://example.com:",
            "https://example.com\r\nX: y",
            "https://[::1",
            "https://::1",
            "https://-a.example",
            "https://a..b",
            "https://éxample.com",
            "javascript:alert(1)",
        ];
        for text in bad {
            assert_eq!(Authority::parse(text), Err(InvalidAuthority), "{text:?}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_loopback() {
        for text in ["http://localhost", "http://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:5"]
        {
            assert!(Authority::parse(text).expect(text).is_loopback(), "{text}");
        }
        for text in [
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "http://[::2]",
            "http://0.0.0.0",
        ] {
            assert!(!Authority::parse(text).expect(text).is_loopback(), "{text}");
        }
    }
}
