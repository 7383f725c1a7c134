//! What single lines of the configurations are good for: without them, a revoked token passes. So the
//! rules are not blind, and whoever changes such a line learns it here.

use anyhow::Result;
use nt_testkit::gateway::{Answers, Extras, Gateway, Program, Recorder};
use nt_testkit::operator::Issued;
use nt_testkit::{Operator, Request, World, http};
use serde_json::json;

use crate::{OWNER, story};

/// What a gateway whose files are changed so says of a token before and after its revoke.
fn before_and_after(
    world: &World,
    program: Program,
    edits: &[(&str, &str)],
    secret: &str,
) -> Result<[u16; 2]> {
    let (operator, own) = operator(world)?;
    let api = Recorder::start(Answers::Itself)?;
    let (dir, extras) = (world.dir().join("gateway"), Extras { secret, edits });
    let gateway = Gateway::start_with(program, &dir, world.address(), api.address(), &extras)?;
    let issued = operator.create_token(&own.workspace, &json!({}))?;
    let told = || -> Result<u16> {
        let request = Request::get("/tools").bearer(&issued.token);
        Ok(http::once(gateway.address(), &request)?.status)
    };
    let before = told()?;
    operator.revoke(&own.workspace, &issued.jti)?;
    Ok([before, told()?])
}

fn operator(world: &World) -> Result<(Operator, Issued)> {
    let operator = world.operator(OWNER)?;
    let own = operator.create_workspace("controls")?;
    Ok((operator, own))
}

#[test]
fn an_nginx_that_keeps_verdicts_lets_a_revoked_token_in() {
    story(|world| {
        let keep = "proxy_cache verdicts; proxy_cache_valid 200 1m; \
            proxy_cache_key $http_authorization; proxy_ignore_headers Cache-Control;";
        let edits = [
            ("proxy_cache off;", keep),
            ("upstream ntd {", "proxy_cache_path verdicts keys_zone=verdicts:1m;\nupstream ntd {"),
        ];
        assert_eq!(before_and_after(world, Program::Nginx, &edits, "")?, [200, 200]);
        Ok(())
    });
}

#[test]
fn a_mod_oauth2_without_an_expiry_lets_a_revoked_token_in() {
    story(|world| {
        let wishes = json!({ "name": "gateway", "may": ["introspect"] });
        let operator = world.operator(OWNER)?;
        let client = operator.expect(201, "POST", nt_api::path::CLIENTS, Some(&wishes))?;
        let secret = client["client_secret"].as_str().unwrap_or_default();
        let (program, edits) = (Program::ApacheIntrospecting, [("&expiry=0", "")]);
        assert_eq!(before_and_after(world, program, &edits, secret)?, [200, 200]);
        Ok(())
    });
}

/// A script that fails must not be one that says yes.
fn told_where_a_script_fails(program: Program, edits: &[(&str, &str)]) -> u16 {
    let mut told = 0;
    story(|world| {
        let (_, own) = operator(world)?;
        let api = Recorder::start(Answers::Itself)?;
        let (dir, extras) = (world.dir().join("gateway"), Extras { secret: "", edits });
        let gateway = Gateway::start_with(program, &dir, world.address(), api.address(), &extras)?;
        let good = Request::get("/elsewhere").bearer(&own.token);
        assert_eq!(http::once(gateway.address(), &good)?.status, 200);
        told = http::once(gateway.address(), &Request::get("/tools"))?.status;
        Ok(())
    });
    told
}

const FAILS_IN_HAPROXY: (&str, &str) = (
    "local status = answer",
    "if txn.sf:path() == \"/tools\" then error(\"no\") end\nlocal status = answer",
);

#[test]
fn haproxy_refuses_where_its_script_fails_and_only_because_of_one_line() {
    let line = "http-request return status 503 hdr Retry-After 1 unless";
    let edits = [FAILS_IN_HAPROXY];
    assert_eq!(told_where_a_script_fails(Program::Haproxy, &edits), 503);
    let edits = [FAILS_IN_HAPROXY, (line, "http-request set-header X-Nothing 1 unless")];
    assert_eq!(told_where_a_script_fails(Program::Haproxy, &edits), 200);
}

#[test]
fn apache_refuses_where_its_script_fails() {
    let fails = "if r.uri == \"/tools\" then error(\"no\") end\nlocal question = {";
    let edits = [("local question = {", fails)];
    assert_eq!(told_where_a_script_fails(Program::Apache, &edits), 500);
}
