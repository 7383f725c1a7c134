//! The command-line client that the platform already publishes: its requests exactly as it sends
//! them, and the fields that it reads, with their JSON types. What it does not read may grow; what it
//! reads is listed here, and the lists are complete.

use anyhow::{Context as _, Result, ensure};
use nt_testkit::operator::id_token;
use nt_testkit::{Request, Response, World};
use nt_token::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::{OWNER, story, text_of};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Exactly this text.
    Is(&'static str),
    Text,
    TextOrNull,
    /// A time in UTC, in whole seconds: `2024-08-07T12:30:00Z`.
    Iso,
    IsoOrNull,
    /// A JSON number without a fraction.
    Number,
    NumberOrNull,
    Bool,
    Uuid,
    Jti,
    /// An array of texts.
    Texts,
    /// Looked at on its own.
    Nested,
}

use Kind::{
    Bool, Is, Iso, IsoOrNull, Jti, Nested, Number, NumberOrNull, Text, TextOrNull, Texts, Uuid,
};

impl Kind {
    fn holds(self, value: &Value) -> bool {
        let text = |matches: fn(&str) -> bool| value.as_str().is_some_and(matches);
        match self {
            Is(exactly) => value == exactly,
            Text => text(|text| !text.is_empty()),
            TextOrNull => value.is_null() || value.is_string(),
            Iso => text(is_iso),
            IsoOrNull => value.is_null() || text(is_iso),
            Number => value.is_i64() || value.is_u64(),
            NumberOrNull => value.is_null() || Number.holds(value),
            Bool => value.is_boolean(),
            Uuid => text(is_uuid),
            Jti => text(|text| text.starts_with("jti_")),
            Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Nested => true,
        }
    }
}

/// `2024-08-07T12:30:00Z`
fn is_iso(text: &str) -> bool {
    has_form(text, "0000-00-00T00:00:00Z", |byte| byte.is_ascii_digit())
}

/// Lower-case hexadecimal in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    has_form(text, "00000000-0000-0000-0000-000000000000", |byte| {
        byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
    })
}

fn has_form(text: &str, form: &str, is_digit: fn(u8) -> bool) -> bool {
    let fits = |(byte, model): (u8, u8)| if model == b'0' { is_digit(byte) } else { byte == model };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

/// Demands exactly these fields, each of its kind.
fn demand(value: &Value, fields: &[(&str, Kind)]) -> Result<()> {
    let object = value.as_object().with_context(|| format!("no object: {value}"))?;
    for (name, kind) in fields {
        let field = object.get(*name).with_context(|| format!("no '{name}' in {value}"))?;
        ensure!(kind.holds(field), "'{name}' is {field}, which is not {kind:?}");
    }
    let others = object.keys().find(|key| fields.iter().all(|(name, _)| name != key));
    ensure!(others.is_none(), "a field that is on no list: {others:?} in {value}");
    Ok(())
}

/// Demands an error with this status and code, about this field.
fn demand_error(answer: &Response, status: u16, code: &'static str, about: &str) -> Result<()> {
    let is = (answer.status, answer.error_code());
    ensure!(is == (status, Some(code.to_owned())), "{is:?}: {}", answer.text());
    demand(&answer.json(), &[("error", Nested)])?;
    let error = &answer.json()["error"];
    let fields = [("code", Is(code)), ("message", Text), ("details", Nested), ("request_id", Text)];
    demand(error, &fields)?;
    let details = if about.is_empty() { json!({}) } else { json!({ "field": about }) };
    ensure!(error["details"] == details, "details are {}", error["details"]);
    let named = answer.header("x-request-id") == error["request_id"].as_str();
    ensure!(named || answer.header("x-request-id").is_none(), "two request IDs");
    Ok(())
}

/// The client, with the headers that it sends with every request, whatever the method.
struct Client<'a> {
    world: &'a World,
    bearer: String,
}

impl Client<'_> {
    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        let mut request = Request::new(method, path).header("User-Agent", "ntcli/1.0.0");
        if !self.bearer.is_empty() {
            request = request.header("Authorization", &format!("Bearer {}", self.bearer));
        }
        // Its content type goes with GET and DELETE, too.
        let request = match body {
            Some(body) => request.json(body),
            None => request.header("Content-Type", "application/json"),
        };
        self.world.send(&request)
    }

    fn ok(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.send(method, path, body)?;
        let is = answer.status;
        ensure!(is == status, "{method} {path}: {is}, not {status}: {}", answer.text());
        ensure!(answer.header("content-type") == Some("application/json"), "{answer:?}");
        Ok(answer.json())
    }
}

/// Signs in as the client does: the provider's token in a field of the client's own naming, beside
/// another that we do not know.
fn signed_in<'a>(world: &'a World, email: &str) -> Result<Client<'a>> {
    let mut client = Client { world, bearer: String::new() };
    let body = json!({ "oauth_token": id_token(world.address(), email)?, "device": "laptop" });
    let session = client.ok(200, "POST", "/api/v1/auth/token-exchange", Some(&body))?;
    let fields = [
        ("access_token", Text),
        ("token_type", Is("Bearer")),
        ("expires_in", Number),
        ("user", Nested),
    ];
    demand(&session, &fields)?;
    demand(&session["user"], &[("id", Text), ("email", Text), ("name", Text)])?;
    ensure!(session["user"]["email"] == email, "{session}");
    text_of(&session, "access_token").clone_into(&mut client.bearer);
    Ok(client)
}

