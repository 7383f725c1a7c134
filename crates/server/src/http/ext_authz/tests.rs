use std::collections::HashMap;
use std::net::SocketAddr;

use axum::http::HeaderMap;
use nt_verifier::Freshness;
use prost::Message;

use super::*;
use crate::authority::{Binding, Demand, Source, Unmet};
use crate::http::client_address::Peer;
use crate::http::forward_auth::denied::IllAsked;

const A: &str = "8f14e45f-ceea-467f-a0e6-0f6b1c2d3e4f";
const B: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";

/// The messages as Envoy has them: texts, and maps.
mod envoy {
    use std::collections::HashMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct CheckRequest {
        #[prost(message, optional, tag = "1")]
        pub(super) attributes: Option<Attributes>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Attributes {
        #[prost(message, optional, tag = "1")]
        pub(super) source: Option<Peer>,
        #[prost(message, optional, tag = "2")]
        pub(super) destination: Option<Peer>,
        #[prost(message, optional, tag = "4")]
        pub(super) request: Option<Request>,
        #[prost(map = "string, string", tag = "10")]
        pub(super) context_extensions: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Peer {
        #[prost(message, optional, tag = "1")]
        pub(super) address: Option<Address>,
        #[prost(string, tag = "4")]
        pub(super) principal: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Address {
        #[prost(message, optional, tag = "1")]
        pub(super) socket: Option<SocketAddress>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SocketAddress {
        #[prost(string, tag = "2")]
        pub(super) address: String,
        #[prost(uint32, tag = "3")]
        pub(super) port: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Request {
        #[prost(message, optional, tag = "2")]
        pub(super) http: Option<Http>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Http {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(string, tag = "2")]
        pub(super) method: String,
        #[prost(map = "string, string", tag = "3")]
        pub(super) headers: HashMap<String, String>,
        #[prost(string, tag = "4")]
        pub(super) path: String,
        #[prost(string, tag = "5")]
        pub(super) host: String,
        #[prost(bytes = "vec", tag = "12")]
        pub(super) raw_body: Vec<u8>,
        #[prost(message, optional, tag = "13")]
        pub(super) header_map: Option<HeaderMap>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct HeaderMap {
        #[prost(message, repeated, tag = "1")]
        pub(super) headers: Vec<Header>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Header {
        #[prost(string, tag = "1")]
        pub(super) key: String,
        #[prost(bytes = "vec", tag = "3")]
        pub(super) raw_value: Vec<u8>,
    }
}

fn map(entries: &[(&str, &str)]) -> HashMap<String, String> {
    entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is asked where Envoy sends this.
struct Sent {
    headers: Vec<(&'static str, &'static str)>,
    raw: bool,
    path: String,
    from: &'static str,
    extensions: Vec<(&'static str, &'static str)>,
}

impl Sent {
    fn new() -> Self {
        Self {
            headers: vec![("authorization", "Bearer wst_x")],
            raw: false,
            path: "/".to_owned(),
            from: "198.51.100.7",
            extensions: Vec::new(),
        }
    }

    fn received(&self) -> CheckRequest {
        let joined = if self.raw { HashMap::new() } else { map(&self.headers) };
        let raw = self.headers.iter().map(|(name, value)| envoy::Header {
            key: (*name).to_owned(),
            raw_value: value.as_bytes().to_vec(),
        });
        let raw = envoy::HeaderMap { headers: raw.collect() };
        let http = envoy::Http {
            id: "1".to_owned(),
            method: "GET".to_owned(),
            headers: joined,
            path: self.path.clone(),
            host: "service".to_owned(),
            raw_body: b"a body".to_vec(),
            header_map: self.raw.then_some(raw),
        };
        let socket = envoy::SocketAddress { address: self.from.to_owned(), port: 40_000 };
        let address = Some(envoy::Address { socket: Some(socket) });
        let peer = envoy::Peer { address, principal: String::new() };
        let sent = envoy::CheckRequest {
            attributes: Some(envoy::Attributes {
                source: Some(peer.clone()),
                destination: Some(peer),
                request: Some(envoy::Request { http: Some(http) }),
                context_extensions: map(&self.extensions),
            }),
        };
        CheckRequest::decode(&*sent.encode_to_vec()).expect("Envoy's own")
    }

    fn asked<T>(&self, gateway: Neighbour, look: impl Fn(&Asked<'_>) -> T) -> T {
        let attributes = self.received().attributes.expect("it is there");
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        let mut metadata = HeaderMap::new();
        metadata.insert("content-type", HeaderValue::from_static("application/grpc"));
        look(&Asked::new(&attributes, &metadata, gateway, &proxies))
    }

    fn demand(&self) -> Result<(String, Demand, Freshness), Denied> {
        self.asked(trusted(), |asked| {
            asked.demand().map(|(token, demand, fresh)| (token.to_owned(), demand, fresh))
        })
    }
}

fn neighbour(address: &str) -> Neighbour {
    Neighbour::Peer(Peer(SocketAddr::new(address.parse().expect("an address"), 1)))
}

fn trusted() -> Neighbour {
    neighbour("10.0.0.9")
}

#[test]
fn the_token_is_read_however_envoy_sends_headers_and_two_are_none() {
    let mut sent = Sent::new();
    assert_eq!(sent.demand().expect("a question").0, "wst_x");
    sent.raw = true;
    assert_eq!(sent.demand().expect("a question").0, "wst_x");
    sent.headers.push(("authorization", "Bearer wst_y"));
    assert_eq!(sent.demand().expect_err("two"), Denied::SeveralTokens);
    sent.headers.clear();
    assert_eq!(sent.demand().expect_err("none"), Denied::NoToken);
}

#[test]
fn a_route_demands_by_its_extensions_and_the_client_by_nothing() {
    let mut sent = Sent::new();
    sent.headers.push(("x-auth-required-scope", "Rubbish"));
    sent.headers.push(("x-original-uri", "/c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b/x"));
    sent.path = format!("/{A}/tools?workspace={B}&scope=write");
    let (_, demand, fresh) = sent.demand().expect("a question");
    assert_eq!(demand.binding, Binding::To(A.parse().expect("a UUID")));
    assert!(demand.scopes.is_empty() && fresh == Freshness::Local);

    sent.extensions = vec![("scope", "read team:x"), ("freshness", "sync"), ("other", "x")];
    let (_, demand, fresh) = sent.demand().expect("a question");
    assert_eq!(demand.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(), ["read", "team:x"]);
    assert!(fresh == Freshness::Sync);

    sent.extensions = vec![("workspace", B)];
    assert_eq!(sent.demand().expect("a question").1.binding, Binding::Contradiction);
    sent.path = "/plain".to_owned();
    let named = Binding::To(B.parse().expect("a UUID"));
    assert_eq!(sent.demand().expect("a question").1.binding, named);
    for (name, value, why) in [
        ("scope", "", IllAsked::SCOPE),
        ("scope", "Read", IllAsked::SCOPE),
        ("freshness", "soon", IllAsked::FRESHNESS),
    ] {
        sent.extensions = vec![(name, value)];
        assert_eq!(sent.demand().expect_err("ill asked"), why.into(), "{name}={value}");
    }
}

#[test]
fn only_a_gateway_that_is_trusted_says_where_its_client_is() {
    let source = |sent: &Sent, gateway: Neighbour| {
        sent.asked(gateway, |asked| asked.demand().expect("a question").1.source)
    };
    let at = |text: &str| Source::At(text.parse().expect("an address"));
    let mut sent = Sent::new();
    assert_eq!(source(&sent, trusted()), at("198.51.100.7"));
    assert_eq!(source(&sent, Neighbour::Socket), at("198.51.100.7"));
    assert_eq!(source(&sent, neighbour("192.0.2.1")), Source::Unknown);
    sent.headers.push(("x-forwarded-for", "1.1.1.1, 198.51.100.9,10.0.0.2"));
    assert_eq!(source(&sent, trusted()), at("198.51.100.7"), "its peer is no trusted proxy");
    sent.from = "10.0.0.2";
    assert_eq!(source(&sent, trusted()), at("198.51.100.9"));
    sent.from = "@internal";
    assert_eq!(source(&sent, trusted()), Source::Unknown);
}

fn texts() -> Texts {
    let text = |text: &'static str| Bytes::from_static(text.as_bytes());
    Texts { workspace: text(A), jti: text("jti_x"), scope: text("read"), expires: text("1") }
}

#[test]
fn who_passes_has_our_headers_and_none_that_looks_like_them() {
    let mut sent = Sent::new();
    for name in ["x-auth-workspace", "X-AUTH-JTI", "x-auth-admin", "x_auth_workspace", "x-author"] {
        sent.headers.push((name, "forged"));
    }
    let answer = sent.asked(trusted(), |asked| passed(&texts(), asked));
    assert_eq!(answer.status.map(|status| status.code), Some(0));
    let Some(check_response::HttpResponse::OkResponse(ok)) = answer.http_response else {
        panic!("it passes")
    };
    let overwrite = HeaderAppendAction::OverwriteIfExistsOrAdd as i32;
    assert!(ok.headers.iter().all(|header| header.append_action == overwrite));
    let ours = ok.headers.iter().filter_map(|header| header.header.as_ref());
    let ours: Vec<_> = ours.map(|header| (header.key.as_ref(), header.value.as_ref())).collect();
    assert_eq!(ours.len(), 4);
    assert_eq!(ours[0], (&b"x-auth-workspace"[..], A.as_bytes()));
    let mut removed: Vec<_> = ok.headers_to_remove.iter().map(Bytes::as_ref).collect();
    removed.sort_unstable();
    assert_eq!(removed, [&b"authorization"[..], b"x-auth-admin", b"x_auth_workspace"]);

    let keeping = Sent { extensions: vec![("authorization", "keep")], ..Sent::new() };
    let answer = keeping.asked(trusted(), |asked| passed(&texts(), asked));
    let Some(check_response::HttpResponse::OkResponse(ok)) = answer.http_response else {
        panic!("it passes")
    };
    assert!(ok.headers_to_remove.is_empty());
}

#[test]
fn every_refusal_is_an_answer_for_the_client_and_never_a_failure() {
    let write = ["write".parse().expect("a scope")];
    for (why, status, code, field) in [
        (Denied::NoToken, 401, Code::Unauthenticated, ("www-authenticate", "Bearer realm=\"ntd\"")),
        (
            Denied::Unmet(Unmet::Scope),
            403,
            Code::PermissionDenied,
            (
                "www-authenticate",
                "Bearer realm=\"ntd\", error=\"insufficient_scope\", scope=\"write\"",
            ),
        ),
        (Denied::NotReady, 503, Code::Unavailable, ("retry-after", "1")),
        (IllAsked::SCOPE.into(), 400, Code::InvalidArgument, ("content-type", "application/json")),
    ] {
        let answer = denied(why, &write);
        assert_eq!(answer.status.map(|status| status.code), Some(code as i32));
        let Some(check_response::HttpResponse::DeniedResponse(answer)) = answer.http_response
        else {
            panic!("{why:?} passes")
        };
        assert_eq!(answer.status.map(|status| status.code), Some(status));
        let has = |name: &str, value: &str| {
            let mut headers = answer.headers.iter().filter_map(|header| header.header.as_ref());
            headers.any(|header| header.key == name && header.value == value)
        };
        assert!(has(field.0, field.1) && has("cache-control", "no-store"), "{answer:?}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(body["error"]["code"].is_string());
    }
}
