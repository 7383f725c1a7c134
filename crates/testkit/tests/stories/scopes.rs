//! Tokens that may not do everything from everywhere: the real `ntcli` makes them, and the authority and
//! edges look at what they may be used for and at where they are used.

use std::net::SocketAddr;

use anyhow::Result;
use nt_testkit::http::once;
use nt_testkit::world::Options;
use nt_testkit::{Cli, Request, Response, World};
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::{OWNER, owner_with_workspace, story, text_of};

const DOOR: &str = "/v1/token_auth";
const FAR: &str = "203.0.113.9";

/// A token that `ntcli` makes.
struct Made {
    token: String,
    jti: String,
}

fn create(cli: &Cli, more: &[&str]) -> Result<Made> {
    let made = cli.json(&[&["token", "create"], more].concat())?;
    Ok(Made { token: text_of(&made, "token").to_owned(), jti: text_of(&made, "jti").to_owned() })
}

/// Asks a door about a token, as a proxy does that says for whom.
fn ask(at: SocketAddr, target: &str, token: &str, forwarded: Option<&str>) -> Result<Response> {
    let request = Request::get(target).bearer(token);
    let request = match forwarded {
        Some(from) => request.header("X-Forwarded-For", from),
        None => request,
    };
    once(at, &request)
}

fn is_elsewhere(answer: &Response) {
    let code = answer.error_code();
    assert_eq!((answer.status, code.as_deref()), (403, Some("INSUFFICIENT_PERMISSIONS")));
    assert_eq!(answer.header("x-auth-unmet"), Some("source"));
    assert_eq!(answer.header("www-authenticate"), None, "the token is good, and to be kept");
    let message = &answer.json()["error"]["message"];
    assert_eq!(message, "The access token may not be used from this address");
}

