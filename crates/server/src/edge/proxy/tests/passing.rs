//! What passes, and how.

use axum::http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::edge::proxy::tests::world::{
    Running, Upstream, exchange, in_front_of, rest, until_said,
};
use crate::edge::tests::world::{Authority, until};

async fn all() -> (Authority, Upstream, Running) {
    let (authority, upstream) = (Authority::start().await, Upstream::start().await);
    let settings = in_front_of(&format!("http://{}", upstream.address));
    let proxy = Running::start(&authority, settings).await;
    (authority, upstream, proxy)
}

#[tokio::test]
async fn who_has_a_good_token_reaches_the_upstream_as_itself_and_without_the_token() {
    let (authority, _upstream, proxy) = all().await;
    let (token, workspace) = authority.token(7);
    let headers = format!(
        "authorization: bearer {token}\r\nx-auth-workspace: forged\r\nX_Auth_Jti: forged\r\n\
         x-auth-role: admin\r\nx-forwarded-for: 1.1.1.1\r\nforwarded: for=1.1.1.1\r\n\
         x-real-ip: 1.1.1.1\r\ncookie: a=b\r\nte: gzip\r\n"
    );
    let answer = proxy.ask("GET /a%2Fb/../c?d=e&f", &headers).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = answer.seen();
    assert_eq!(seen["uri"], "/a%2Fb/../c?d=e&f", "as it was sent");
    assert_eq!(answer.lines("x-auth-workspace"), [workspace.to_string()]);
    assert_eq!(answer.lines("x-auth-scope"), ["read write"]);
    assert!(answer.lines("x-auth-jti")[0].starts_with("jti_"));
    assert_eq!(answer.lines("x-auth-expires").len(), 1);
    for gone in
        ["authorization", "x_auth_jti", "x-auth-role", "forwarded", "x-real-ip", "te", "connection"]
    {
        assert_eq!(answer.lines(gone), [""; 0], "{gone}");
    }
    assert_eq!(answer.lines("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(answer.lines("x-forwarded-proto"), ["http"]);
    assert_eq!(answer.lines("x-forwarded-host"), ["h.example"]);
    assert_eq!(answer.lines("host"), ["h.example"]);
    assert_eq!(answer.lines("cookie"), ["a=b"]);
    assert!(!answer.head.contains("x-secret"), "{}", answer.head);
}

#[tokio::test]
async fn what_connection_names_is_not_passed_on_and_what_we_say_is() {
    let (authority, _upstream, proxy) = all().await;
    let (token, workspace) = authority.token(7);
    let request = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: close, X-Auth-Workspace, x-mine, host\r\n\
         x-auth-workspace: forged\r\nx-mine: 1\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    let answer = exchange(proxy.address, &request).await;
    assert_eq!(answer.lines("x-auth-workspace"), [workspace.to_string()]);
    assert_eq!((answer.lines("x-mine"), answer.lines("host")), (vec![], vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_connection_is_used_again_on_both_sides() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let request =
        format!("GET /empty HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = proxy.open("").await;
    for _ in 0..20 {
        let post = request.replace("GET", "HEAD");
        stream.write_all(post.as_bytes()).await.expect("it goes on");
        let head = until_said(&mut stream, "\r\n\r\n").await;
        assert!(head.contains("content-length: 12") && head.contains("etag"), "{head}");
    }
    let not_modified = request.replace("/empty", "/not-modified");
    stream.write_all(not_modified.as_bytes()).await.expect("it goes on");
    let head = until_said(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 304 "), "{head}");
}

#[tokio::test]
async fn two_lengths_are_one_request_to_the_upstream() {
    let (authority, upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    // Whoever counts by Content-Length sees a second request in the body.
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let request = format!(
        "POST /one HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: 5\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    let mut stream = proxy.open(&request).await;
    let said = rest(&mut stream).await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(!said.contains("content-length: 5") && !said.contains("/hidden"), "{said}");
    for lengths in [
        "content-length: 1\r\ncontent-length: 2",
        "content-length: +1",
        "transfer-encoding: chunked, x",
    ] {
        let request = format!(
            "POST / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{lengths}\r\n\r\nab"
        );
        assert_eq!(exchange(proxy.address, &request).await.status, 400, "{lengths}");
    }
    drop(upstream);
}

#[tokio::test]
async fn bodies_are_carried_and_not_kept() {
    let (authority, upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let bearer = format!("authorization: Bearer {token}\r\n");
    let mut stream = proxy
        .open(&format!("GET /big HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{bearer}\r\n"))
        .await;
    let (mut buffer, mut length) = (vec![0; 1 << 20], 0);
    loop {
        let read = stream.read(&mut buffer).await.expect("it goes on");
        length += read;
        if read == 0 {
            break;
        }
    }
    assert!(length > 64 << 20, "{length}");

    // The upload goes on only as fast as it is taken, and 64 MiB of it come to their end.
    let head = format!(
        "POST /up HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\nexpect: 100-continue\r\n{bearer}\r\n",
        64 << 20
    );
    let mut stream = proxy.open(&head).await;
    until_said(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    for _ in 0..64 {
        stream.write_all(&buffer).await.expect("it is taken");
    }
    let said = rest(&mut stream).await;
    assert!(said.contains(&format!("\"length\":{}", 64 << 20)), "{said}");
    assert_eq!(upstream.taken.load(std::sync::atomic::Ordering::Relaxed), 64 << 20);
}

#[tokio::test]
async fn trailers_are_passed_on_both_ways() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let headers = format!("authorization: Bearer {token}\r\nte: trailers\r\n");
    let answer = proxy.ask("GET /trailers", &headers).await;
    assert!(answer.body.contains("0\r\nx-sum: 1\r\n"), "{answer:?}");
    let request = format!(
        "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}transfer-encoding: chunked\r\n\
         trailer: x-sum\r\n\r\n1\r\na\r\n0\r\nx-sum: 2\r\n\r\n"
    );
    let answer = exchange(proxy.address, &request).await;
    assert_eq!(answer.seen()["trailers"][0], "x-sum: 2", "{answer:?}");
}

#[tokio::test]
async fn a_web_socket_is_carried_and_another_upgrade_is_not() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let upgrade = |to: &str, path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             connection: Upgrade\r\nupgrade: {to}\r\n\r\n"
        )
    };
    let mut stream = proxy.open(&upgrade("websocket", "/ws")).await;
    let head = until_said(&mut stream, "\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains("sec-websocket-accept: x"),
        "{head}"
    );
    for said in ["one", "two"] {
        stream.write_all(said.as_bytes()).await.expect("it goes on");
        until_said(&mut stream, said).await;
    }
    let mut stream = proxy.open(&upgrade("h2c", "/")).await;
    let said = until_said(&mut stream, "}").await;
    assert!(said.starts_with("HTTP/1.1 200 ") && !said.contains("upgrade"), "{said}");
}

#[tokio::test]
async fn an_upstream_that_is_away_is_502_and_one_that_is_back_is_found() {
    let (authority, upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let address = upstream.address;
    assert_eq!(proxy.get("/", &token).await.status, 200);
    upstream.stop().await;
    until("it is away", || async { proxy.get("/", &token).await.status == 502 }).await;
    let _back = Upstream::start_at(address).await;
    until("it is back", || async { proxy.get("/", &token).await.status == 200 }).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let answer = proxy.get("/breaks", &token).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("begun") && !answer.body.contains("0\r\n\r\n"), "{answer:?}");
}

#[tokio::test]
async fn http_1_0_is_answered_so_that_its_end_is_seen() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let request = format!("GET / HTTP/1.0\r\nauthorization: Bearer {token}\r\n\r\n");
    let answer = exchange(proxy.address, &request).await;
    assert_eq!(answer.status, 200);
    assert!(answer.lines("host")[0].starts_with("127.0.0.1:"), "{answer:?}");
}

#[tokio::test]
async fn a_stop_lets_what_was_let_in_end() {
    let (authority, _upstream, proxy) = all().await;
    let (token, _) = authority.token(7);
    let mut stream = proxy
        .open(&format!(
            "POST / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-length: 4\r\n\
             expect: 100-continue\r\n\r\n"
        ))
        .await;
    until_said(&mut stream, "100 Continue\r\n\r\n").await;
    let stopped = proxy.begin_to_stop();
    stream.write_all(b"ab").await.expect("it goes on");
    tokio::task::yield_now().await;
    stream.write_all(b"cd").await.expect("it goes on");
    let said = rest(&mut stream).await;
    assert!(said.contains("HTTP/1.1 200 ") && said.contains("\"length\":4"), "{said}");
    stopped.await.expect("no panic").expect("it stops in order");
}
