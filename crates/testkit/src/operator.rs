//! An operator who speaks to the API directly: signs in at the development provider, step by step
//! as the OpenID Connect specification has it, and calls what operators may call.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::http::{self, Request, Response};

/// A revoke may wait for whoever is out of reach, and for a lock.
const PATIENCE: Duration = Duration::from_secs(40);

/// A signed-in operator.
#[derive(Debug, Clone)]
pub struct Operator {
    address: SocketAddr,
    /// How long an answer may take.
    patience: Duration,
    /// The session's secret.
    pub session: String,
}

/// A workspace token with what the authority said about it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its identifier.
    pub jti: String,
    /// Its workspace.
    pub workspace: String,
}

impl Operator {
    /// Signs in with the authorization-code flow and PKCE (RFC 7636).
    pub fn sign_in(address: SocketAddr, email: &str) -> Result<Self> {
        Self::exchange(address, &id_token(address, email)?)
    }

    /// Exchanges a proof of identity for a session.
    pub fn exchange(address: SocketAddr, proof: &str) -> Result<Self> {
        let exchange = Request::new("POST", "/api/v1/auth/token-exchange")
            .json(&json!({ "oauth_token": proof }));
        let answer = http::once(address, &exchange)?;
        ensure!(answer.status == 200, "token exchange: {} {}", answer.status, answer.text());
        Ok(Self::with_session(address, &text(&answer.json(), "access_token")?))
    }

    /// Somebody who has this credential.
    pub fn with_session(address: SocketAddr, session: &str) -> Self {
        Self { address, patience: PATIENCE, session: session.to_owned() }
    }

    /// The same one, who gives up on an answer after this.
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Calls the API, with a JSON body where there is one.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        let request = Request::new(method, path).bearer(&self.session);
        let request = if let Some(body) = body { request.json(body) } else { request };
        http::once_within(self.patience, self.address, &request)
    }

    /// Calls the API; the answer must have this status. Its body.
    pub fn expect(
        &self,
        status: u16,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let answer = self.call(method, path, body)?;
        let is = answer.status;
        ensure!(is == status, "{method} {path}: {is}, not {status}: {}", answer.text());
        Ok(answer.json())
    }

    /// Creates a workspace; its first token.
    pub fn create_workspace(&self, name: &str) -> Result<Issued> {
        let answer = self.call("POST", "/v1/workspaces", Some(&json!({ "name": name })))?;
        ensure!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.text());
        issued(&answer.json())
    }

    /// Creates a token with these wishes.
    pub fn create_token(&self, workspace: &str, wishes: &Value) -> Result<Issued> {
        let path = format!("/v1/workspaces/{workspace}/tokens");
        issued(&self.expect(201, "POST", &path, Some(wishes))?)
    }

    /// Revokes a token; the authority's answer.
    pub fn revoke(&self, workspace: &str, jti: &str) -> Result<Value> {
        self.expect(200, "DELETE", &format!("/v1/workspaces/{workspace}/tokens/{jti}"), None)
    }

    /// All tokens of a workspace.
    pub fn tokens(&self, workspace: &str, status: &str) -> Result<Vec<Value>> {
        let path = format!("/v1/workspaces/{workspace}/tokens?status={status}");
        let answer = self.expect(200, "GET", &path, None)?;
        answer["tokens"].as_array().cloned().context("a list of tokens")
    }
}

fn issued(answer: &Value) -> Result<Issued> {
    Ok(Issued {
        token: text(answer, "access_token")?,
        jti: text(answer, "jti")?,
        workspace: text(answer, "workspace_id")?,
    })
}

fn text(answer: &Value, name: &str) -> Result<String> {
    answer[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {answer}"))
}

/// What the development provider says about somebody who signs in.
pub fn id_token(address: SocketAddr, email: &str) -> Result<String> {
    const REDIRECT: &str = "http://127.0.0.1:41247/callback";
    const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-0123456789";
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(15)))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .build()
        .into();
    let fetch = |url: &str| -> Result<Value> {
        Ok(serde_json::from_str(&agent.get(url).call()?.body_mut().read_to_string()?)?)
    };
    let configuration = fetch(&format!("http://{address}/v1/auth/configuration"))?;
    let issuer = text(&configuration, "issuer")?;
    let client_id = text(&configuration, "client_id")?;
    let provider = fetch(&format!("{issuer}/.well-known/openid-configuration"))?;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
    let authorize = agent
        .get(text(&provider, "authorization_endpoint")?)
        .query_pairs([
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", REDIRECT),
            ("scope", "openid email profile"),
            ("state", "a-state"),
            ("nonce", "a-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", email),
        ])
        .call()?;
    let location = authorize.headers().get("location").context("the provider redirects")?;
    let location = location.to_str()?;
    let query = location.split_once('?').context("a redirect with a query")?.1;
    let code = query.split('&').find_map(|pair| pair.strip_prefix("code="));
    let code = code.with_context(|| format!("no code in {location}"))?;
    let mut token = agent.post(text(&provider, "token_endpoint")?).send_form([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("client_id", &client_id),
        ("code_verifier", VERIFIER),
    ])?;
    text(&serde_json::from_str(&token.body_mut().read_to_string()?)?, "id_token")
}
