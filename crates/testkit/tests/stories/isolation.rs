//! Who may see and do what: strangers learn nothing, not even that there is something.

use nt_testkit::{Request, Response};
use serde_json::{Value, json};

use crate::{MEMBER, OUTSIDER, OWNER, owner_with_workspace, story, text_of};

const MISSING: &str = "00000000-0000-4000-8000-000000000000";

/// An answer without what differs from request to request.
fn without_request_id(answer: &Response) -> (u16, Value) {
    let mut body = answer.json();
    if let Some(error) = body["error"].as_object_mut() {
        error.remove("request_id");
    }
    (answer.status, body)
}

#[test]
fn anothers_workspace_looks_exactly_like_none() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let first = owner.create_workspace("main")?;
        for stranger in [MEMBER, OUTSIDER] {
            let stranger = world.operator(stranger)?;
            let calls = [
                ("GET", "", None),
                ("PATCH", "", Some(json!({ "description": "mine now" }))),
                ("DELETE", "", None),
                ("GET", "/tokens", None),
                ("POST", "/tokens", Some(json!({}))),
                ("GET", &format!("/tokens/{}", first.jti), None),
                ("DELETE", &format!("/tokens/{}", first.jti), None),
                ("POST", &format!("/tokens/{}/refresh", first.jti), Some(json!({}))),
            ];
            for (method, rest, body) in calls {
                let ask = |workspace: &str| {
                    let path = format!("/v1/workspaces/{workspace}{rest}");
                    stranger.call(method, &path, body.as_ref())
                };
                let (theirs, none) = (ask(&first.workspace)?, ask(MISSING)?);
                assert_eq!(
                    theirs.error_code().as_deref(),
                    Some("WORKSPACE_NOT_FOUND"),
                    "{method} {rest}"
                );
                assert_eq!(theirs.status, 404, "{method} {rest}");
                assert_eq!(
                    without_request_id(&theirs),
                    without_request_id(&none),
                    "{method} {rest}"
                );
            }
            let list = stranger.expect(200, "GET", "/v1/workspaces", None)?;
            assert_eq!((&list["total"], &list["workspaces"]), (&json!(0), &json!([])));
            let audit =
                stranger.expect(200, "GET", &format!("/v1/audit?jti={}", first.jti), None)?;
            assert_eq!((&audit["records"], &audit["denied"]), (&json!([]), &json!([])));
            let all = stranger.expect(200, "GET", "/v1/audit", None)?;
            assert!(!all.to_string().contains(&first.workspace), "{all}");
        }
        assert_eq!(world.check(&first.token)?.status, 200, "nothing was revoked");
        assert_eq!(owner.tokens(&first.workspace, "all")?.len(), 1, "nothing was created");
        Ok(())
    });
}

#[test]
fn a_token_of_one_workspace_cannot_be_revoked_through_another() {
    story(|world| {
        let (owner, member) = (world.operator(OWNER)?, world.operator(MEMBER)?);
        let theirs = owner.create_workspace("main")?;
        let mine = member.create_workspace("main")?;
        let path = format!("/v1/workspaces/{}/tokens/{}", mine.workspace, theirs.jti);
        for method in ["GET", "DELETE"] {
            let answer = member.call(method, &path, None)?;
            assert_eq!(
                (answer.status, answer.error_code().as_deref()),
                (404, Some("TOKEN_NOT_FOUND"))
            );
        }
        let missing = path.replace(&theirs.jti, "jti_0000");
        let (theirs_answer, none) =
            (member.call("GET", &path, None)?, member.call("GET", &missing, None)?);
        let scrub = |answer: &Response, jti: &str| {
            without_request_id(answer).1.to_string().replace(jti, "JTI")
        };
        assert_eq!(scrub(&theirs_answer, &theirs.jti), scrub(&none, "jti_0000"));
        assert_eq!(world.check(&theirs.token)?.status, 200);
        Ok(())
    });
}

