//! The rules, each a function of a gateway and who stands around it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::gateway::Seen;
use nt_testkit::{Connection, Request, process};
use serde_json::json;

use super::{Stand, paths};

/// A rule, and how one sees that it holds.
type Rule = (&'static str, fn(&Stand) -> Result<()>);

pub(super) const ALL: [Rule; 8] = [
    ("a good token passes, and the API learns who it is", good_tokens_pass),
    ("a revoked token is refused in the very next request", revoked_in_the_very_next_request),
    ("what a client says of itself is not believed", forged_headers_count_for_nothing),
    ("a client does not take away what the gateway says", hop_by_hop_takes_nothing_away),
    ("bodies go to the API alone, with every method", bodies_and_methods),
    ("a path binds to the workspace that the API reads", paths::bind_as_the_api_reads),
    ("a workspace in the path must be the token's", the_path_binds),
    ("whoever has no good token does not pass", nobody_else_passes),
];

const WHO: [&str; 4] = ["X-Auth-Workspace", "X-Auth-Jti", "X-Auth-Scope", "X-Auth-Expires"];

/// The one request that reached the API.
fn one(stand: &Stand) -> Result<Seen> {
    let mut seen = stand.api.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.pop().context("there is one")
}

fn good_tokens_pass(stand: &Stand) -> Result<()> {
    let target = "/tools?x=%20a&y=/b";
    let answer = stand.send(&Request::get(target).bearer(&stand.own.token))?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["target"], target, "the API's answer");
    let seen = one(stand)?;
    assert_eq!(seen.target, target);
    assert_eq!(seen.values("x-auth-workspace"), [&stand.own.workspace]);
    assert_eq!(seen.values("x-auth-jti"), [&stand.own.jti]);
    assert_eq!(seen.values("x-auth-scope").len(), 1);
    let expires = seen.values("x-auth-expires");
    assert!(matches!(expires[..], [one] if one.parse::<u64>().is_ok()), "{expires:?}");
    assert!(!seen.mentions(&stand.own.token), "the API does not get the token: {seen:?}");
    if let Some(asked) = stand.asked() {
        assert!(asked.len() == 1 && asked[0].mentions(&stand.own.token), "{asked:?}");
    }
    Ok(())
}

fn revoked_in_the_very_next_request(stand: &Stand) -> Result<()> {
    let mut client = Connection::open(stand.gateway.address())?;
    for _ in 0..20 {
        let issued = stand.operator.create_token(&stand.own.workspace, &json!({}))?;
        let request = Request::get("/tools").bearer(&issued.token).render();
        for _ in 0..3 {
            assert_eq!(client.exchange(&request)?.status, 200);
        }
        stand.operator.revoke(&stand.own.workspace, &issued.jti)?;
        let refused = client.exchange(&request)?;
        assert_eq!(refused.status, 401, "the very next request");
        let challenge = refused.header("www-authenticate").unwrap_or_default();
        let says = challenge.starts_with("Bearer") && challenge.contains("invalid_token");
        assert!(says, "{challenge}");
    }
    assert_eq!(stand.api.take().len(), 60, "none of those that were refused");
    Ok(())
}