#[test]
fn a_restricted_token_is_let_in_from_inside_its_networks_alone_at_every_door() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let near = create(&cli, &["--scope", "read", "--source-network", "127.0.0.0/8"])?;
        let far = create(&cli, &["--source-network", "203.0.113.0/24,2001:db8::/32"])?;
        let unknowing = Edge::start(world, &[])?;
        let knowing = Edge::start(world, &["--trusted-proxy", "127.0.0.1/32"])?;
        for at in [world.address(), unknowing.address(), knowing.address()] {
            let good = ask(at, DOOR, &near.token, None)?;
            assert_eq!((good.status, good.header("x-auth-scope")), (200, Some("read")), "{at}");
            is_elsewhere(&ask(at, DOOR, &far.token, None)?);
            let lacking = ask(at, &format!("{DOOR}?scope=write"), &near.token, None)?;
            let told = "Bearer realm=\"ntd\", error=\"insufficient_scope\", scope=\"write\"";
            assert_eq!((lacking.status, lacking.header("www-authenticate")), (403, Some(told)));
        }
        // Whom nobody trusts says in vain that it comes from elsewhere.
        for at in [world.address(), unknowing.address()] {
            is_elsewhere(&ask(at, DOOR, &far.token, Some(FAR))?);
            assert_eq!(ask(at, DOOR, &near.token, Some(FAR))?.status, 200);
        }
        // A proxy that is trusted is believed, also where the authority, which sees the edge alone, is asked.
        for target in [DOOR.to_owned(), format!("{DOOR}?freshness=sync")] {
            let ask = |token, from| ask(knowing.address(), &target, token, Some(from));
            assert_eq!(ask(&far.token, FAR)?.status, 200, "{target}");
            assert_eq!(ask(&far.token, "2001:db8::7")?.status, 200, "{target}");
            for from in ["198.51.100.7", "203.0.113.9, 198.51.100.7", "nonsense"] {
                is_elsewhere(&ask(&far.token, from)?);
            }
            is_elsewhere(&ask(&near.token, FAR)?);
        }
        let lines = once(world.address(), &Request::get("/metrics"))?.text();
        assert!(!lines.contains("ntd_used_elsewhere_total 0"), "{lines}");

        // Revoked, it is so from everywhere.
        cli.ok(&["token", "revoke", &far.jti, "--force"])?;
        for at in [world.address(), unknowing.address(), knowing.address()] {
            for from in [None, Some(FAR)] {
                let answer = ask(at, DOOR, &far.token, from)?;
                assert_eq!(answer.status, 401, "{at} {from:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn an_authority_believes_the_proxies_that_its_settings_name() {
    let settings = Some("trusted_proxies = [\"127.0.0.1/32\"]\n".to_owned());
    let world = World::with(Options { settings, ..Options::default() }).expect("it starts");
    let tell = || -> Result<()> {
        let cli = owner_with_workspace(&world)?;
        let far = create(&cli, &["--source-network", "203.0.113.0/24"])?;
        let ask = |from| ask(world.address(), DOOR, &far.token, from);
        assert_eq!(ask(Some(FAR))?.status, 200);
        assert_eq!(ask(Some("198.51.100.7, 203.0.113.9"))?.status, 200);
        for from in [None, Some("198.51.100.7"), Some("203.0.113.9, 198.51.100.7")] {
            is_elsewhere(&ask(from)?);
        }
        let log = world.log();
        assert!(log.contains("a token was presented from outside its networks"), "{log}");
        assert!(log.contains(&far.jti) && !log.contains(&far.token), "{log}");
        Ok(())
    };
    tell().expect("the story holds");
}

#[test]
fn what_a_token_is_restricted_to_is_told_and_kept_when_it_is_replaced() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let wanted = ["--scope", "read,deploy:eu", "--source-network", "127.0.0.0/8"];
        let refresh = |more: &[&str]| cli.run(&[&["token", "refresh"], more].concat());
        // The first token of a workspace may read and write, and no more.
        let refused = refresh(&wanted)?.expect_code(2)?;
        assert!(refused.stderr.contains("may do no more than the current one"), "{refused:?}");
        let narrow = ["--scope", "read", "--source-network", "127.0.0.0/8"];
        refresh(&narrow)?.expect_code(0)?;
        refresh(&[])?.expect_code(0)?;
        let shown = cli.json(&["token", "show", "--verbose"])?;
        let kept = (&shown["scope"], &shown["source_networks"]);
        assert_eq!(kept, (&json!(["read"]), &json!(["127.0.0.0/8"])));
        let text = cli.ok(&["token", "show", "--verbose"])?;
        assert!(text.contains("\nScope:       read\nNetworks:    127.0.0.0/8\n"), "{text}");

        let made = create(&cli, &wanted)?;
        let listed = cli.json(&["token", "list"])?;
        let tokens = listed["tokens"].as_array().cloned().unwrap_or_default();
        let of = |jti: &str| tokens.iter().find(|token| token["jti"] == jti).cloned();
        let listed = of(&made.jti).unwrap_or_default();
        assert_eq!(listed["scope"], json!(["read", "deploy:eu"]));
        assert_eq!(listed["source_networks"], json!(["127.0.0.0/8"]));
        let wide = cli.ok(&["token", "list", "--wide"])?;
        assert!(wide.contains("read deploy:eu") && wide.contains("127.0.0.0/8"), "{wide}");

        // With nothing but the token, it is asked about and says the rest of itself.
        let machine = world.ntcli("machine")?.with_env("NTCLI_WORKSPACE_TOKEN", &made.token);
        let shown = machine.json(&["token", "show", "--verbose"])?;
        assert_eq!((&shown["status"], &shown["scope"]), (&json!("active"), &listed["scope"]));

        let operator = world.operator(OWNER)?;
        let form = format!("token={}", made.token);
        let request = Request::new("POST", "/oauth2/introspect")
            .bearer(&operator.session)
            .body("application/x-www-form-urlencoded", form.as_bytes());
        let told: Value = world.send(&request)?.json();
        let expected = (&json!(true), &json!("read deploy:eu"), &json!(["127.0.0.0/8"]));
        assert_eq!((&told["active"], &told["scope"], &told["source_networks"]), expected);
        Ok(())
    });
}
