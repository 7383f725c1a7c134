//! URLs that secrets may go to.

use std::net::IpAddr;

use http::Uri;

/// Whether secrets may go to this URL, and people be sent there: https, or http on this machine.
pub(crate) fn is_secure(url: &str) -> bool {
    if !url.bytes().all(|b| b.is_ascii_graphic()) || url.contains(['#', '@', '\\', '"']) {
        return false;
    }
    let Ok(uri) = url.parse::<Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

/// Where OpenID Connect Discovery 1.0, section 4 puts an issuer's document.
pub(crate) fn discovery_document(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// A URL of somebody else's as it can be shown.
pub(crate) fn shown(url: &str) -> String {
    url.chars().filter(char::is_ascii_graphic).take(200).collect()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_nowhere_in_the_clear_but_to_this_machine() {
        for url in [
            "https://id.example.com",
            "https://id.example.com:8443/realms/x?y=z",
            "http://127.0.0.1:8480/dev",
            "http://[::1]:8480/dev",
            "http://localhost/dev",
        ] {
            assert!(is_secure(url), "{url}");
        }
        for url in [
            "",
            "id.example.com",
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com",
            "https://user:password@id.example.com",
            "https://id.example.com/#fragment",
            "https://id.example.com/ x",
            "https://id.example.com/\u{1b}[2J",
            "https:///x",
            "ftp://127.0.0.1/",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert!(!is_secure(url), "{url}");
        }
    }
}