fn nobody_else_passes(stand: &Stand) -> Result<()> {
    let ends = Request::get("/tools").bearer(&stand.short.token);
    process::until(Duration::from_secs(20), || {
        let answer = stand.send(&ends)?;
        assert!(matches!(answer.status, 200 | 401), "{}", answer.status);
        Ok((answer.status == 401).then_some(()))
    })?;
    let own = &stand.own.token;
    let changed = format!("{}{}", own, "x");
    let requests = [
        ends,
        Request::get("/tools"),
        Request::get("/tools").bearer("wst_nonsense"),
        Request::get("/tools").bearer(&changed),
        Request::get("/tools").header("Authorization", "Bearer"),
        Request::get("/tools").header("Authorization", &format!("Basic {own}")),
        Request::get(&format!("/tools?access_token={own}")),
        Request::get("/tools").header("Cookie", &format!("Authorization={own}")),
    ];
    for request in requests {
        let answer = stand.send(&request)?;
        assert_eq!(answer.status, 401, "{request:?}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.is_some_and(|value| value.starts_with("Bearer")), "{challenge:?}");
        assert_eq!(stand.api.take(), [], "{request:?}");
    }
    Ok(())
}

/// Everything that a client might say in the place of the authority or of the gateway, in every
/// spelling, and twice.
fn forged(mut request: Request, other: &str) -> Request {
    for name in WHO {
        let lower = name.to_ascii_lowercase();
        let (below, first) = (name.replace('-', "_"), name.replacen('-', "_", 1));
        let last = name.replace("X-Auth-", "X-Auth_");
        for name in [name, name, &lower, &below, &below.to_ascii_uppercase(), &first, &last] {
            request = request.header(name, &format!("{other}-forged"));
        }
    }
    let uris = ["X-Forwarded-Uri", "X-Original-URI", "X-Original-URL", "x-original-uri"];
    for name in uris.into_iter().chain(["X_Original_URI", "X_FORWARDED_URI"]) {
        request = request.header(name, &format!("/{other}/forged"));
    }
    request
}

fn forged_headers_count_for_nothing(stand: &Stand) -> Result<()> {
    let other = &stand.other.workspace;
    let request = forged(Request::get("/tools").bearer(&stand.own.token), other);
    let request = request.header("X-Forwarded-For", "203.0.113.7");
    let answer = stand.send(&request)?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = one(stand)?;
    assert_eq!(seen.values("x-auth-workspace"), [&stand.own.workspace], "{seen:?}");
    assert_eq!(seen.values("x-auth-jti"), [&stand.own.jti], "{seen:?}");
    assert!(!seen.mentions("forged"), "{seen:?}");
    // Whoever asks the authority by the client's headers could be led to another question.
    for asked in stand.asked().unwrap_or_default() {
        assert!(!asked.mentions("/forged"), "{asked:?}");
        // From where the request comes is what the gateway saw: the last hop.
        let hops = asked.values("x-forwarded-for").join(",");
        assert!(!hops.is_empty() && !hops.ends_with("203.0.113.7"), "{hops}");
    }

    // Nor do they help anybody who has no token, or one for another workspace.
    let theirs = format!("/{other}/tools");
    let claims = forged(Request::get(&theirs).bearer(&stand.own.token), &stand.own.workspace);
    assert_eq!(stand.send(&claims)?.status, 403);
    assert_eq!(stand.send(&forged(Request::get("/tools"), other))?.status, 401);
    assert_eq!(stand.api.take(), []);
    Ok(())
}

/// RFC 9110, section 7.6.1: a proxy takes away what `Connection` names. Not what it adds itself.
fn hop_by_hop_takes_nothing_away(stand: &Stand) -> Result<()> {
    let hops = "X-Forwarded-Uri, X-Original-URI, X-Auth-Workspace, X-Auth-Jti, Authorization";
    let own = Request::get("/tools").bearer(&stand.own.token).header("Connection", hops);
    let answer = stand.send(&own)?;
    for seen in stand.api.take() {
        assert_eq!(answer.status, 200);
        assert_eq!(seen.values("x-auth-workspace"), [&stand.own.workspace], "{seen:?}");
        assert_eq!(seen.values("x-auth-jti"), [&stand.own.jti], "{seen:?}");
    }
    let theirs = Request::get(&format!("/{}/tools", stand.other.workspace));
    let theirs = theirs.bearer(&stand.own.token).header("Connection", hops);
    let answer = stand.send(&theirs)?;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(stand.api.take(), []);
    Ok(())
}

fn bodies_and_methods(stand: &Stand) -> Result<()> {
    let large = vec![b'x'; 1 << 20];
    for method in ["POST", "PUT", "PATCH"] {
        let request = Request::new(method, "/tools").bearer(&stand.own.token);
        let answer = stand.send(&request.body("application/octet-stream", &large))?;
        assert_eq!(answer.status, 200, "{method}: {}", answer.text());
        let seen = one(stand)?;
        assert_eq!((seen.method.as_str(), seen.body), (method, large.len()));
        if let Some(asked) = stand.asked() {
            assert!(matches!(&asked[..], [asked] if asked.body == 0), "{method}: {asked:?}");
        }
    }
    for method in ["HEAD", "DELETE", "OPTIONS", "PROPFIND"] {
        let request = Request::new(method, "/tools").header("Connection", "close");
        // An answer to HEAD has no body, whatever length it names.
        let status = |request: &Request| -> Result<u16> {
            let mut client = Connection::open(stand.gateway.address())?;
            client.write(&request.render())?;
            Ok(client.read_head()?.status)
        };
        stand.api.take();
        assert_eq!(status(&request.clone().bearer(&stand.own.token))?, 200, "{method}");
        assert_eq!(one(stand)?.method, method);
        assert_eq!(status(&request)?, 401, "{method}");
        assert_eq!(stand.api.take(), [], "{method}");
    }
    Ok(())
}

fn the_path_binds(stand: &Stand) -> Result<()> {
    for prefix in ["", "/api", "/api/v1/workspaces"] {
        let own = format!("{prefix}/{}/tools", stand.own.workspace);
        let theirs = format!("{prefix}/{}/tools", stand.other.workspace);
        assert_eq!(stand.send(&Request::get(&own).bearer(&stand.own.token))?.status, 200, "{own}");
        let answer = stand.send(&Request::get(&theirs).bearer(&stand.own.token))?;
        assert_eq!(answer.status, 403, "{theirs}");
        assert_eq!(stand.api.take(), [], "{theirs}");
    }
    Ok(())
}
