//! What Envoy asks by gRPC, asked by hand of the real programs.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use nt_testkit::World;
use ntd::http::ext_authz::proto::address::Address as Where;
use ntd::http::ext_authz::proto::authorization_client::AuthorizationClient;
use ntd::http::ext_authz::proto::check_response::HttpResponse;
use ntd::http::ext_authz::proto::{
    Address, AttributeContext, CheckRequest, DeniedHttpResponse, Entry, HeaderValueOption,
    HttpRequest, OkHttpResponse, Peer, Request as Sent, SocketAddress,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::transport::Channel;

use crate::edge::Edge;
use crate::{OWNER, story};

const OTHER: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";

struct Envoy {
    runtime: Runtime,
    client: AuthorizationClient<Channel>,
}

impl Envoy {
    fn of(at: SocketAddr) -> Result<Self> {
        let runtime = Runtime::new()?;
        let client = AuthorizationClient::connect(format!("http://{at}"));
        let client = runtime.block_on(client)?;
        Ok(Self { runtime, client })
    }

    fn ask(&self, path: &str, headers: &[(&str, &str)], route: &[(&str, &str)]) -> Result<Answer> {
        let entries = |all: &[(&str, &str)]| {
            let entry = |(key, value): &(&str, &str)| Entry {
                key: (*key).to_owned().into(),
                value: (*value).to_owned().into(),
            };
            all.iter().map(entry).collect()
        };
        let http = HttpRequest {
            headers: entries(headers),
            path: path.to_owned().into(),
            header_map: None,
        };
        let at = Where::SocketAddress(SocketAddress { address: "198.51.100.7".into() });
        let attributes = AttributeContext {
            source: Some(Peer { address: Some(Address { address: Some(at) }) }),
            request: Some(Sent { http: Some(http) }),
            context_extensions: entries(route),
        };
        let mut client = self.client.clone();
        let answer = client.check(CheckRequest { attributes: Some(attributes) });
        let answer = self.runtime.block_on(answer)?.into_inner();
        let code = answer.status.context("a status")?.code;
        Ok(match answer.http_response.context("an answer for the client")? {
            HttpResponse::OkResponse(ok) => {
                assert_eq!(code, 0);
                Answer::Passed(ok)
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0);
                Answer::Denied(denied)
            }
        })
    }
}

enum Answer {
    Passed(OkHttpResponse),
    Denied(DeniedHttpResponse),
}

fn text(headers: &[HeaderValueOption], name: &str) -> Option<String> {
    let headers = headers.iter().filter_map(|header| header.header.as_ref());
    let value =
        headers.into_iter().find(|header| header.key == name).map(|header| &header.value)?;
    String::from_utf8(value.to_vec()).ok()
}

impl Answer {
    fn passed(self) -> Result<OkHttpResponse> {
        match self {
            Self::Passed(ok) => Ok(ok),
            Self::Denied(denied) => anyhow::bail!("{denied:?}"),
        }
    }

    /// The status, the challenge and the body that the client is sent.
    fn denied(self) -> Result<(i32, String, Value)> {
        let Self::Denied(denied) = self else { anyhow::bail!("it passed") };
        assert_eq!(text(&denied.headers, "cache-control").as_deref(), Some("no-store"));
        let challenge = text(&denied.headers, "www-authenticate").unwrap_or_default();
        let status = denied.status.context("a status")?.code;
        Ok((status, challenge, serde_json::from_slice(&denied.body)?))
    }
}

/// At both programs; the authority believes gateways on this machine.
fn at_both(tell: impl Fn(&World, SocketAddr, &Envoy) -> Result<()>) {
    story(|world| {
        world.restart_with("trusted_proxies = [\"127.0.0.0/8\"]\n".to_owned())?;
        let edge = Edge::start(world, &["--trusted-proxy", "127.0.0.1"])?;
        for at in [world.address(), edge.address()] {
            tell(world, at, &Envoy::of(at)?)?;
        }
        assert!(!world.log().contains("panicked"), "{}", world.log());
        Ok(())
    });
}

#[test]
fn envoy_is_told_what_a_gateway_is_told_and_a_revoke_counts_in_its_next_question() {
    at_both(|world, at, envoy| {
        let operator = world.operator(OWNER)?;
        let name = format!("w{}", at.port());
        let first = operator.create_workspace(&name)?;
        let reader = operator.create_token(&first.workspace, &json!({ "scope": ["read"] }))?;
        let bearer = format!("Bearer {}", reader.token);
        let good = [
            ("authorization", bearer.as_str()),
            ("x-auth-workspace", "forged"),
            ("x-auth-role", "admin"),
        ];
        let own = format!("/{}/tools?x=1", reader.workspace);

        let passed = envoy.ask(&own, &good, &[("scope", "read")])?.passed()?;
        assert_eq!(text(&passed.headers, "x-auth-workspace"), Some(reader.workspace.clone()));
        assert_eq!(text(&passed.headers, "x-auth-jti"), Some(reader.jti.clone()));
        assert_eq!(text(&passed.headers, "x-auth-scope").as_deref(), Some("read"));
        assert!(text(&passed.headers, "x-auth-expires").is_some());
        assert_eq!(passed.headers_to_remove, ["x-auth-role", "authorization"]);

        let (status, challenge, body) = envoy.ask(&own, &good, &[("scope", "write")])?.denied()?;
        assert_eq!((status, &body["error"]["code"]), (403, &json!("INSUFFICIENT_PERMISSIONS")));
        assert!(challenge.contains("scope=\"write\""), "{challenge}");
        let foreign = envoy.ask(&format!("/{OTHER}/tools"), &good, &[])?.denied()?;
        assert_eq!(foreign.0, 403);
        assert_eq!(envoy.ask("/", &good, &[("workspace", OTHER)])?.denied()?.0, 403);
        assert_eq!(envoy.ask("/", &good, &[("scope", "")])?.denied()?.0, 400);
        let (status, challenge, _) = envoy.ask(&own, &[], &[])?.denied()?;
        assert_eq!((status, challenge.as_str()), (401, "Bearer realm=\"ntd\""));
        assert_eq!(envoy.ask(&own, &[("authorization", "Bearer wst_x")], &[])?.denied()?.0, 401);

        operator.revoke(&reader.workspace, &reader.jti)?;
        let (status, challenge, _) = envoy.ask(&own, &good, &[])?.denied()?;
        assert_eq!(status, 401);
        assert!(challenge.contains("The access token was revoked"), "{challenge}");
        Ok(())
    });
}

#[test]
fn a_token_for_some_networks_passes_from_there_alone_as_envoy_says() {
    at_both(|world, at, envoy| {
        let operator = world.operator(OWNER)?;
        let name = format!("w{}", at.port());
        let workspace = operator.create_workspace(&name)?.workspace;
        for (network, passes) in [("198.51.100.0/24", true), ("127.0.0.0/8", false)] {
            let wishes = json!({ "source_networks": [network] });
            let bearer = format!("Bearer {}", operator.create_token(&workspace, &wishes)?.token);
            let answer = envoy.ask("/", &[("authorization", &bearer)], &[])?;
            assert_eq!(matches!(answer, Answer::Passed(_)), passes, "{network}");
        }
        Ok(())
    });
}
