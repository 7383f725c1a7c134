//! An authority with an identity provider beside it, as small as the stories here allow. What is good is
//! counted: of sessions `nts_N` and refresh tokens `rt_N` the last one only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::authority::{Asked, Ruled, answer};
use crate::{Run, WORKSPACE};

/// The key of RFC 8037, appendix A.
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}]}"#;

/// How the provider answers to a refresh token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    /// With another one; the same a second time is refused.
    Rotates,
    Refuses,
    IsDown,
}

pub(crate) struct World {
    ruled: Ruled,
    state: Arc<Mutex<State>>,
}

struct State {
    provider: Provider,
    sessions: u32,
    created: BTreeMap<String, String>,
    live: BTreeSet<String>,
}

impl World {
    pub(crate) fn new(provider: Provider) -> Self {
        let (created, live) = (BTreeMap::new(), BTreeSet::new());
        let state = Arc::new(Mutex::new(State { provider, sessions: 0, created, live }));
        let shared = Arc::clone(&state);
        let ruled = Ruled::by(move |url, asked| lock(&shared).answer(url, asked));
        Self { ruled, state }
    }

    pub(crate) fn url(&self) -> &str {
        &self.ruled.url
    }

    /// What was asked since the last time, without queries.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.ruled.lines()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.ruled.asked()
    }

    /// The tokens that were created and not revoked.
    pub(crate) fn live(&self) -> BTreeSet<String> {
        lock(&self.state).live.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no rule has panicked")
}

impl State {
    fn answer(&mut self, url: &str, asked: &Asked) -> String {
        let made = self.sessions;
        let bearer = asked.header("authorization").unwrap_or_default();
        let is_live = bearer == format!("Bearer nts_{made}");
        let tokens = format!("/v1/workspaces/{WORKSPACE}/tokens");
        let (method, path) = asked.path().split_once(' ').expect("a method and a path");
        match (method, path) {
            ("GET", "/.well-known/openid-configuration") => ok(&format!(
                r#"{{"issuer":"{url}","authorization_endpoint":"{url}/authorize",
                "token_endpoint":"{url}/token","scopes_supported":["openid","offline_access"],
                "prompt_values_supported":["login","create"]}}"#
            )),
            ("GET", "/.well-known/jwks.json") => ok(KEYS),
            ("POST", "/token") => self.provide(asked),
            ("GET", "/v1/auth/configuration") => ok(&format!(
                r#"{{"issuer":"{url}","client_id":"cli","scopes":["openid"],"development":true}}"#
            )),
            ("POST", "/api/v1/auth/token-exchange") => self.exchange(asked),
            ("DELETE", "/v1/auth/session") => ok(r#"{"status":"ended"}"#),
            _ if !is_live => refused(401, "AUTHENTICATION_REQUIRED"),
            ("GET", "/v1/auth/session") => ok(r#"{"user":{"id":"op_a","email":"a@example.com",
                "name":null},"created_at":"2024-08-07T12:30:00Z",
                "expires_at":"2094-08-07T12:30:00Z"}"#),
            ("GET", "/v1/workspaces") => ok(r#"{"workspaces":[],"user_id":"op_a","total":0}"#),
            ("POST", path) if path == tokens => self.create(asked),
            (method, path) => match path.strip_prefix(&format!("{tokens}/")) {
                Some(jti) if method == "DELETE" => self.revoke(jti),
                Some(jti) => self.record(jti),
                None => refused(404, "NOT_FOUND"),
            },
        }
    }

    fn provide(&self, asked: &Asked) -> String {
        let (made, next) = (self.sessions, self.sessions + 1);
        let is_code = asked.body.contains("grant_type=authorization_code");
        let is_last = asked.body.contains(&format!("refresh_token=rt_{made}"));
        match self.provider {
            Provider::IsDown => answer(503, "", "later"),
            Provider::Rotates if is_code || is_last => {
                ok(&format!(r#"{{"id_token":"id_{next}","refresh_token":"rt_{next}"}}"#))
            }
            _ => answer(400, "", r#"{"error":"invalid_grant"}"#),
        }
    }

    fn exchange(&mut self, asked: &Asked) -> String {
        self.sessions += 1;
        let next = self.sessions;
        let is_proof = [format!("id_{next}"), "ci.job.token".to_owned()]
            .iter()
            .any(|proof| asked.body.starts_with(&format!(r#"{{"oauth_token":"{proof}""#)));
        assert!(is_proof, "{}", asked.body);
        ok(&format!(
            r#"{{"access_token":"nts_{next}","token_type":"Bearer","expires_in":1000,
            "user":{{"id":"op_a","email":"a@example.com","name":null}}}}"#
        ))
    }

    fn create(&mut self, asked: &Asked) -> String {
        let key = asked.header("idempotency-key").expect("a create has one").to_owned();
        let next = format!("jti_{}", self.created.len() + 1);
        let jti = self.created.entry(key).or_insert_with(|| {
            self.live.insert(next.clone());
            next
        });
        let token = token(jti);
        answer(
            201,
            "",
            &format!(
                r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":null,
                "expires_at":null,"scope":[],"jti":"{jti}","workspace_id":"{WORKSPACE}",
                "message":""}}"#
            ),
        )
    }

    fn revoke(&mut self, jti: &str) -> String {
        let already = !self.live.remove(jti);
        ok(&format!(
            r#"{{"workspace_id":"{WORKSPACE}","jti":"{jti}","token_jti":"{jti}","status":"revoked",
            "revoked_at":"2024-08-07T12:30:00Z","already_revoked":{already},"message":""}}"#
        ))
    }

    fn record(&self, jti: &str) -> String {
        let status = if self.live.contains(jti) { "active" } else { "revoked" };
        ok(&format!(
            r#"{{"jti":"{jti}","created_at":1,"expires_at":null,"revoked_at":null,
            "status":"{status}","description":null,"scope":[],"created_by":"op_a",
            "last_used_at":null}}"#
        ))
    }
}

