//! A gateway that knows the authority only as one more OAuth authorisation server, and asks by
//! introspection (RFC 7662).

use anyhow::{Context as _, Result};
use nt_testkit::gateway::{Answers, Extras, Gateway, Program, Recorder};
use nt_testkit::{Connection, Request, http};
use serde_json::json;

use crate::{OWNER, story};

#[test]
fn apache_with_mod_oauth2_refuses_a_revoked_token_in_the_very_next_request() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let own = operator.create_workspace("main")?;
        let wishes = json!({ "name": "gateway", "may": ["introspect"] });
        let client = operator.expect(201, "POST", nt_api::path::CLIENTS, Some(&wishes))?;
        let secret = client["client_secret"].as_str().context("a secret")?;
        let api = Recorder::start(Answers::Itself)?;
        let (program, dir) = (Program::ApacheIntrospecting, world.dir().join("gateway"));
        let extras = Extras { secret, edits: &[] };
        let gateway = Gateway::start_with(program, &dir, world.address(), api.address(), &extras)?;
        let told = |request: &Request| -> Result<u16> {
            let answer = http::once(gateway.address(), request)?;
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert_eq!(answer.status == 401, challenge.starts_with("Bearer"), "{challenge}");
            Ok(answer.status)
        };

        let mut connection = Connection::open(gateway.address())?;
        for _ in 0..20 {
            let issued = operator.create_token(&own.workspace, &json!({}))?;
            let request = Request::get("/tools").bearer(&issued.token).render();
            for _ in 0..3 {
                assert_eq!(connection.exchange(&request)?.status, 200);
            }
            operator.revoke(&own.workspace, &issued.jti)?;
            let refused = connection.exchange(&request)?;
            assert_eq!(refused.status, 401, "the very next request; its logs:\n{}", gateway.log());
        }
        api.take();

        let mut forged = Request::get("/tools").bearer(&own.token);
        for name in ["X-Auth-Workspace", "x-auth-workspace", "X_Auth_Workspace", "X-Auth_Jti"] {
            forged = forged.header(name, "forged");
        }
        let forged = forged.header("Connection", "X-Auth-Workspace, X-Auth-Jti");
        assert_eq!(told(&forged)?, 200);
        let seen = api.take();
        let [seen] = &seen[..] else { panic!("one request: {seen:?}") };
        assert_eq!(seen.values("x-auth-workspace"), [&own.workspace], "{seen:?}");
        assert_eq!(seen.values("x-auth-jti"), [&own.jti], "{seen:?}");
        assert!(!seen.mentions("forged") && !seen.mentions(&own.token), "{seen:?}");

        assert_eq!(told(&Request::get("/tools"))?, 401);
        assert_eq!(told(&Request::get("/tools").bearer("wst_nonsense"))?, 401);
        world.kill9()?;
        assert_eq!(told(&Request::get("/tools").bearer(&own.token))?, program.cannot_say());
        assert_eq!(api.take(), []);
        Ok(())
    });
}
