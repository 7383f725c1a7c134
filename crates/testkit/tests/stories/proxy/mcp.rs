//! The official MCP SDK, its server behind the edge and its client in front.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use nt_testkit::world::free_port;
use serde_json::{Value, json};

use super::programs::{Node, Proxy, Server};
use crate::{OWNER, story};

/// The next thing that is not what a client tells of its own attempts.
fn next(client: &Node, errors: &mut Vec<Value>) -> Result<Value> {
    loop {
        let line: Value = serde_json::from_str(&client.line()?)?;
        if line.get("error").is_none() {
            return Ok(line);
        }
        errors.push(line);
    }
}

#[test]
fn an_mcp_client_works_until_its_token_is_revoked_and_is_then_told_what_it_needs() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let made = owner.create_workspace("main")?;
        let server = Server::start("server.mjs", &[])?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let resource = format!("http://{address}/mcp");
        let flags = ["--resource", &resource, "--scope", "read", "--workspace", &made.workspace];
        let _proxy = Proxy::start_on(world, address, server.port, &flags)?;
        let mut client = Node::run("client.mjs", &[&resource, &made.token], &[])?;
        let mut errors = Vec::new();
        let mut next = |client: &Node| next(client, &mut errors);
        assert_eq!(next(&client)?, json!({ "tools": ["add", "whoami"] }));
        assert_eq!(next(&client)?, json!({ "sum": "5" }));
        let who = &next(&client)?["who"];
        assert_eq!(who["authorization"], json!(null));
        assert_eq!(who["workspace"], json!(made.workspace));
        assert_eq!(who["scope"], "read write");
        assert_eq!(next(&client)?, json!({ "notified": true }));

        owner.revoke(&made.workspace, &made.jti)?;
        client.go_on()?;
        let refused = next(&client)?;
        assert_eq!(refused["refused"]["code"], 401, "{refused}");
        let told = next(&client)?;
        let at = format!("http://{address}/.well-known/oauth-protected-resource/mcp");
        assert_eq!((&told["status"], &told["at"]), (&json!(401), &json!(at)));
        assert_eq!(told["scope"], "read");
        let metadata = json!({
            "resource": resource,
            "authorization_servers": [world.url()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["read"],
        });
        assert_eq!((&told["told"], &told["found"]), (&metadata, &metadata));
        // The stream for notifications broke off, and could not be opened again.
        let broke = errors.iter().any(|error| error.to_string().contains("disconnected"));
        assert!(broke, "{errors:?}");
        Ok(())
    });
}