/// The value of a token, in the form that tokens have.
pub(crate) fn token(jti: &str) -> String {
    let claims = format!(r#"{{"jti":"{jti}","sub":"{WORKSPACE}","iat":1,"exp":4000000000}}"#);
    format!("wst_e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn ok(body: &str) -> String {
    answer(200, "", body)
}

fn refused(status: u16, code: &str) -> String {
    answer(status, "", &format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#))
}

/// Runs a sign-in, with a browser that comes back at once. Returns the address that was shown, too.
pub(crate) fn sign_in(command: &mut Command) -> (String, Run) {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = piped.spawn().expect("the program starts");
    let (url, said) = shown_address(&mut running);
    let part = |name: &str| {
        let parts = url.split(['?', '&']);
        let mut values = parts.filter_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        values.next().expect("the request has it").to_owned()
    };
    let back = part("redirect_uri").replace("%3A", ":").replace("%2F", "/");
    let (host, path) = back.trim_start_matches("http://").split_once('/').expect("it has a path");
    let mut browser = TcpStream::connect(host).expect("the program listens");
    let request =
        format!("GET /{path}?code=c&state={} HTTP/1.1\r\nHost: {host}\r\n\r\n", part("state"));
    browser.write_all(request.as_bytes()).expect("the program reads");
    let mut page = Vec::new();
    browser.read_to_end(&mut page).expect("the program answers");
    let mut run = Run::from(running.wait_with_output().expect("it ends"));
    run.stderr.insert_str(0, &said);
    (url, run)
}

/// The address on standard error, and all that stands before it.
fn shown_address(running: &mut Child) -> (String, String) {
    let stderr = running.stderr.as_mut().expect("it is piped");
    let (mut said, mut byte) = (String::new(), [0]);
    // A byte at a time: what comes after the address is read at the end.
    loop {
        let read = stderr.read(&mut byte).expect("it can be read");
        assert_eq!(read, 1, "no address was shown: {said}");
        said.push(char::from(byte[0]));
        let last = said.strip_suffix('\n').and_then(|said| said.lines().last());
        if let Some(url) = last.filter(|line| line.starts_with("http")) {
            return (url.to_owned(), said.clone());
        }
    }
}
