//! From where a token may be used: networks in CIDR notation (RFC 4632, RFC 4291).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Why a text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// It is neither an address nor a network.
    #[error(
        "Invalid source network: use an address or a network such as 192.0.2.0/24 or 2001:db8::/32"
    )]
    NotOne,
    /// It names an address inside a network, so that one of the two is a mistake.
    #[error("Invalid source network: {0} has bits set beyond its prefix; the network is {1}")]
    HostBits(IpNet, IpNet),
    /// There are more than a token carries.
    #[error("Invalid source network: a token carries at most 16")]
    TooMany,
}

/// A network, or a single address as a network of one. Its text is canonical: an IPv4 network that was
/// written as one of IPv6 (`::ffff:192.0.2.0/120`) is one of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether this address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().into()));
        }
        let net: IpNet = text.parse().map_err(|_| InvalidNetwork::NotOne)?;
        if net.trunc() != net {
            return Err(InvalidNetwork::HostBits(net, net.trunc()));
        }
        let (address, bits) = (net.addr(), net.prefix_len());
        match (address, address.to_canonical(), bits.checked_sub(96)) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_), Some(bits)) => {
                IpNet::new(mapped, bits).map(Self).map_err(|_| InvalidNetwork::NotOne)
            }
            _ => Ok(Self(net)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// The networks that a token may be used from: in the order given, each once, at most
/// [`Networks::MAX`]. None means from anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Network>")]
pub struct Networks(Vec<Network>);

impl Networks {
    /// A token's claims must stay small: they travel with every request.
    pub const MAX: usize = 16;

    /// Collects networks, dropping repetitions.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Result<Self, InvalidNetwork> {
        let mut kept: Vec<Network> = Vec::new();
        for network in networks {
            if !kept.contains(&network) {
                kept.push(network);
            }
        }
        if kept.len() > Self::MAX { Err(InvalidNetwork::TooMany) } else { Ok(Self(kept)) }
    }

    /// The networks in order.
    pub fn iter(&self) -> impl Iterator<Item = &Network> {
        self.0.iter()
    }

    /// Whether the token may be used from anywhere.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether whoever is in these networks is in the others too, so that a token with these can do no
    /// more than one with the others.
    pub fn within(&self, others: &Self) -> bool {
        let inside = |one: &Network| others.0.iter().any(|other| other.0.contains(&one.0));
        others.is_empty() || (!self.is_empty() && self.0.iter().all(inside))
    }

    /// Whether a token may be used from there. Where nobody knows from where it is used, only one that
    /// may be used from anywhere: a restriction that is not looked at would be none.
    pub fn allow(&self, from: Option<IpAddr>) -> bool {
        self.is_empty() || from.is_some_and(|from| self.0.iter().any(|it| it.contains(from)))
    }
}

/// The space-separated form, as scopes are written; empty where the token may be used from anywhere.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, network) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            network.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Networks {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let networks = text.split(' ').filter(|_| !text.is_empty()).map(str::parse);
        Self::new(networks.collect::<Result<Vec<_>, _>>()?)
    }
}

impl TryFrom<Vec<Network>> for Networks {
    type Error = InvalidNetwork;

    fn try_from(networks: Vec<Network>) -> Result<Self, InvalidNetwork> {
        Self::new(networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let parsed = texts.iter().map(|text| text.parse().expect("a network"));
        Networks::new(parsed).expect("not too many")
    }

    #[test]
    fn an_address_is_looked_up_in_its_own_family_however_it_is_written() {
        let some = networks(&["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
        for inside in ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8:1::1", "198.51.100.7"] {
            assert!(some.allow(Some(inside.parse().expect("an address"))), "{inside}");
        }
        for outside in ["192.0.3.9", "2001:db9::1", "198.51.100.8", "::192.0.2.9"] {
            assert!(!some.allow(Some(outside.parse().expect("an address"))), "{outside}");
        }
    }

    #[test]
    fn who_comes_from_nobody_knows_where_is_let_in_only_without_a_restriction() {
        assert!(!networks(&["0.0.0.0/0", "::/0"]).allow(None));
        assert!(Networks::default().allow(None));
    }

    #[test]
    fn a_network_has_one_spelling() {
        assert_eq!(networks(&["::ffff:192.0.2.0/120"]), networks(&["192.0.2.0/24"]));
        assert_eq!(networks(&["10.0.0.1"]).iter().next().expect("one").to_string(), "10.0.0.1/32");
        assert_eq!(networks(&["10.0.0.0/8", "10.0.0.0/8"]).iter().count(), 1);
    }

    #[test]
    fn networks_are_read_back_from_their_text() {
        for some in [networks(&["2001:db8::/32", "192.0.2.0/24"]), Networks::default()] {
            assert_eq!(some.to_string().parse(), Ok(some));
        }
        assert_eq!(" ".parse::<Networks>(), Err(InvalidNetwork::NotOne));
        assert_eq!("10.0.0.0/8  ::1".parse::<Networks>(), Err(InvalidNetwork::NotOne));
    }

    #[test]
    fn a_restriction_is_within_a_wider_one_and_never_the_other_way_round() {
        let wide = networks(&["192.0.2.0/24", "2001:db8::/32"]);
        let (none, narrow) = (Networks::default(), networks(&["192.0.2.128/25", "192.0.2.7"]));
        let both = networks(&["192.0.2.0/24", "198.51.100.0/24"]);
        assert!(wide.within(&wide) && narrow.within(&wide) && wide.within(&none));
        assert!(none.within(&none));
        assert!(!wide.within(&narrow) && !none.within(&wide) && !both.within(&wide));
        assert!(!networks(&["0.0.0.0/0"]).within(&networks(&["::/0"])));
    }

    #[test]
    fn what_is_no_network_or_perhaps_a_mistake_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "example.com", " 10.0.0.0/8", "::/129"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::NotOne), "{text:?}");
        }
        let said = "10.0.0.1/8".parse::<Network>().expect_err("host bits").to_string();
        assert!(said.ends_with("the network is 10.0.0.0/8"), "{said}");
        let many = (0..17_u8).map(|n| format!("10.0.0.{n}").parse().expect("an address"));
        assert_eq!(Networks::new(many), Err(InvalidNetwork::TooMany));
    }
}
