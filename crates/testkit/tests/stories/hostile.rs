//! Bad input over raw HTTP: each kind has its documented answer, and nothing is lost.

use std::time::Duration;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_testkit::operator::Issued;
use nt_testkit::{Connection, Operator, Request, Response, World};
use nt_token::SigningKey;
use nt_token::sign::{TOKEN_TYPE, sign_jws};
use serde_json::{Value, json};

use crate::{OWNER, story};

/// Two workspaces of one owner; the first token of each.
fn two_workspaces(world: &World) -> Result<(Operator, Issued, Issued)> {
    let operator = world.operator(OWNER)?;
    let first = operator.create_workspace("main")?;
    let second = operator.create_workspace("other")?;
    Ok((operator, first, second))
}

fn assert_error(answer: &Response, status: u16, code: &str, what: &str) {
    let is = (answer.status, answer.error_code());
    assert_eq!(is, (status, Some(code.to_owned())), "{what:.100}: {}", answer.text());
    let error = &answer.json()["error"];
    assert!(
        error["message"].is_string() && error["request_id"].is_string(),
        "{what:.100}: {error}"
    );
    assert!(error["details"].is_object(), "{what:.100}: {error}");
}

/// After all that: it works as before, and nothing was revoked, deleted or added.
fn assert_unharmed(world: &World, operator: &Operator, first: &Issued) -> Result<()> {
    assert_eq!(world.send(&Request::get("/health"))?.json()["status"], "healthy");
    assert_eq!(world.check(&first.token)?.status, 200);
    assert_eq!(operator.tokens(&first.workspace, "all")?.len(), 1);
    assert_eq!(operator.expect(200, "GET", "/v1/workspaces", None)?["total"], 2);
    assert!(!world.log().contains("panicked"), "{}", world.log());
    Ok(())
}