#[test]
fn a_workspace_token_does_no_operators_work() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let first = owner.create_workspace("main")?;
        let base = format!("/v1/workspaces/{}", first.workspace);
        let calls = [
            ("POST", "/v1/workspaces".to_owned(), Some(json!({ "name": "more" }))),
            ("GET", "/v1/workspaces".to_owned(), None),
            ("GET", base.clone(), None),
            ("PATCH", base.clone(), Some(json!({ "description": null }))),
            ("DELETE", base.clone(), None),
            ("GET", format!("{base}/tokens"), None),
            ("POST", format!("{base}/tokens"), Some(json!({}))),
            ("GET", format!("{base}/tokens/{}", first.jti), None),
            ("DELETE", format!("{base}/tokens/{}", first.jti), None),
            ("POST", format!("{base}/tokens/{}/refresh", first.jti), Some(json!({}))),
            ("GET", "/v1/audit".to_owned(), None),
            ("GET", "/v1/auth/session".to_owned(), None),
            ("DELETE", "/v1/auth/session".to_owned(), None),
        ];
        let unprefixed = first.token.trim_start_matches("wst_");
        for (method, path, body) in &calls {
            for token in [first.token.as_str(), unprefixed] {
                let request = Request::new(method, path).bearer(token);
                let request = match body {
                    Some(body) => request.json(body),
                    None => request,
                };
                let answer = world.send(&request)?;
                let got = (answer.status, answer.error_code());
                let wanted = (403, Some("CLERK_AUTHENTICATION_REQUIRED".to_owned()));
                assert_eq!(got, wanted, "{method} {path}");
            }
            let nobody = world.send(&Request::new(method, path))?;
            assert_eq!(nobody.status, 401, "{method} {path}");
            let challenge = nobody.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer"), "{method} {path}: {challenge}");
            let bad = world.send(&Request::new(method, path).bearer("nts_nonsense"))?;
            assert_eq!(bad.status, 401, "{method} {path}");
        }
        assert_eq!(world.check(&first.token)?.status, 200);
        assert_eq!(owner.tokens(&first.workspace, "all")?.len(), 1);
        Ok(())
    });
}

#[test]
fn deleting_a_workspace_kills_its_tokens_at_once_and_for_good() {
    story(|world| {
        let owner = world.operator(OWNER)?;
        let first = owner.create_workspace("doomed")?;
        let other = owner.create_workspace("other")?;
        let mut tokens = vec![first.token.clone()];
        for _ in 0..5 {
            tokens.push(owner.create_token(&first.workspace, &json!({}))?.token);
        }
        for token in &tokens {
            assert_eq!(world.check(token)?.status, 200);
        }
        owner.expect(200, "DELETE", &format!("/v1/workspaces/{}", first.workspace), None)?;
        for _ in 0..2 {
            for token in &tokens {
                assert_eq!(world.check(token)?.status, 401);
            }
            assert_eq!(world.check(&other.token)?.status, 200);
            world.kill9()?;
            world.restart()?;
        }
        let again = owner.create_workspace("doomed")?;
        assert_ne!(again.workspace, first.workspace);
        assert_eq!(world.check(&again.token)?.status, 200);
        assert_eq!(world.check(&tokens[0])?.status, 401);
        Ok(())
    });
}

#[test]
fn the_command_line_shows_strangers_nothing_either() {
    story(|world| {
        let owner = owner_with_workspace(world)?;
        let list = owner.json(&["token", "list"])?;
        let jti = text_of(&list, "current_token_jti").to_owned();
        let shown = owner.json(&["token", "show"])?;
        let workspace = text_of(&shown, "workspace_id").to_owned();
        let outsider = world.signed_in(OUTSIDER)?;
        for args in [
            &["token", "list", "-w", &workspace][..],
            &["token", "revoke", &jti, "--force", "-w", &workspace],
            &["token", "create", "-w", &workspace],
            &["token", "list", "-w", "main"],
            &["workspace", "delete", &workspace, "--force"],
            &["workspace", "switch", "main"],
        ] {
            outsider.run(args)?.expect_code(5)?;
        }
        assert_eq!(owner.json(&["token", "list"])?["total_active"], 1);
        Ok(())
    });
}