#[test]
fn the_published_clients_answers_have_exactly_the_fields_it_reads() {
    story(|world| {
        let client = signed_in(world, OWNER)?;
        let health = client.ok(200, "GET", "/health", None)?;
        let fields =
            [("status", Is("healthy")), ("service", Text), ("timestamp", Iso), ("version", Text)];
        demand(&health, &fields)?;

        let wishes = json!({ "name": "main", "description": "mine", "region": "eu" });
        let created = client.ok(201, "POST", "/v1/workspaces", Some(&wishes))?;
        let fields = [
            ("workspace_id", Uuid),
            ("workspace_name", Is("main")),
            ("namespace", Is("main")),
            ("created", Iso),
            ("created_at", Iso),
            ("status", Text),
            ("message", Text),
            ("access_token", Text),
            ("token_type", Is("Bearer")),
            ("expires_in", Number),
            ("scope", Texts),
            ("jti", Jti),
        ];
        demand(&created, &fields)?;
        let workspace = text_of(&created, "workspace_id");

        let list = client.ok(200, "GET", "/v1/workspaces", None)?;
        demand(&list, &[("workspaces", Nested), ("user_id", Text), ("total", Number)])?;
        let fields = [
            ("workspace_id", Uuid),
            ("workspace_name", Is("main")),
            ("description", Is("mine")),
            ("created", Iso),
            ("created_at", Iso),
            ("role", Is("owner")),
        ];
        demand(&list["workspaces"][0], &fields)?;
        let one = client.ok(200, "GET", &format!("/v1/workspaces/{workspace}"), None)?;
        assert_eq!(one, list["workspaces"][0]);

        let deleted = client.ok(200, "DELETE", &format!("/v1/workspaces/{workspace}"), None)?;
        assert_eq!(deleted["workspace_id"], *workspace);
        let check = client.world.check(text_of(&created, "access_token"))?;
        assert_eq!(check.status, 401);
        Ok(())
    });
}

#[test]
fn the_published_client_creates_lists_and_revokes() {
    story(|world| {
        let client = signed_in(world, OWNER)?;
        let created = client.ok(201, "POST", "/v1/workspaces", Some(&json!({ "name": "main" })))?;
        let tokens = format!("/v1/workspaces/{}/tokens", text_of(&created, "workspace_id"));
        let now = SystemClock.now().unix();
        for (wishes, lasts) in [
            (json!({ "expires_in": 3_600 }), Some(3_600)),
            (json!({ "expires_at": now + 7_200 }), Some(7_200)),
            (json!({}), Some(31_536_000)),
            (json!({ "no_expiry": true }), None),
            (json!({ "expires_in": 60, "label": "of a later version", "tags": [1] }), Some(60)),
        ] {
            let made = client.ok(201, "POST", &tokens, Some(&wishes))?;
            let fields = [
                ("access_token", Text),
                ("token_type", Is("Bearer")),
                ("expires_in", NumberOrNull),
                ("expires_at", IsoOrNull),
                ("scope", Texts),
                ("jti", Jti),
                ("workspace_id", Uuid),
                ("message", Text),
            ];
            demand(&made, &fields)?;
            assert!(text_of(&made, "access_token").starts_with("wst_"), "{made}");
            // A clock may tick between the request and its answer.
            let off = made["expires_in"].as_i64().zip(lasts).map(|(is, wanted)| wanted - is);
            assert!(matches!(off, None | Some(0..=5)), "{wishes}: {made}");
            assert_eq!(made["expires_in"].is_null(), lasts.is_none(), "{made}");
            assert_eq!(made["expires_at"].is_null(), lasts.is_none(), "{made}");
            assert_eq!(world.check(text_of(&made, "access_token"))?.status, 200);
        }

        let list = client.ok(200, "GET", &tokens, None)?;
        let fields = [
            ("workspace_id", Uuid),
            ("count", Number),
            ("tokens", Nested),
            ("next_cursor", TextOrNull),
        ];
        demand(&list, &fields)?;
        assert_eq!((&list["count"], &list["next_cursor"]), (&json!(6), &Value::Null));
        let of_list = list["tokens"].as_array().context("tokens")?.clone();
        for token in &of_list {
            demand(token, &RECORD)?;
        }

        let jti = text_of(&of_list[0], "jti");
        let path = format!("{tokens}/{jti}");
        let fields = [
            ("workspace_id", Uuid),
            ("jti", Jti),
            ("token_jti", Jti),
            ("status", Is("revoked")),
            ("revoked_at", Iso),
            ("already_revoked", Bool),
            ("message", Text),
            ("receipt", Text),
        ];
        let first = client.ok(200, "DELETE", &path, None)?;
        demand(&first, &fields)?;
        assert_eq!((&first["jti"], &first["already_revoked"]), (&json!(jti), &json!(false)));
        let again = client.ok(200, "DELETE", &path, None)?;
        demand(&again, &fields)?;
        assert_eq!(
            (&again["revoked_at"], &again["already_revoked"]),
            (&first["revoked_at"], &json!(true))
        );
        let revoked = client.ok(200, "GET", &format!("{tokens}?status=revoked"), None)?;
        demand(&revoked["tokens"][0], &RECORD)?;
        assert!(revoked["tokens"][0]["revoked_at"].is_i64(), "{revoked}");
        Ok(())
    });
}