#[test]
fn jtis_that_are_none() {
    story(|world| {
        let (operator, first, _) = two_workspaces(world)?;
        let base = format!("/v1/workspaces/{}/tokens", first.workspace);
        let long = format!("jti_{}", "a".repeat(10_240));
        let encoded = [
            "jti_",
            "a%3Fx=1",
            "..%2f..%2fx",
            "%2e%2e",
            "jti_%00",
            "jti_%0d%0aX:y",
            "jti_%1b%5b2J",
            "jti_a%20b",
            "jti_%C3%A9",
            "jti_%ff",
            "%00",
            "jti_a%2Fb",
            "JTI_abc",
            "jti_a-b",
            &long,
        ];
        for jti in encoded {
            for method in ["GET", "DELETE"] {
                let answer = operator.call(method, &format!("{base}/{jti}"), None)?;
                assert_error(&answer, 400, "INVALID_JTI", jti);
            }
            let refresh =
                operator.call("POST", &format!("{base}/{jti}/refresh"), Some(&json!({})))?;
            assert_error(&refresh, 400, "INVALID_JTI", jti);
        }
        // A query is not part of the identifier, and dots are no way out of the path.
        let query = operator.call("DELETE", &format!("{base}/a?x=1"), None)?;
        assert_error(&query, 400, "INVALID_JTI", "a?x=1");
        let dots = operator.call("DELETE", &format!("{base}/.."), None)?;
        assert_error(&dots, 400, "INVALID_JTI", "..");
        for path in ["../../x", "../tokens", "..;/x", "jti_abc/../../.."] {
            let answer = operator.call("DELETE", &format!("{base}/{path}"), None)?;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
        // Control characters as they are: not HTTP at all.
        for raw in ["jti_\u{0}", "jti_\u{1b}[2J", "jti_\ta", "jti_ a", "jti_\r\na"] {
            let request =
                Request::new("DELETE", &format!("{base}/{raw}")).bearer(&operator.session);
            if let Ok(answer) = world.send(&request) {
                assert!((400..500).contains(&answer.status), "{raw:?}: {}", answer.text());
            }
        }
        let unknown = operator.call("DELETE", &format!("{base}/jti_abc123def456"), None)?;
        assert_error(&unknown, 404, "TOKEN_NOT_FOUND", "unknown");
        assert_unharmed(world, &operator, &first)
    });
}

#[test]
fn workspaces_that_are_none() {
    story(|world| {
        let (operator, first, _) = two_workspaces(world)?;
        for id in [
            "main",
            "..",
            "%2e%2e",
            "0",
            &first.workspace.replace('-', ""),
            "%00",
            &format!("{{{}}}", first.workspace),
            &format!("{}%20", first.workspace),
        ] {
            for (method, rest) in [("GET", ""), ("DELETE", ""), ("GET", "/tokens")] {
                let answer = operator.call(method, &format!("/v1/workspaces/{id}{rest}"), None)?;
                assert!(
                    matches!(answer.status, 400 | 404),
                    "{method} {id}{rest}: {}",
                    answer.text()
                );
                assert!(answer.error_code().is_some(), "{method} {id}{rest}: {}", answer.text());
            }
        }
        for name in
            ["", "ab", "1abc", "Abc", "a b", "a_b", "a/b", "é-name", "a\u{1b}[2Jb", &"a".repeat(33)]
        {
            let answer = operator.call("POST", "/v1/workspaces", Some(&json!({ "name": name })))?;
            assert_error(&answer, 400, "INVALID_REQUEST", name);
        }
        let taken = operator.call("POST", "/v1/workspaces", Some(&json!({ "name": "main" })))?;
        assert_error(&taken, 409, "WORKSPACE_EXISTS", "main");
        assert_unharmed(world, &operator, &first)
    });
}

#[test]
fn expiries_and_bodies_that_are_none() {
    story(|world| {
        let (operator, first, _) = two_workspaces(world)?;
        let path = format!("/v1/workspaces/{}/tokens", first.workspace);
        let expiries = [
            json!(0),
            json!(-5),
            json!("abc"),
            json!(99_999_999_999_i64),
            json!(1e30),
            json!(1.5),
            json!(true),
            json!([1]),
            json!("1e9"),
            json!(i64::MIN),
            json!(u64::MAX),
        ];
        for wish in &expiries {
            let answer = operator.call("POST", &path, Some(&json!({ "expires_in": wish })))?;
            assert_error(&answer, 400, "INVALID_REQUEST", &format!("expires_in {wish}"));
        }
        for at in [json!(0), json!(-5), json!("abc"), json!(1), json!(99_999_999_999_i64)] {
            let answer = operator.call("POST", &path, Some(&json!({ "expires_at": at })))?;
            assert_error(&answer, 400, "INVALID_REQUEST", &format!("expires_at {at}"));
        }
        // More than one expiry, more than the policy allows, and texts that are too long.
        for body in [
            json!({ "expires_in": 60, "no_expiry": true }),
            json!({ "expires_in": 60, "expires_at": 4_000_000_000_i64 }),
            json!({ "expires_in": 315_360_001 }),
            json!({ "description": "x".repeat(257) }),
            json!({ "scope": ["with space"] }),
            json!({ "scope": "read" }),
        ] {
            let answer = operator.call("POST", &path, Some(&body))?;
            assert_error(&answer, 400, "INVALID_REQUEST", &body.to_string());
        }
        let post = |media: &str, body: &[u8]| {
            world.send(&Request::new("POST", &path).bearer(&operator.session).body(media, body))
        };
        let json_like = |body: &[u8]| post("application/json", body);
        let deep = "[".repeat(30_000);
        for body in [
            &b"{"[..],
            b"{\"expires_in\":1e9",
            b"[]x",
            b"\xff\xfe",
            b"null",
            b"3",
            b"{\"expires_in\":1,\"expires_in\":2}",
            b"{\"expires_in\":1e9}",
            deep.as_bytes(),
        ] {
            let answer = json_like(body)?;
            assert_error(&answer, 400, "INVALID_REQUEST", &String::from_utf8_lossy(body));
        }
        let big = format!("{{\"description\":\"{}\"}}", "x".repeat(64 * 1024));
        assert_error(&json_like(big.as_bytes())?, 413, "INVALID_REQUEST", "more than 64 KiB");
        assert_unharmed(world, &operator, &first)?;

        // Unknown fields: ignored where published clients may send them, refused elsewhere.
        let extra = operator.call("POST", &path, Some(&json!({ "expires_in": 60, "new": 1 })))?;
        assert_eq!(extra.status, 201, "{}", extra.text());
        let workspace = format!("/v1/workspaces/{}", first.workspace);
        let wishes = json!({ "description": "x", "new": 1 });
        assert_eq!(operator.call("PATCH", &workspace, Some(&wishes))?.status, 200);
        let member = json!({ "email": "x@example.com", "role": "viewer", "new": 1 });
        let members = format!("{workspace}/members");
        let refused = operator.call("POST", &members, Some(&member))?;
        assert_error(&refused, 400, "INVALID_REQUEST", "an unknown field");
        Ok(())
    });
}

#[test]
fn paths_and_methods_are_matched_exactly() {
    story(|world| {
        let (operator, first, _) = two_workspaces(world)?;
        let workspace = format!("/v1/workspaces/{}", first.workspace);
        let token = format!("{workspace}/tokens/{}", first.jti);
        for path in [
            format!("{workspace}/"),
            format!("{token}/"),
            format!("{workspace}/tokens/"),
            format!("/{workspace}"),
            format!("/v1//workspaces/{}", first.workspace),
            format!("/v1/./workspaces/{}", first.workspace),
            format!("/V1/workspaces/{}", first.workspace),
            format!("{workspace}%2F"),
            format!("{token}%2F"),
            "/".to_owned(),
            "/nosuch".to_owned(),
        ] {
            let answer = operator.call("DELETE", &path, None)?;
            let fine =
                matches!(answer.status, 404) || (path.contains("%2F") && answer.status == 400);
            assert!(fine, "{path}: {} {}", answer.status, answer.text());
            assert!(answer.error_code().is_some(), "{path}: {}", answer.text());
            assert_eq!(answer.header("location"), None, "{path}");
        }
        for (method, path) in
            [("PUT", &workspace), ("POST", &token), ("PATCH", &token), ("BREW", &workspace)]
        {
            let answer = operator.call(method, path, None)?;
            assert_error(&answer, 405, "NOT_FOUND", &format!("{method} {path}"));
            assert!(answer.header("allow").is_some(), "{method} {path}");
        }
        for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
            let request =
                Request::new("POST", &token).bearer(&operator.session).header(name, "DELETE");
            assert_eq!(world.send(&request)?.status, 405, "{name}");
        }
        assert_unharmed(world, &operator, &first)
    });
}

