//! Real gateways in front of an API, with the configurations that we ship: what each of them must do,
//! whoever made it. A story a gateway; the rules are one table for all.

mod away;
mod controls;
mod introspection;
mod manifests;
mod paths;
mod rules;
mod socket;

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use nt_testkit::gateway::{Answers, Asks, Gateway, Program, Recorder, Seen};
use nt_testkit::operator::Issued;
use nt_testkit::{Operator, Request, Response, Service, World, http};
use serde_json::json;

use crate::{OWNER, story};

/// A gateway, and who stands around it.
struct Stand {
    operator: Operator,
    /// The token and the workspace that requests are about.
    own: Issued,
    /// A workspace that is somebody else's.
    other: Issued,
    /// A token that ends soon.
    short: Issued,
    /// The API behind the gateway.
    api: Recorder,
    /// What the gateway asks the authority goes through here, where that is HTTP/1.1.
    relay: Option<Recorder>,
    gateway: Gateway,
}

impl Stand {
    /// A gateway that asks whoever listens there: this world's authority, or an edge of it.
    fn start(world: &World, program: Program, asked: SocketAddr) -> Result<Self> {
        let operator = world.operator(OWNER)?;
        let own = operator.create_workspace("main")?;
        let other = operator.create_workspace("other")?;
        let short = operator.create_token(&own.workspace, &json!({ "expires_in": 1 }))?;
        let api = Recorder::start(Answers::Itself)?;
        let relay = match program.asks() {
            Asks::Http => Some(Recorder::start(Answers::From(asked))?),
            Asks::Grpc => None,
        };
        let ntd = relay.as_ref().map_or(asked, Recorder::address);
        let gateway = Gateway::start(program, &world.dir().join("first"), ntd, api.address())?;
        Ok(Self { operator, own, other, short, api, relay, gateway })
    }

    /// What the authority was asked since the last time that this was asked, where one can see it.
    fn asked(&self) -> Option<Vec<Seen>> {
        self.relay.as_ref().map(Recorder::take)
    }

    /// One request on a connection of its own, about which nothing is known from before.
    fn send(&self, request: &Request) -> Result<Response> {
        self.api.take();
        self.asked();
        http::once(self.gateway.address(), request)
    }
}

/// Goes through the rules with a gateway that asks whoever listens there.
fn goes_through_the_rules(world: &World, program: Program, asked: SocketAddr) -> Result<()> {
    let stand = Stand::start(world, program, asked)?;
    for (rule, holds) in rules::ALL {
        holds(&stand).with_context(|| format!("{rule}; its logs:\n{}", stand.gateway.log()))?;
    }
    Ok(())
}

fn keeps_the_rules(program: Program) {
    story(|world| {
        goes_through_the_rules(world, program, world.address())?;
        away::nothing_passes(world, program)
    });
}

/// What is below `/admin/` demands a scope in the configurations that show how.
fn demands_a_scope(program: Program) {
    story(|world| {
        let stand = Stand::start(world, program, world.address())?;
        let token = |scope: &[&str]| {
            let wishes = json!({ "scope": scope });
            stand.operator.create_token(&stand.own.workspace, &wishes)
        };
        let (reads, administers) = (token(&["read"])?, token(&["read", "admin"])?);
        // An API reads all of these as one path.
        for path in ["/admin/x", "/%61dmin/x", "//admin/x", "/x/../admin/x", "/x/%2e%2e/admin/x"] {
            let refused = stand.send(&Request::get(path).bearer(&reads.token))?;
            assert_eq!(refused.status, 403, "{path}");
            let challenge = refused.header("www-authenticate").unwrap_or_default();
            assert!(challenge.contains("insufficient_scope"), "{path}: {challenge}");
            assert_eq!(stand.api.take(), [], "{path}");
            let passed = stand.send(&Request::get(path).bearer(&administers.token))?;
            assert_eq!(passed.status, 200, "{path}");
        }
        let elsewhere = Request::get("/tools").bearer(&reads.token);
        assert_eq!(stand.send(&elsewhere)?.status, 200);
        // Who demands a scope is the gateway: a client neither demands one nor takes one back.
        let client = elsewhere.header("X-Auth-Required-Scope", "admin");
        assert_eq!(stand.send(&client)?.status, 200);
        let client = Request::get("/admin/x").bearer(&reads.token);
        let client = client.header("X-Auth-Required-Scope", "read");
        assert_eq!(stand.send(&client)?.status, 403);
        Ok(())
    });
}

#[test]
fn nginx_demands_a_scope() {
    demands_a_scope(Program::Nginx);
}

#[test]
fn nginx_keeps_the_rules() {
    keeps_the_rules(Program::Nginx);
}

#[test]
fn caddy_keeps_the_rules() {
    keeps_the_rules(Program::Caddy);
}

#[test]
fn traefik_keeps_the_rules() {
    keeps_the_rules(Program::Traefik);
}

#[test]
fn envoy_keeps_the_rules() {
    keeps_the_rules(Program::Envoy);
}

#[test]
fn envoy_keeps_the_rules_where_an_edge_answers_it() {
    story(|world| {
        let edge = Service::edge(world, "edge", world.address())?;
        edge.until_ready()?;
        goes_through_the_rules(world, Program::Envoy, edge.address())
    });
}

#[test]
fn envoy_demands_a_scope() {
    demands_a_scope(Program::Envoy);
}

#[test]
fn envoy_asking_by_http_keeps_the_rules() {
    keeps_the_rules(Program::EnvoyHttp);
}

#[test]
fn haproxy_keeps_the_rules() {
    keeps_the_rules(Program::Haproxy);
}

#[test]
fn apache_keeps_the_rules() {
    keeps_the_rules(Program::Apache);
}
