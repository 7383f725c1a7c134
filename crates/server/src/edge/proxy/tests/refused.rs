//! What does not pass, and what is said then.

use crate::edge::proxy::settings::{Bound, Settings};
use crate::edge::proxy::tests::world::{Answer, Running, Upstream, exchange, in_front_of};
use crate::edge::tests::world::{Authority, until};

const OTHER: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";

async fn with(change: impl FnOnce(&mut Settings)) -> (Authority, Upstream, Running) {
    let (authority, upstream) = (Authority::start().await, Upstream::start().await);
    let mut settings = in_front_of(&format!("http://{}", upstream.address));
    change(&mut settings);
    let proxy = Running::start(&authority, settings).await;
    (authority, upstream, proxy)
}

fn challenge(answer: &Answer) -> &str {
    let mut lines = answer.head.lines();
    lines.find_map(|line| line.strip_prefix("www-authenticate: ")).unwrap_or_default()
}

#[tokio::test]
async fn a_refusal_says_where_the_resource_is_described_and_what_a_token_must_have() {
    let (authority, _upstream, proxy) = with(|settings| {
        settings.resource = Some("https://h.example/mcp".parse().expect("a URL"));
        settings.scopes = vec!["read".parse().expect("a scope")];
    })
    .await;
    let more = "scope=\"read\", resource_metadata=\"\
                https://h.example/.well-known/oauth-protected-resource/mcp\"";
    let none = proxy.ask("GET /mcp", "").await;
    assert_eq!(
        (none.status, challenge(&none)),
        (401, format!("Bearer realm=\"ntd\", {more}").as_str())
    );
    assert!(none.head.contains("cache-control: no-store"), "{none:?}");
    let (token, _) = authority.token(7);
    assert_eq!(proxy.get("/mcp", &token).await.status, 200);
    authority.revoke(7).await;
    let revoked = proxy.get("/mcp", &token).await;
    assert_eq!(revoked.status, 401);
    let said = challenge(&revoked);
    assert!(said.contains("error=\"invalid_token\"") && said.ends_with(more), "{said}");

    let described = proxy.ask("GET /.well-known/oauth-protected-resource/mcp", "").await;
    assert_eq!(described.status, 200);
    let metadata: serde_json::Value = serde_json::from_str(&described.body).expect("JSON");
    let wanted = serde_json::json!({
        "resource": "https://h.example/mcp",
        "authorization_servers": ["http://a"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["read"],
    });
    assert_eq!(metadata, wanted);
}

#[tokio::test]
async fn a_token_without_a_scope_that_is_demanded_is_told_which() {
    let (authority, _upstream, proxy) = with(|settings| {
        settings.scopes = vec!["read".parse().expect("a scope"), "deploy".parse().expect("one")];
    })
    .await;
    let (token, _) = authority.token(7);
    let refused = proxy.get("/", &token).await;
    assert_eq!(refused.status, 403);
    let said = challenge(&refused);
    assert!(said.contains("error=\"insufficient_scope\""), "{said}");
    assert!(said.ends_with("scope=\"read deploy\""), "{said}");
}

#[tokio::test]
async fn a_token_is_for_the_workspace_that_is_given_or_that_the_path_names() {
    let (authority, _upstream, proxy) = with(|settings| {
        settings.workspace = Bound::To(OTHER.parse().expect("a UUID"));
    })
    .await;
    assert_eq!(proxy.get("/", &authority.token(7).0).await.status, 403);
    let (authority, _upstream, proxy) = with(|settings| settings.workspace = Bound::ByPath).await;
    let (token, workspace) = authority.token(7);
    for (path, status) in [
        (format!("/{workspace}/x"), 200),
        ("/x".to_owned(), 200),
        (format!("/{OTHER}/x"), 403),
        (format!("/{workspace}/../{OTHER}/x"), 403),
        (format!("/{workspace}/%2e%2e/{OTHER}/x"), 403),
    ] {
        assert_eq!(proxy.get(&path, &token).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_public_path_passes_without_a_token_and_no_path_that_only_looks_like_one() {
    let (authority, _upstream, proxy) = with(|settings| {
        settings.public = vec!["/public".parse().expect("a path")];
    })
    .await;
    let forged = "x-auth-workspace: forged\r\n";
    let answer = proxy.ask("GET /public/a", forged).await;
    assert_eq!(answer.status, 200);
    assert!(answer.lines("x-auth-workspace").is_empty());
    for path in
        ["/publicity", "/public/../admin", "/public/%2e%2e/admin", "/public//x", "/public/..;/x"]
    {
        assert_eq!(proxy.ask(&format!("GET {path}"), "").await.status, 401, "{path}");
    }
    // A token of ours is not for the upstream, even where none is needed; another credential is.
    let (token, _) = authority.token(7);
    for ours in [token.as_str(), token.trim_start_matches("wst_"), "wst_nonsense"] {
        assert!(proxy.get("/public/a", ours).await.lines("authorization").is_empty());
    }
    assert_eq!(proxy.get("/public/a", "theirs").await.lines("authorization"), ["Bearer theirs"]);
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let (authority, _upstream, proxy) = with(|_| {}).await;
    let (token, _) = authority.token(7);
    let bearer = format!("authorization: Bearer {token}\r\n");
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n{bearer}"), 400),
        (format!("GET / HTTP/1.1\r\n{bearer}"), 400),
        (format!("GET / HTTP/1.1\r\nhost: a@b\r\n{bearer}"), 400),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{bearer}{bearer}"), 401),
        (format!("TRACE / HTTP/1.1\r\nhost: a\r\n{bearer}"), 405),
        (format!("CONNECT b:1 HTTP/1.1\r\nhost: b:1\r\n{bearer}"), 405),
        (format!("GET http://b/x HTTP/1.1\r\nhost: a\r\n{bearer}"), 200),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nauthorization : Bearer {token}\r\n"), 400),
    ] {
        let answer = exchange(proxy.address, &format!("{request}connection: close\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{request}");
        if status == 200 {
            assert_eq!(answer.lines("host"), ["b"]);
            assert_eq!(answer.seen()["uri"], "/x");
        }
    }
}

#[tokio::test]
async fn the_edges_own_doors_are_beside_the_proxy_and_shadow_nothing() {
    let (authority, _upstream, proxy) = with(|_| {}).await;
    let (token, _) = authority.token(7);
    for path in [
        "/v1/token_auth",
        "/metrics",
        "/readyz",
        "/health",
        "/.well-known/oauth-protected-resource",
    ] {
        let answer = proxy.get(path, &token).await;
        assert_eq!(answer.seen()["uri"], path);
        assert_eq!(proxy.ask(&format!("GET {path}"), "").await.status, 401, "{path}");
    }
    let own = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        )
    };
    for path in ["/v1/token_auth", "/metrics", "/readyz", "/health"] {
        assert_eq!(exchange(proxy.admin, &own(path)).await.status, 200, "{path}");
    }
    assert_eq!(exchange(proxy.admin, &own("/anything")).await.status, 404);
}

#[tokio::test]
async fn without_the_authority_nothing_passes_and_nobody_is_told_that_a_token_is_bad() {
    let mut authority = Authority::start().await;
    let upstream = Upstream::start().await;
    let (token, _) = authority.token(7);
    authority.stop().await;
    let mut settings = in_front_of(&format!("http://{}", upstream.address));
    settings.resource = Some("https://h.example".parse().expect("a URL"));
    let proxy = Running::launch(&authority, settings).await;
    let answer = proxy.get("/", &token).await;
    assert_eq!((answer.status, challenge(&answer)), (503, ""));
    assert!(answer.head.contains("retry-after: 1"), "{answer:?}");
    let described = "GET /.well-known/oauth-protected-resource";
    assert_eq!(proxy.ask(described, "").await.status, 503);
    authority.serve().await;
    until("it is heard", || async { proxy.get("/", &token).await.status == 200 }).await;
    assert_eq!(proxy.ask(described, "").await.status, 200);
}