/// Tokens that look like a good one and are not, each with a name.
fn forgeries(world: &World, good: &str, other: &str) -> Result<Vec<(String, String)>> {
    let bare = good.trim_start_matches("wst_");
    let parts: Vec<&str> = bare.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let decode = |part: &str| -> Result<Value> {
        Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
    };
    let (head, claims) = (decode(header)?, decode(payload)?);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let with_head = |change: &[(&str, Value)]| {
        let mut head = head.clone();
        for (name, value) in change {
            head[*name] = value.clone();
        }
        format!("wst_{}.{payload}.{signature}", encode(&head))
    };
    let (foreign, _) = SigningKey::generate()?;
    let resigned = sign_jws(TOKEN_TYPE, &claims, &foreign);
    let resigned_parts: Vec<&str> = resigned.split('.').collect();
    let mut longer = claims.clone();
    longer["exp"] = json!(9_999_999_999_i64);
    let other_payload = other.split('.').nth(1).unwrap_or_default();
    let none = json!({ "alg": "none", "typ": "at+jwt", "kid": head["kid"] });
    let jwk = serde_json::to_value(foreign.jwk())?;
    let mut bad = vec![
        ("re-signed by another key", format!("wst_{resigned}")),
        ("re-signed under our kid", format!("wst_{header}.{payload}.{}", resigned_parts[2])),
        ("alg none, no signature", format!("wst_{}.{payload}.", encode(&none))),
        ("alg none, with signature", format!("wst_{}.{payload}.{signature}", encode(&none))),
        ("alg HS256", with_head(&[("alg", json!("HS256"))])),
        ("wrong kid", with_head(&[("kid", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))])),
        ("kid is a path", with_head(&[("kid", json!("../../keys"))])),
        ("own key in the header", with_head(&[("jwk", jwk)])),
        ("key from elsewhere", with_head(&[("x5u", json!(world.url()))])),
        ("critical extension", with_head(&[("crit", json!(["exp"]))])),
        ("another type", with_head(&[("typ", json!("JWT"))])),
        ("longer life", format!("wst_{header}.{}.{signature}", encode(&longer))),
        ("another workspace's claims", format!("wst_{header}.{other_payload}.{signature}")),
        ("two parts", format!("wst_{header}.{payload}")),
        ("four parts", format!("{good}.{signature}")),
        ("prefix twice", format!("wst_{good}")),
        ("padded", format!("{good}=")),
        ("nothing", String::new()),
        ("only the prefix", "wst_".to_owned()),
        ("dots", "..".to_owned()),
        ("too long", format!("{good}{}", "A".repeat(5_000))),
    ];
    for cut in [1, 10, signature.len(), good.len() / 2, good.len() - 5] {
        bad.push(("truncated", good[..good.len() - cut].to_owned()));
    }
    Ok(bad.into_iter().map(|(what, token)| (what.to_owned(), token)).collect())
}

