//! An edge over real sockets, and an authority's feed in this process.

pub(in crate::edge) mod world;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use nt_feed::server::Stream;
use nt_token::WorkspaceId;
use serde_json::{Value, json};

use crate::edge::WithoutLease;
use crate::edge::link::{Link, credential};
use crate::edge::listener::{Address, Listener};
use world::{Authority, LEASE, Running, until};

const OTHER: &str = "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b";

#[tokio::test]
async fn a_good_token_passes_until_its_revocation_is_complete_and_never_after() {
    let authority = Authority::start().await;
    let edge = Running::start(authority.link()).await;
    edge.until_ready().await;
    let (token, workspace) = authority.token(7);
    let good = edge.token_auth(&token, "").await;
    assert_eq!((good.status, good.body.as_str()), (200, r#"{"authenticated":true}"#));
    for line in [format!("x-auth-workspace: {workspace}"), "cache-control: no-store".to_owned()] {
        assert!(good.head.contains(&line), "{}", good.head);
    }
    for name in ["x-auth-jti: jti_", "x-auth-scope: ", "x-auth-expires: "] {
        assert!(good.head.contains(name), "{}", good.head);
    }
    assert_eq!(edge.token_auth(&token, &format!("?workspace={workspace}")).await.status, 200);
    assert_eq!(edge.token_auth(&token, &format!("?workspace={OTHER}")).await.status, 403);
    assert_eq!(edge.token_auth("wst_nonsense", "").await.status, 401);
    let bare = edge.ask("GET /v1/token_auth", "").await;
    assert_eq!(bare.status, 401);
    assert!(bare.head.contains("www-authenticate: Bearer realm=\"ntd\"\r\n"), "{}", bare.head);

    authority.revoke(7).await;
    let revoked = edge.token_auth(&token, "").await;
    assert_eq!(revoked.status, 401);
    assert!(revoked.head.contains("The access token was revoked"), "{}", revoked.head);
    let (neighbour, _) = authority.token(8);
    assert_eq!(edge.token_auth(&neighbour, "").await.status, 200);
    edge.stop().await;
}

#[tokio::test]
async fn of_an_authority_of_two_nodes_one_is_enough() {
    let one = Authority::start().await;
    let other = one.another_node().await;
    let edge = Running::start(one.link_to_both(&other)).await;
    edge.until_ready().await;
    let (token, _) = one.token(7);
    let (mut ends, mut stays) = if one.is_followed() { (one, other) } else { (other, one) };
    ends.stop().await;
    until("the other one is followed", || async {
        assert_eq!(edge.token_auth(&token, "").await.status, 200);
        stays.is_followed()
    })
    .await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(edge.token_auth(&token, "").await.status, 200);
    assert_eq!(edge.token_auth(&token, "?freshness=sync").await.status, 200, "that one is asked");
    stays.revoke(7).await;
    assert_eq!(edge.token_auth(&token, "").await.status, 401);
    assert_eq!(edge.token_auth(&token, "?freshness=sync").await.status, 401);
    stays.stop().await;
    until("no lease", || async { edge.ask("GET /readyz", "").await.status == 503 }).await;
    edge.stop().await;
}

#[tokio::test]
async fn whoever_cannot_know_says_503_and_never_401() {
    let mut authority = Authority::start().await;
    let (token, _) = authority.token(7);
    authority.stop().await;
    let edge = Running::start(authority.link()).await;
    let early = edge.token_auth(&token, "").await;
    assert_eq!(early.status, 503);
    assert!(early.head.contains("retry-after: 1"), "{}", early.head);
    assert_eq!(edge.ask("GET /readyz", "").await.status, 503);
    assert_eq!(edge.ask("GET /livez", "").await.status, 204);
    let metrics = edge.ask("GET /metrics", "").await.body;
    assert!(metrics.contains("\nntd_edge_not_ready_total 1\n"), "{metrics}");

    authority.serve().await;
    edge.until_ready().await;
    assert_eq!(edge.token_auth(&token, "").await.status, 200);
    authority.stop().await;
    let mut seen = Vec::new();
    let ended = tokio::time::timeout(4 * LEASE, async {
        while seen.last() != Some(&503) {
            seen.push(edge.token_auth(&token, "").await.status);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    ended.await.expect("its lease ends");
    assert!(seen.iter().all(|status| matches!(status, 200 | 503)), "{seen:?}");
    assert_eq!(edge.ask("GET /readyz", "").await.status, 503);
    authority.serve().await;
    edge.until_ready().await;
    assert_eq!(edge.token_auth(&token, "").await.status, 200);
    edge.stop().await;
}

#[tokio::test]
async fn without_a_lease_the_authority_is_asked_about_each_token_where_that_was_chosen() {
    let mut authority = Authority::start().await;
    let refusing = Running::start(authority.link()).await;
    let link = Link { without_lease: WithoutLease::Ask, ..authority.link() };
    let asking = Running::start(link).await;
    for edge in [&refusing, &asking] {
        edge.until_ready().await;
    }
    let (token, workspace) = authority.token(7);
    let (dying, _) = authority.token(8);
    authority.cut_feed();
    until("both leases are over", || async {
        let lease = asking.ask("GET /metrics", "").await.body;
        let is_over = lease
            .lines()
            .filter_map(|line| line.strip_prefix("ntd_edge_lease_left_seconds "))
            .any(|left| left.parse() == Ok(0.0));
        is_over && refusing.ask("GET /readyz", "").await.status == 503
    })
    .await;
    assert_eq!(asking.ask("GET /readyz", "").await.status, 200, "it can answer, by asking");
    authority.revoke(8).await;
    assert_eq!(refusing.token_auth(&token, "").await.status, 503);
    assert_eq!(refusing.token_auth(&token, "?freshness=local").await.status, 503);
    assert_eq!(refusing.token_auth(&token, "?freshness=sync").await.status, 200);
    assert_eq!(refusing.token_auth(&dying, "?freshness=sync").await.status, 401);
    assert_eq!(asking.token_auth(&token, "").await.status, 200);
    assert_eq!(asking.token_auth(&token, &format!("?workspace={workspace}")).await.status, 200);
    assert_eq!(asking.token_auth(&token, &format!("?workspace={OTHER}")).await.status, 403);
    assert_eq!(asking.token_auth(&dying, "").await.status, 401);
    for query in ["?freshness=x", "?freshness=", "?freshness=sync&freshness=Sync"] {
        assert_eq!(asking.token_auth(&token, query).await.status, 400, "{query}");
    }
    authority.stop().await;
    for (edge, query) in [(&refusing, "?freshness=sync"), (&asking, "")] {
        assert_eq!(edge.token_auth(&token, query).await.status, 503, "{query}");
    }
    assert_eq!(asking.ask("GET /readyz", "").await.status, 503, "nobody answers it");
    refusing.stop().await;
    asking.stop().await;
}

#[tokio::test]
async fn under_a_lease_the_authority_is_asked_only_where_that_is_demanded() {
    let mut authority = Authority::start().await;
    let edge = Running::start(authority.link()).await;
    edge.until_ready().await;
    let (token, _) = authority.token(7);
    assert_eq!(edge.token_auth(&token, "?freshness=sync").await.status, 200);
    authority.stop().await;
    assert_eq!(edge.token_auth(&token, "?freshness=sync").await.status, 503);
    assert_eq!(edge.token_auth(&token, "?freshness=local").await.status, 200, "under its lease");
    edge.stop().await;
}

#[tokio::test]
async fn an_edge_that_is_stopped_is_not_waited_for() {
    let authority = Authority::start().await;
    let edge = Running::start(authority.link()).await;
    edge.until_ready().await;
    let streams: Vec<_> = authority.feed.sessions().iter().map(|listed| listed.stream).collect();
    assert_eq!(streams, [Stream::Open]);
    edge.stop().await;
    assert!(authority.feed.sessions().is_empty(), "the lease was given back");
}

#[tokio::test]
async fn an_authority_other_than_the_one_that_was_named_ends_it() {
    let authority = Authority::start().await;
    let mut link = authority.link();
    link.issuer = Some("http://another".to_owned());
    let ended = Running::start(link).await.ended().await.expect_err("it ends");
    let wanted = "the authority's tokens name the issuer http://a, and not http://another";
    assert_eq!(ended.to_string(), wanted);
}

#[tokio::test]
async fn a_unix_socket_is_taken_over_from_the_dead_and_from_nobody_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("edge.sock");
    let address: Address = format!("unix:{}", path.display()).parse().expect("an address");
    // As a killed process leaves it: a file that nobody listens behind.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let authority = Authority::start().await;
    let edge = Running::start_on(&address, authority.link()).await;
    edge.until_ready().await;
    let (token, _) = authority.token(7);
    assert_eq!(edge.token_auth(&token, "").await.status, 200);
    let refused = Listener::bind(&address).await.expect_err("in use");
    assert!(refused.to_string().ends_with("is in use by another process"), "{refused}");
    edge.stop().await;
    assert!(!path.exists());
    std::fs::write(&path, "mine").expect("a file");
    let refused = Listener::bind(&address).await.expect_err("no socket");
    assert!(refused.to_string().ends_with("exists and is no socket"), "{refused}");
}

#[tokio::test]
async fn a_kubernetes_api_server_is_told_whose_token_it_is_and_for_which_of_its_audiences() {
    let authority = Authority::start().await;
    let edge = Running::start(authority.link()).await;
    edge.until_ready().await;
    let (token, workspace) = authority.token(7);
    let review = async |token: &str, audiences: Value| {
        let spec = json!({ "token": token, "audiences": audiences });
        let asked = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec
        });
        let asked = asked.to_string();
        let headers = format!("content-length: {}\r\n\r\n{asked}", asked.len());
        let answer = edge.ask("POST /v1/token_review", &headers).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.head.contains("cache-control: no-store"), "{}", answer.head);
        serde_json::from_str::<Value>(&answer.body).expect("JSON")["status"].clone()
    };
    let good = review(&token, json!(null)).await;
    let user = &good["user"];
    assert_eq!((&good["authenticated"], &good["audiences"]), (&json!(true), &json!(null)));
    assert_eq!(user["username"], format!("ntd:workspace:{workspace}"));
    let groups = [&format!("ntd:workspace:{workspace}"), "ntd:scope:read", "ntd:scope:write"];
    assert_eq!(user["groups"], json!(groups));
    assert_eq!(user["extra"]["ntd/scope"], json!(["read", "write"]));
    assert_eq!(user["extra"]["ntd/jti"], json!([user["uid"]]));
    let for_b = review(&token, json!(["a", "b"])).await;
    assert_eq!((&for_b["authenticated"], &for_b["audiences"]), (&json!(true), &json!(["b"])));
    let for_others = review(&token, json!(["a"])).await;
    assert_eq!(for_others["error"], "The access token is for another audience");
    let bound = review(&authority.token_from(8, "0.0.0.0/0"), json!(null)).await;
    assert_eq!(bound["authenticated"], false, "from where it is used is not known");
    authority.revoke(7).await;
    let revoked = review(&token, json!(null)).await;
    let wanted = json!({ "authenticated": false, "error": "The access token was revoked" });
    assert_eq!(revoked, wanted);
    edge.stop().await;
}

#[tokio::test]
async fn a_token_counts_only_from_where_it_may_be_used_as_far_as_that_is_known() {
    let authority = Authority::start().await;
    let dir = tempfile::tempdir().expect("a folder");
    let socket: Address =
        format!("unix:{}", dir.path().join("edge.sock").display()).parse().expect("an address");
    let trusting =
        Link { proxies: vec!["127.0.0.0/8".parse().expect("a network")], ..authority.link() };
    let open = Running::start(authority.link()).await;
    let behind = Running::start(trusting).await;
    let local = Running::start_on(&socket, authority.link()).await;
    for edge in [&open, &behind, &local] {
        edge.until_ready().await;
    }
    let here = authority.token_from(7, "127.0.0.0/8");
    let there = authority.token_from(8, "192.0.2.0/24");
    let asked = async |edge: &Running, token: &str, forwarded: &str| {
        let header = format!("authorization: Bearer {token}\r\n{forwarded}");
        edge.ask("GET /v1/token_auth", &header).await.status
    };
    let from_there = "x-forwarded-for: 192.0.2.9\r\n";
    // Nobody is believed who is not said to be a proxy.
    assert_eq!(asked(&open, &here, "").await, 200);
    assert_eq!(asked(&open, &here, from_there).await, 200);
    assert_eq!(asked(&open, &there, from_there).await, 403);
    assert_eq!(asked(&behind, &there, from_there).await, 200);
    assert_eq!(asked(&behind, &here, from_there).await, 403);
    assert_eq!(asked(&behind, &there, "x-forwarded-for: 192.0.2.9, 198.51.100.1\r\n").await, 403);
    assert_eq!(asked(&local, &there, from_there).await, 200);
    assert_eq!(asked(&local, &here, "").await, 403, "a socket has no address");
    let refused =
        open.ask("GET /v1/token_auth", &format!("authorization: Bearer {there}\r\n")).await;
    assert!(refused.body.contains("may not be used from this address"), "{}", refused.body);
    for edge in [open, behind, local] {
        edge.stop().await;
    }
}

#[tokio::test]
async fn everything_that_is_measured_says_what_it_is() {
    let authority = Authority::start().await;
    let edge = Running::start(authority.link()).await;
    edge.until_ready().await;
    edge.token_auth("wst_nonsense", "").await;
    let answer = edge.ask("GET /metrics", "").await;
    let written = "content-type: application/openmetrics-text; version=1.0.0";
    assert!(answer.head.contains(written), "{}", answer.head);
    let body = answer.body.strip_suffix("# EOF\n").expect("it says where it ends");
    let lines: Vec<_> = body.lines().collect();
    assert_eq!(lines.len(), 15);
    for metric in lines.chunks(3) {
        let name = metric[2].split(' ').next().unwrap_or_default();
        let name = name.strip_suffix("_total").unwrap_or(name);
        assert!(metric[0].starts_with(&format!("# HELP {name} ")), "{metric:?}");
        assert!(metric[1].starts_with(&format!("# TYPE {name} ")), "{metric:?}");
    }
    assert!(lines.contains(&"ntd_edge_applied 1") && lines.contains(&"ntd_edge_refused_total 1"));
    until("a part of a lease", || async {
        let body = edge.ask("GET /metrics", "").await.body;
        body.lines().any(|line| line.starts_with("ntd_edge_lease_left_seconds 0."))
    })
    .await;
    edge.stop().await;
}

#[test]
fn a_credential_is_read_from_a_file_and_never_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("credential");
    let secret = format!("ntv_{}", "a".repeat(43));
    std::fs::write(&path, format!("{secret}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let read = credential(&path).expect("a credential");
    assert_eq!(read.expose(), secret);
    assert!(!format!("{read:?}").contains("aaa"));
    for other in ["", "ntv_", "ntv_two\nlines", "nts_a-session"] {
        std::fs::write(&path, other).expect("a file");
        let refused = format!("{:#}", credential(&path).expect_err("none"));
        assert!(refused.contains("holds no verifier's credential"), "{refused}");
        assert!(other.len() < 5 || !refused.contains(other), "{refused}");
    }
}

#[test]
fn where_it_listens_is_an_address_with_a_port_or_a_socket() {
    assert!("here:80".parse::<Address>().is_err() && "unix:".parse::<Address>().is_err());
    assert!("127.0.0.1:0".parse::<Address>().is_ok() && "unix:/a".parse::<Address>().is_ok());
    assert!(OTHER.parse::<WorkspaceId>().is_ok());
}
