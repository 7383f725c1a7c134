//! The endpoints that standard OAuth clients know, from outside: what is said byte by byte. How real
//! clients fare is told in `libraries`.

mod libraries;
mod limits;
mod metadata;
mod nodes;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_testkit::operator::Issued;
use nt_testkit::world::Options;
use nt_testkit::{Cli, Request, Response, World};
use serde_json::{Value, json};

use crate::storage::files_below;
use crate::{MEMBER, OUTSIDER, OWNER, text_of};

const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";
const INACTIVE: &str = "{\"active\":false}";

/// An authority whose administrator is the owner, with a client that may do everything.
struct Told {
    world: World,
    admin: Cli,
    /// A workspace's first token.
    ours: Issued,
    /// That of another workspace.
    theirs: Issued,
}

impl Told {
    fn start() -> Result<Self> {
        let settings = Some(format!("admins = [\"{OWNER}\"]\n"));
        let world = World::with(Options { settings, ..Options::default() })?;
        let admin = world.signed_in(OWNER)?;
        let owner = world.operator(OWNER)?;
        let (ours, theirs) = (owner.create_workspace("ours")?, owner.create_workspace("theirs")?);
        Ok(Self { world, admin, ours, theirs })
    }

    /// Registers a client; its secret.
    fn register(&self, name: &str, may: &str, workspace: Option<&str>) -> Result<String> {
        let mut line = vec!["clients", "add", name, "--may", may];
        line.extend(workspace.map(|id| ["--workspace", id]).into_iter().flatten());
        Ok(self.admin.ok(&line)?.trim_end().to_owned())
    }

    fn ask(&self, endpoint: &str, client: (&str, &str), token: &str) -> Result<Response> {
        self.world.send(&as_client(form(endpoint, &format!("token={token}")), client))
    }
}

fn form(endpoint: &str, fields: &str) -> Request {
    let media_type = "application/x-www-form-urlencoded";
    Request::new("POST", endpoint).body(media_type, fields.as_bytes())
}

fn as_client(request: Request, (id, secret): (&str, &str)) -> Request {
    let credential = STANDARD.encode(format!("{id}:{secret}"));
    request.header("authorization", &format!("Basic {credential}"))
}

/// The status and the error of an answer, which has to be one of these endpoints' errors.
fn error(answer: &Response) -> (u16, String) {
    let body = answer.json();
    assert!(!text_of(&body, "error_description").is_empty(), "{body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{body}");
    (answer.status, text_of(&body, "error").to_owned())
}

fn told(story: impl FnOnce(&mut Told) -> Result<()>) {
    let mut told = Told::start().expect("an authority starts");
    story(&mut told).expect("the story holds");
}

#[test]
fn a_client_is_registered_listed_and_removed_by_an_administrator() {
    told(|told| {
        let secret = told.register("billing", "introspect,revoke", Some("ours"))?;
        let random = secret.strip_prefix("ntc_").unwrap_or_default().to_owned();
        assert_eq!(random.len(), 43, "32 bytes in base64url: {}", random.len());
        let added = told.admin.json(&["clients", "add", "gateway", "--may", "introspect"])?;
        assert_eq!((&added["client_id"], &added["workspace"]), (&json!("gateway"), &Value::Null));
        let list = told.admin.json(&["clients", "list"])?;
        assert_eq!(list["clients"][0]["client_id"], "billing");
        assert_eq!(list["clients"][0]["may"], json!(["introspect", "revoke"]));
        assert_eq!(list["clients"][0]["workspace"], told.ours.workspace);
        told.admin.run(&["clients", "add", "billing", "--may", "revoke"])?.expect_code(1)?;
        let nowhere = ["clients", "add", "x-1", "--may", "revoke", "-w", "nowhere"];
        told.admin.run(&nowhere)?.expect_code(5)?;
        let member = told.world.signed_in(MEMBER)?;
        for line in [
            ["clients", "add", "mine", "--may", "revoke"].as_slice(),
            &["clients", "list"],
            &["clients", "remove", "billing", "-f"],
        ] {
            member.run(line)?.expect_code(4)?;
        }

        told.world.stop_and_start()?;
        let client = ("billing", secret.as_str());
        let answer = told.ask(INTROSPECT, client, &told.ours.token)?;
        assert_eq!(answer.json()["active"], true, "also after a restart");
        told.admin.ok(&["clients", "remove", "billing", "-f"])?;
        let refused = told.ask(INTROSPECT, client, &told.ours.token)?;
        assert_eq!(error(&refused), (401, "invalid_client".to_owned()), "in the next request");
        told.admin.run(&["clients", "remove", "billing", "-f"])?.expect_code(5)?;

        let audit = told.admin.json(&["audit", "list"])?;
        let records = audit["records"].as_array().into_iter().flatten();
        let about: Vec<_> = records
            .filter(|record| text_of(record, "action").starts_with("client."))
            .map(|record| (text_of(record, "action"), text_of(record, "about")))
            .collect();
        let (added, removed) = ("client.added", "client.removed");
        assert_eq!(about, [(removed, "billing"), (added, "gateway"), (added, "billing")]);
        assert!(!told.world.log().contains(&random), "a secret is in the log");
        for file in files_below(&told.world.data_dir())? {
            let bytes = std::fs::read(&file)?;
            let found = bytes.windows(random.len()).any(|part| part == random.as_bytes());
            assert!(!found, "a secret is in {}", file.display());
        }
        Ok(())
    });
}