#[test]
fn forged_tokens_are_refused_by_forward_auth_and_introspection() {
    story(|world| {
        let (operator, first, second) = two_workspaces(world)?;
        let introspect = |token: &str| {
            let form = format!("token={token}");
            let request = Request::new("POST", "/oauth2/introspect").bearer(&operator.session);
            world.send(&request.body("application/x-www-form-urlencoded", form.as_bytes()))
        };
        assert_eq!(introspect(&first.token)?.json()["active"], true);
        let mut accepted = Vec::new();
        for (what, token) in forgeries(world, &first.token, &second.token)? {
            let answer = world.check(&token)?;
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            let challenged = challenge.starts_with("Bearer")
                && (token.is_empty() || challenge.contains("error=\"invalid_token\""));
            let identified = answer.header("x-auth-workspace").is_some();
            if answer.status != 401 || !challenged || identified {
                accepted.push(format!("{what}: {} {challenge}", answer.status));
            }
            if !token.is_empty() {
                let answer = introspect(&token)?;
                if (answer.status, answer.text().as_str()) != (200, "{\"active\":false}") {
                    accepted.push(format!("{what}, by introspection: {}", answer.text()));
                }
            }
        }
        assert!(accepted.is_empty(), "{accepted:#?}");
        operator.revoke(&first.workspace, &first.jti)?;
        assert_eq!(introspect(&first.token)?.text(), "{\"active\":false}");
        let revoked = world.check(&first.token)?;
        let challenge = revoked.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("The access token was revoked"), "{challenge}");
        let nobody = Request::new("POST", "/oauth2/introspect")
            .body("application/x-www-form-urlencoded", b"token=x");
        assert_eq!(world.send(&nobody)?.status, 401, "the caller of introspection authenticates");
        Ok(())
    });
}

