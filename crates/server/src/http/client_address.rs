//! From where a request comes.
//!
//! The peer's address, unless the peer is a trusted proxy: then the last address in
//! `X-Forwarded-For` that is not one. Whatever else a client writes there is not believed.
//! `X-Real-IP` and `Forwarded` are not read: a second opinion would be one to choose from.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::authority::Source;

/// Where proxies say whom they ask for.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the peer at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub enum Neighbour {
    /// Somebody with an address.
    Peer(Peer),
    /// Somebody behind a Unix socket. Its file's permissions say who that can be, and so it is believed
    /// as a trusted proxy is.
    Socket,
}

/// A forwarded address that is none: behind it nothing can be believed.
struct Unreadable;

/// From where a request comes.
pub fn client_address(peer: Peer, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let peer = peer.0.ip().to_canonical();
    if !is_trusted(peer, proxies) {
        return peer;
    }
    forwarded(headers, proxies).ok().flatten().unwrap_or(peer)
}

impl Neighbour {
    /// The address at the other end, where there is one.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Socket => None,
            Self::Peer(Peer(peer)) => Some(peer.ip().to_canonical()),
        }
    }

    /// Whether what it says of others is believed.
    pub fn is_trusted(self, proxies: &[IpNet]) -> bool {
        self.address().is_none_or(|peer| is_trusted(peer, proxies))
    }

    /// From where a token is used. Unlike where it is only written down, what cannot be read is not
    /// taken for the proxy's own address.
    pub fn source(self, headers: &HeaderMap, proxies: &[IpNet]) -> Source {
        let peer = self.address();
        if let Some(peer) = peer.filter(|peer| !is_trusted(*peer, proxies)) {
            return Source::At(peer);
        }
        match forwarded(headers, proxies) {
            Ok(told) => told.or(peer).map_or(Source::Unknown, Source::At),
            Err(Unreadable) => Source::Unknown,
        }
    }
}

fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|network| network.contains(&address))
}

/// What trusted proxies say, read from the right: the first address that is not one of theirs, else
/// the furthest of them.
fn forwarded(headers: &HeaderMap, proxies: &[IpNet]) -> Result<Option<IpAddr>, Unreadable> {
    let hops = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = hops.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    let mut furthest = None;
    for hop in hops {
        let address = hop.trim().parse::<IpAddr>().map_err(|_| Unreadable)?.to_canonical();
        furthest = Some(address);
        if !is_trusted(address, proxies) {
            break;
        }
    }
    Ok(furthest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let peer = Peer(SocketAddr::new(peer.parse().expect("an address"), 1));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a header value"));
        }
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        client_address(peer, &headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    fn source(neighbour: Option<&str>, forwarded: &[&str]) -> Option<String> {
        let peer = |text: &str| Peer(SocketAddr::new(text.parse().expect("an address"), 1));
        let neighbour = neighbour.map_or(Neighbour::Socket, |text| Neighbour::Peer(peer(text)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a header value"));
        }
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        neighbour.source(&headers, &proxies).address().map(|address| address.to_string())
    }

    #[test]
    fn between_trusted_proxies_the_furthest_is_the_client() {
        assert_eq!(from("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn whoever_is_behind_a_socket_is_believed_and_has_no_address_of_its_own() {
        assert_eq!(source(None, &["198.51.100.1"]).as_deref(), Some("198.51.100.1"));
        let chain = &["1.1.1.1, 198.51.100.1, 10.0.0.2"];
        assert_eq!(source(None, chain).as_deref(), Some("198.51.100.1"));
        assert_eq!(source(None, &[]), None);
        assert_eq!(source(None, &["somewhere"]), None);
    }

    #[test]
    fn a_token_is_used_from_nowhere_known_where_a_trusted_proxy_cannot_be_read() {
        let client = Some("198.51.100.1".to_owned());
        assert_eq!(source(Some("10.0.0.1"), &["198.51.100.1"]), client);
        assert_eq!(source(Some("10.0.0.1"), &["1.1.1.1, rubbish"]), None);
        assert_eq!(source(Some("10.0.0.1"), &["1.1.1.1, [::1]:80"]), None);
        assert_eq!(source(Some("10.0.0.1"), &[]).as_deref(), Some("10.0.0.1"));
        assert_eq!(source(Some("198.51.100.1"), &["rubbish"]), client);
    }

    #[test]
    fn what_the_client_wrote_in_front_is_not_believed() {
        assert_eq!(from("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1, rubbish"]), "10.0.0.1");
    }
}
