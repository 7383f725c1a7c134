//! What Envoy asks, read: which token, and what is demanded of it.

use std::net::{IpAddr, SocketAddr};
use std::str;

use axum::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use ipnet::IpNet;
use nt_token::Scope;
use nt_verifier::Freshness;

use crate::authority::{Binding, Demand, Source};
use crate::http::client_address::{FORWARDED_FOR, Neighbour, Peer};
use crate::http::ext_authz::proto::{AttributeContext, HttpRequest, address};
use crate::http::extract::bearer_in;
use crate::http::forward_auth::denied::{Denied, IllAsked};
use crate::http::forward_auth::original::binding_of_path;
use crate::http::forward_auth::scopes;

/// What becomes of the token behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Removed,
    Kept,
}

/// One question of Envoy's.
pub(super) struct Asked<'a> {
    attributes: &'a AttributeContext,
    metadata: &'a HeaderMap,
    neighbour: Neighbour,
    proxies: &'a [IpNet],
}

impl<'a> Asked<'a> {
    pub(super) fn new(
        attributes: &'a AttributeContext,
        metadata: &'a HeaderMap,
        neighbour: Neighbour,
        proxies: &'a [IpNet],
    ) -> Self {
        Self { attributes, metadata, neighbour, proxies }
    }

    /// The token, what is demanded of it, and how fresh the answer has to be.
    pub(super) fn demand(&self) -> Result<(&'a str, Demand, Freshness), Denied> {
        let fresh = match self.extension("freshness").map(Bytes::as_ref) {
            None | Some(b"local") => Freshness::Local,
            Some(b"sync") => Freshness::Sync,
            Some(_) => return Err(IllAsked::FRESHNESS.into()),
        };
        let (scopes, binding) = (self.scopes()?, self.binding());
        Ok((self.token()?, Demand { binding, scopes, source: self.source() }, fresh))
    }

    /// Whether the service behind is to see the token.
    pub(super) fn token_after(&self) -> Token {
        match self.extension("authorization").map(Bytes::as_ref) {
            Some(b"keep") => Token::Kept,
            _ => Token::Removed,
        }
    }

    /// Every name under which the client sent something.
    pub(super) fn header_names(&self) -> impl Iterator<Item = &'a Bytes> {
        self.headers().map(|(name, _)| name)
    }

    fn http(&self) -> Option<&'a HttpRequest> {
        self.attributes.request.as_ref()?.http.as_ref()
    }

    fn headers(&self) -> impl Iterator<Item = (&'a Bytes, &'a [u8])> {
        let joined = self.http().into_iter().flat_map(|http| &http.headers);
        let joined = joined.map(|entry| (&entry.key, entry.value.as_ref()));
        let raw = self.http().and_then(|http| http.header_map.as_ref());
        let raw = raw.into_iter().flat_map(|map| &map.headers).map(|header| {
            let value = if header.value.is_empty() { &header.raw_value } else { &header.value };
            (&header.key, value.as_ref())
        });
        joined.chain(raw)
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |key: &[u8]| key.eq_ignore_ascii_case(name.as_bytes());
        self.headers().filter(move |(key, _)| named(key)).map(|(_, value)| value)
    }

    fn extension(&self, name: &str) -> Option<&'a Bytes> {
        let mut entries = self.attributes.context_extensions.iter();
        entries.find(|entry| entry.key == name).map(|entry| &entry.value)
    }

    /// By the route's setting, and by the metadata that the filter's may add (`initial_metadata`). What
    /// the client sent demands nothing.
    fn scopes(&self) -> Result<Vec<Scope>, Denied> {
        let mut demanded = scopes::demanded(self.metadata, "")?;
        if let Some(list) = self.extension("scope") {
            let list = str::from_utf8(list).unwrap_or_default();
            scopes::add(&mut demanded, list).ok_or(IllAsked::SCOPE)?;
        }
        Ok(demanded)
    }

    fn binding(&self) -> Binding {
        let path = self.http().map_or(&b""[..], |http| &http.path);
        let named = self.extension("workspace").map(|named| str::from_utf8(named));
        match (str::from_utf8(path), named.transpose()) {
            (Ok(path), Ok(named)) => binding_of_path(path, named),
            _ => Binding::Contradiction,
        }
    }

    /// The one credential, as in a request that comes here.
    fn token(&self) -> Result<&'a str, Denied> {
        let mut values = self.values("authorization");
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => Err(Denied::SeveralTokens),
            (value, _) => value
                .and_then(|value| str::from_utf8(value).ok())
                .and_then(bearer_in)
                .ok_or(Denied::NoToken),
        }
    }

    /// From where the client comes. Only a gateway that is trusted is believed when it says who is at
    /// the other end of its own connection; if that is a trusted proxy again, what was forwarded counts.
    fn source(&self) -> Source {
        if !self.neighbour.is_trusted(self.proxies) {
            return Source::Unknown;
        }
        let source = self.attributes.source.as_ref().and_then(|peer| peer.address.as_ref());
        let client = match source.and_then(|source| source.address.as_ref()) {
            None => return Source::Unknown,
            Some(address::Address::Pipe(_)) => Neighbour::Socket,
            Some(address::Address::SocketAddress(at)) => {
                let address = str::from_utf8(&at.address).ok();
                let address = address.and_then(|text| text.parse::<IpAddr>().ok());
                let Some(address) = address else { return Source::Unknown };
                Neighbour::Peer(Peer(SocketAddr::new(address, 0)))
            }
        };
        let mut forwarded = HeaderMap::new();
        for value in self.values(FORWARDED_FOR) {
            let Ok(value) = HeaderValue::from_bytes(value) else { return Source::Unknown };
            forwarded.append(FORWARDED_FOR, value);
        }
        client.source(&forwarded, self.proxies)
    }
}