#[test]
fn a_token_counts_only_for_its_own_workspace() {
    story(|world| {
        let (_, first, second) = two_workspaces(world)?;
        let ask = |target: &str, headers: &[(&str, &str)]| {
            let request = Request::get(target).bearer(&first.token);
            let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
            world.send(&headers.iter().fold(request, add)).map(|answer| answer.status)
        };
        let (own, other) =
            (format!("/{}/tools", first.workspace), format!("/{}/tools?x=1", second.workspace));
        let here = "/v1/token_auth";
        assert_eq!(ask(here, &[])?, 200);
        for name in ["x-original-uri", "x-forwarded-uri"] {
            assert_eq!(ask(here, &[(name, &own)])?, 200, "{name}");
            assert_eq!(ask(here, &[(name, &other)])?, 403, "{name}");
            assert_eq!(ask(here, &[(name, "/about")])?, 200, "{name}");
        }
        assert_eq!(ask(here, &[("x-original-uri", &own), ("x-forwarded-uri", &other)])?, 403);
        assert_eq!(ask(here, &[("x-original-uri", &other), ("x-forwarded-uri", &own)])?, 403);
        assert_eq!(ask(&format!("{here}?workspace={}", first.workspace), &[])?, 200);
        assert_eq!(ask(&format!("{here}?workspace={}", second.workspace), &[])?, 403);
        for method in ["GET", "POST"] {
            let answer = world.send(&Request::new(method, here).bearer(&first.token))?;
            assert_eq!((answer.status, answer.json()), (200, json!({ "authenticated": true })));
            assert_eq!(answer.header("x-auth-workspace"), Some(first.workspace.as_str()));
            assert_eq!(answer.header("x-auth-jti"), Some(first.jti.as_str()));
            assert!(answer.header("x-auth-scope").is_some());
            assert!(answer.header("x-auth-expires").is_some_and(|at| at.parse::<i64>().is_ok()));
            assert!(answer.header("cache-control").is_some_and(|rule| rule.contains("no-store")));
        }
        Ok(())
    });
}

#[test]
fn credentials_and_requests_of_odd_shapes() {
    story(|world| {
        let (operator, first, _) = two_workspaces(world)?;
        let auth = |value: &str| {
            world.send(&Request::get("/v1/token_auth").header("authorization", value))
        };
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Basic dTpw",
            "bearer",
            "Bearer a b",
            "Bearer \u{7f}",
            &format!("Token {}", first.token),
            &format!("Bearer {0} {0}", first.token),
            &format!("Bearer \"{}\"", first.token),
            &format!("Bearer {}", operator.session),
        ] {
            let answer = auth(value)?;
            assert!(matches!(answer.status, 400 | 401), "{value:.40}: {}", answer.status);
        }
        let twice = Request::get("/v1/token_auth").bearer("wst_x").bearer(&first.token);
        assert!(matches!(world.send(&twice)?.status, 400 | 401), "two credentials");

        let huge = Request::get("/v1/token_auth").header("x-huge", &"a".repeat(1024 * 1024));
        if let Ok(answer) = world.send(&huge) {
            assert!(matches!(answer.status, 400 | 431), "{}", answer.status);
        }
        let many = (0..5_000)
            .fold(Request::get("/health"), |request, n| request.header(&format!("x-{n}"), "a"));
        if let Ok(answer) = world.send(&many) {
            assert!(matches!(answer.status, 400 | 431), "{}", answer.status);
        }
        let long = Request::get(&format!("/health?{}", "a".repeat(200_000)));
        if let Ok(answer) = world.send(&long) {
            assert!(matches!(answer.status, 400 | 414 | 431), "{}", answer.status);
        }
        for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0", b"GET / HTTP/9.9\r\n\r\n",
            b"POST /v1/token_auth HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST /v1/token_auth HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"] {
            let mut connection = Connection::open(world.address())?;
            connection.write(bytes)?;
            drop(connection);
        }
        // Clients that never finish what they began do not keep others out.
        let mut idle = Vec::new();
        for _ in 0..200 {
            let mut connection = Connection::open(world.address())?;
            connection.write(b"POST /v1/workspaces HTTP/1.1\r\nhost: x\r\ncontent-le")?;
            idle.push(connection);
        }
        let watch = nt_token::clock::Stopwatch::start();
        assert_unharmed(world, &operator, &first)?;
        assert!(watch.elapsed() < Duration::from_secs(5));
        Ok(())
    });
}
