//! What gateways do with forward-auth, at the authority and at an edge alike: every method, bodies that
//! are announced and never sent, one connection for many questions, and demands of every shape.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::operator::Issued;
use nt_testkit::{Connection, Request, Response, World};
use nt_token::clock::Stopwatch;
use serde_json::json;

use crate::edge::Edge;
use crate::{OWNER, story};

const DOOR: &str = "/v1/token_auth";

/// A token that may read, and both programs that answer about it.
fn asked(tell: impl Fn(&World, SocketAddr, &Issued) -> Result<()>) {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        let reader = operator.create_token(&first.workspace, &json!({ "scope": ["read"] }))?;
        let edge = Edge::start(world, &[])?;
        for at in [world.address(), edge.address()] {
            tell(world, at, &reader)?;
        }
        assert!(!world.log().contains("panicked"), "{}", world.log());
        Ok(())
    });
}

fn ask(at: SocketAddr, request: &Request) -> Result<Response> {
    let answer = nt_testkit::http::once(at, request)?;
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{} {at}", answer.status);
    Ok(answer)
}

#[test]
fn a_token_without_a_scope_that_is_demanded_is_told_which_are() {
    asked(|_, at, reader| {
        let of = |target: &str, header: Option<&str>| {
            let request = Request::get(target).bearer(&reader.token);
            let header = header.map(|value| ("x-auth-required-scope", value));
            ask(
                at,
                &header
                    .into_iter()
                    .fold(request, |request, (name, value)| request.header(name, value)),
            )
        };
        assert_eq!(of(&format!("{DOOR}?scope=read"), None)?.status, 200);
        assert_eq!(of(DOOR, Some("read"))?.status, 200);
        let challenge = |needed: &str| {
            format!("Bearer realm=\"ntd\", error=\"insufficient_scope\", scope=\"{needed}\"")
        };
        for (query, header, needed) in [
            ("?scope=write", None, "write"),
            ("", Some("write"), "write"),
            ("?scope=read+write", None, "read write"),
            ("?scope=read&scope=write", None, "read write"),
            ("?scope=read", Some("write"), "read write"),
            ("?scope=write", Some("read"), "write read"),
        ] {
            let answer = of(&format!("{DOOR}{query}"), header)?;
            assert_eq!(answer.status, 403, "{query} {header:?}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge(needed).as_str()));
            assert_eq!(answer.error_code().as_deref(), Some("INSUFFICIENT_PERMISSIONS"));
        }
        for (query, header, field) in [
            ("?scope=", None, "scope"),
            ("?scope=Write", None, "scope"),
            ("?scope=read", Some("a;b"), "X-Auth-Required-Scope"),
        ] {
            let answer = of(&format!("{DOOR}{query}"), header)?;
            assert_eq!(answer.status, 400, "{query} {header:?}");
            assert_eq!(answer.json()["error"]["details"]["field"], field);
        }
        Ok(())
    });
}

#[test]
fn a_path_that_a_gateway_appends_is_the_original_and_so_is_what_it_says_in_a_header() {
    asked(|_, at, reader| {
        let of = |target: &str, original: Option<&str>| {
            let request = Request::get(target).bearer(&reader.token);
            let headers = original.map(|url| ("x-original-url", url)).into_iter();
            let request =
                headers.fold(request, |request, (name, value)| request.header(name, value));
            Ok::<_, anyhow::Error>(ask(at, &request)?.status)
        };
        let (own, other) = (&reader.workspace, "c9f0f895-fb98-4b91-b2a1-7c8d9e0f1a2b");
        assert_eq!(of(&format!("{DOOR}/{own}/tools?x=1"), None)?, 200);
        assert_eq!(of(&format!("{DOOR}/{other}/tools"), None)?, 403);
        assert_eq!(of(&format!("{DOOR}/about?workspace={other}&scope=write"), None)?, 200);
        let (here, there) = (format!("https://h/{own}/x"), format!("https://h/{other}/x"));
        assert_eq!(of(DOOR, Some(&here))?, 200);
        assert_eq!(of(DOOR, Some(&there))?, 403);
        assert_eq!(of(&format!("{DOOR}/{own}/x"), Some(&there))?, 403);
        assert_eq!(of(DOOR, Some(&format!("/{other}/x://h/{own}/y")))?, 403, "a path, and no URL");
        assert_eq!(nt_testkit::http::once(at, &Request::get(&format!("{DOOR}s")))?.status, 404);
        Ok(())
    });
}

#[test]
fn every_method_is_answered_alike_over_one_connection_and_many_at_once() {
    asked(|_, at, reader| {
        let mut connection = Connection::open(at)?;
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let good =
                connection.exchange(&Request::new(method, DOOR).bearer(&reader.token).render())?;
            assert_eq!((good.status, good.text().as_str()), (200, r#"{"authenticated":true}"#));
            let bad = connection.exchange(&Request::new(method, DOOR).bearer("wst_x").render())?;
            assert_eq!(bad.status, 401, "{method}");
        }
        let (good, bad) =
            (Request::get(DOOR).bearer(&reader.token), Request::get(DOOR).bearer("x"));
        let many: Vec<u8> =
            (0..20).flat_map(|n| if n % 3 == 0 { bad.render() } else { good.render() }).collect();
        connection.write(&many)?;
        for n in 0..20 {
            let answer = connection.read()?;
            assert_eq!(answer.status, if n % 3 == 0 { 401 } else { 200 }, "{n}");
            let named = answer.header("x-auth-jti") == Some(reader.jti.as_str());
            assert_eq!(named, n % 3 != 0, "the answer is to its own question");
        }
        // Without a body, and yet with its length: read by hand.
        let head = Request::new("HEAD", DOOR).bearer(&reader.token).render();
        let mut connection = Connection::open(at)?;
        connection.write(&[head, good.render()].concat())?;
        let text = connection.read_head()?;
        assert_eq!(text.status, 200);
        assert_eq!(connection.read()?.status, 200, "nothing stood between the two");
        Ok(())
    });
}

#[test]
fn a_body_is_not_waited_for_and_does_not_stay_in_the_way() {
    asked(|_, at, reader| {
        let watch = Stopwatch::start();
        let post = || Request::new("POST", DOOR).bearer(&reader.token);
        // As nginx sends it where nobody cleared the length: announced, and never sent.
        let mut connection = Connection::open(at)?;
        let answer = connection.exchange(&post().header("content-length", "1000000").render())?;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        let chunked = post().header("transfer-encoding", "chunked").render();
        let mut connection = Connection::open(at)?;
        let answer = connection.exchange(&[&chunked[..], b"5\r\nhello\r\n"].concat())?;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        // Whoever waits to be told to go on is answered at once.
        let waiting =
            post().header("content-length", "5").header("expect", "100-continue").render();
        let mut connection = Connection::open(at)?;
        let answer = connection.exchange(&waiting)?;
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        // A small one is taken off the connection, which goes on.
        let mut connection = Connection::open(at)?;
        for _ in 0..3 {
            let small =
                connection.exchange(&post().body("text/plain", &vec![b'x'; 20_000]).render())?;
            assert_eq!((small.status, small.header("connection")), (200, None));
            assert_eq!(
                connection.exchange(&Request::get(DOOR).bearer("wst_x").render())?.status,
                401
            );
        }
        // Of a large one the answer arrives, though nobody reads it.
        let mut connection = Connection::open(at)?;
        let large = post().body("text/plain", &vec![b'x'; 600_000]);
        assert_eq!(connection.exchange(&large.render())?.status, 200);
        assert!(watch.elapsed() < Duration::from_secs(5), "nobody waited");
        Ok(())
    });
}

#[test]
fn two_credentials_are_none() {
    asked(|_, at, reader| {
        for other in
            ["Bearer wst_x".to_owned(), "Basic dTpw".to_owned(), format!("Bearer {}", reader.token)]
        {
            let request = Request::get(DOOR).header("authorization", &other).bearer(&reader.token);
            let answer = ask(at, &request)?;
            assert_eq!(answer.status, 401, "{other:.20}");
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.contains("error=\"invalid_request\""), "{challenge}");
            assert_eq!(answer.header("x-auth-workspace"), None);
        }
        Ok(())
    });
}

#[test]
fn a_kubernetes_api_server_is_told_whose_token_it_is() {
    asked(|_, at, reader| {
        let review = |token: &str| {
            let spec = json!({ "token": token });
            let version = "authentication.k8s.io/v1";
            let review = json!({ "apiVersion": version, "kind": "TokenReview", "spec": spec });
            let answer = ask(at, &Request::new("POST", "/v1/token_review").json(&review))?;
            assert_eq!((answer.status, &answer.json()["kind"]), (200, &json!("TokenReview")));
            Ok::<_, anyhow::Error>(answer.json()["status"].clone())
        };
        let good = review(&reader.token)?;
        assert_eq!(good["authenticated"], true);
        let workspace = format!("ntd:workspace:{}", reader.workspace);
        assert_eq!(
            (&good["user"]["username"], &good["user"]["uid"]),
            (&json!(workspace), &json!(reader.jti))
        );
        assert_eq!(good["user"]["groups"], json!([workspace, "ntd:scope:read"]));
        assert_eq!(review("wst_x")?["authenticated"], false);
        let large = Request::new("POST", "/v1/token_review").json(&json!("x".repeat(70_000)));
        assert_eq!(ask(at, &large)?.status, 413);
        Ok(())
    });
}