#[test]
fn who_asks_has_to_prove_it_and_is_told_so_in_the_words_of_oauth() {
    told(|told| {
        let secret = told.register("billing", "introspect", None)?;
        let (secret, token) = (secret.as_str(), told.ours.token.as_str());
        let body = format!("token={token}");
        for endpoint in [INTROSPECT, REVOKE] {
            let posted = |id: &str, secret: &str| {
                form(endpoint, &format!("{body}&client_id={id}&client_secret={secret}"))
            };
            for (what, request) in [
                ("nobody", form(endpoint, &body)),
                ("a public client", form(endpoint, &format!("{body}&client_id=billing"))),
                ("a wrong secret", as_client(form(endpoint, &body), ("billing", "ntc_wrong"))),
                ("a wrong name", as_client(form(endpoint, &body), ("gateway", secret))),
                ("no secret", as_client(form(endpoint, &body), ("billing", ""))),
                ("a wrong secret in the form", posted("billing", "ntc_wrong")),
                ("a wrong name in the form", posted("gateway", secret)),
            ] {
                let answer = told.world.send(&request)?;
                assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{what}");
                let challenge = answer.header("www-authenticate").unwrap_or_default();
                assert!(challenge.starts_with("Basic realm="), "{what}: {challenge}");
            }
            // Whoever has the token has it, and is nobody by that.
            let holder = told.world.send(&form(endpoint, &body).bearer(token))?;
            assert_eq!(error(&holder), (403, "insufficient_scope".to_owned()));
            let wrong = told.world.send(&form(endpoint, &body).bearer("nts_wrong"))?;
            assert_eq!(error(&wrong), (401, "invalid_token".to_owned()));
            let challenge = wrong.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer ") && challenge.contains("resource_metadata="));

            let client = ("billing", secret);
            let twice = format!("{body}&{body}");
            let hints = format!("{body}&token_type_hint=a&token_type_hint=b");
            for (what, request) in [
                ("a token twice", as_client(form(endpoint, &twice), client)),
                ("a hint twice", as_client(form(endpoint, &hints), client)),
                ("no token", as_client(form(endpoint, "token="), client)),
                ("two ways", as_client(posted("billing", secret), client)),
                ("JSON", as_client(Request::new("POST", endpoint).json(&json!({})), client)),
            ] {
                let answer = told.world.send(&request)?;
                assert_eq!(error(&answer), (400, "invalid_request".to_owned()), "{what}");
            }
            let large = format!("token={}", "x".repeat(70_000));
            let large = told.world.send(&as_client(form(endpoint, &large), client))?;
            assert_eq!(error(&large), (413, "invalid_request".to_owned()));
            let get = as_client(Request::get(&format!("{endpoint}?{body}")), client);
            assert_eq!(told.world.send(&get)?.status, 405);
        }
        let may_not = told.ask(REVOKE, ("billing", secret), token)?;
        assert_eq!(error(&may_not), (400, "unauthorized_client".to_owned()));
        assert_eq!(told.world.check(token)?.status, 200, "nothing of that revoked it");
        Ok(())
    });
}

#[test]
fn a_client_of_one_workspace_cannot_tell_anothers_tokens_apart() {
    told(|told| {
        let secret = told.register("billing", "introspect,revoke", Some("ours"))?;
        let client = ("billing", secret.as_str());
        let owner = told.world.operator(OWNER)?;
        let gone = owner.create_token(&told.theirs.workspace, &json!({}))?;
        owner.revoke(&gone.workspace, &gone.jti)?;
        let good = told.ask(INTROSPECT, client, &told.ours.token)?;
        assert_eq!(good.json()["sub"], told.ours.workspace);
        assert_eq!(good.header("cache-control"), Some("no-store"));
        let same = |endpoint: &str, tokens: &[&str]| -> Result<Response> {
            let mut answers = tokens.iter().map(|token| {
                let mut answer = told.ask(endpoint, client, token)?;
                answer.headers.retain(|(name, _)| name != "date" && name != "x-request-id");
                Ok::<_, anyhow::Error>(answer)
            });
            let first = answers.next().expect("some tokens")?;
            for answer in answers {
                assert_eq!(answer?, first, "status, headers and body");
            }
            Ok(first)
        };
        let never = "wst_e30.e30.e30";
        let none = same(INTROSPECT, &[&told.theirs.token, &gone.token, never, "opaque"])?;
        assert_eq!((none.status, none.text().as_str()), (200, INACTIVE));
        let refused = same(REVOKE, &[&told.theirs.token, &gone.token])?;
        assert_eq!(error(&refused), (400, "unauthorized_client".to_owned()));
        let outsider = told.world.operator(OUTSIDER)?;
        for token in [&told.theirs.token, &gone.token] {
            let request = form(REVOKE, &format!("token={token}")).bearer(&outsider.session);
            let refused = told.world.send(&request)?;
            assert_eq!(error(&refused), (400, "unauthorized_client".to_owned()));
        }
        assert_eq!(told.world.check(&told.theirs.token)?.status, 200);
        let revoked = told.ask(REVOKE, client, never)?;
        assert_eq!((revoked.status, revoked.body.as_slice()), (200, [].as_slice()));
        Ok(())
    });
}

#[test]
fn an_operator_asks_and_revokes_with_a_session() {
    told(|told| {
        let owner = told.world.operator(OWNER)?;
        let ask = |endpoint: &str| {
            let request = form(endpoint, &format!("token={}&token_type_hint=x", told.ours.token));
            told.world.send(&request.bearer(&owner.session))
        };
        assert_eq!(ask(INTROSPECT)?.json()["jti"], told.ours.jti);
        let revoked = ask(REVOKE)?;
        assert_eq!((revoked.status, revoked.text().as_str()), (200, ""));
        assert_eq!(told.world.check(&told.ours.token)?.status, 401);
        assert_eq!(ask(INTROSPECT)?.text(), INACTIVE);
        assert_eq!(ask(REVOKE)?.status, 200, "again is the same");
        Ok(())
    });
}