/// A token's record in the list.
const RECORD: [(&str, Kind); 14] = [
    ("jti", Jti),
    ("created_at", Number),
    ("expires_at", NumberOrNull),
    ("revoked_at", NumberOrNull),
    ("status", Text),
    ("description", TextOrNull),
    ("scope", Texts),
    ("created_by", Text),
    ("last_used_at", NumberOrNull),
    // Ours, which the client does not know.
    ("source_networks", Texts),
    ("created_by_email", TextOrNull),
    ("last_used_from", TextOrNull),
    ("use_count", Number),
    ("revoked_reason", TextOrNull),
];

#[test]
fn the_published_client_refreshes_by_a_new_token_and_the_end_of_the_old() {
    story(|world| {
        let client = signed_in(world, OWNER)?;
        let old = client.ok(201, "POST", "/v1/workspaces", Some(&json!({ "name": "main" })))?;
        let tokens = format!("/v1/workspaces/{}/tokens", text_of(&old, "workspace_id"));
        let new = client.ok(201, "POST", &tokens, Some(&json!({ "expires_in": 86_400 })))?;
        client.ok(200, "DELETE", &format!("{tokens}/{}", text_of(&old, "jti")), None)?;
        assert_eq!(world.check(text_of(&old, "access_token"))?.status, 401);
        let good = world.check(text_of(&new, "access_token"))?;
        assert_eq!(good.status, 200);
        demand(&good.json(), &[("authenticated", Bool)])?;
        assert_eq!(good.json()["authenticated"], true);
        assert_eq!(good.header("x-auth-jti"), new["jti"].as_str());
        assert_eq!(good.header("x-auth-workspace"), new["workspace_id"].as_str());
        Ok(())
    });
}

#[test]
fn the_published_client_is_told_no_in_the_form_that_it_reads() {
    story(|world| {
        let client = signed_in(world, OWNER)?;
        let created = client.ok(201, "POST", "/v1/workspaces", Some(&json!({ "name": "main" })))?;
        let workspace = format!("/v1/workspaces/{}", text_of(&created, "workspace_id"));
        let tokens = format!("{workspace}/tokens");
        let missing = "/v1/workspaces/00000000-0000-4000-8000-000000000000/tokens";
        let taken = json!({ "name": "main" });
        let in_the_past = json!({ "expires_at": 1 });
        // JTIs stand in its paths as they are, whatever a person typed.
        for (method, path, body, (status, code, about)) in [
            ("DELETE", format!("{tokens}/jti_xyz"), None, (404, "TOKEN_NOT_FOUND", "")),
            ("DELETE", format!("{tokens}/not-a-jti"), None, (400, "INVALID_JTI", "jti")),
            ("DELETE", format!("{tokens}/jti_a:b"), None, (400, "INVALID_JTI", "jti")),
            ("GET", missing.to_owned(), None, (404, "WORKSPACE_NOT_FOUND", "")),
            (
                "GET",
                "/v1/workspaces/main/tokens".to_owned(),
                None,
                (404, "WORKSPACE_NOT_FOUND", ""),
            ),
            ("POST", "/v1/workspaces".to_owned(), Some(&taken), (409, "WORKSPACE_EXISTS", "")),
            ("POST", tokens.clone(), Some(&in_the_past), (400, "INVALID_REQUEST", "expires_at")),
        ] {
            let answer = client.send(method, &path, body)?;
            demand_error(&answer, status, code, about)
                .with_context(|| format!("{method} {path}"))?;
        }
        let exchange = "/api/v1/auth/token-exchange";
        let forged =
            client.send("POST", exchange, Some(&json!({ "oauth_token": "e30.e30.AA" })))?;
        demand_error(&forged, 401, "TOKEN_EXCHANGE_FAILED", "")?;
        for (bearer, status, code) in [
            (String::new(), 401, "AUTHENTICATION_REQUIRED"),
            ("nts_unknown".to_owned(), 401, "AUTHENTICATION_REQUIRED"),
            (text_of(&created, "access_token").to_owned(), 403, "CLERK_AUTHENTICATION_REQUIRED"),
        ] {
            let other = Client { world, bearer };
            let path = format!("{tokens}/{}", text_of(&created, "jti"));
            for (method, path) in [("GET", &tokens), ("DELETE", &path)] {
                demand_error(&other.send(method, path, None)?, status, code, "")?;
            }
        }
        assert_eq!(world.check(text_of(&created, "access_token"))?.status, 200);
        Ok(())
    });
}
