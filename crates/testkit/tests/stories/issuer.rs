//! A small issuer of OpenID Connect on loopback that does as it is told: for the jobs of a CI platform,
//! for providers that are slow or down, and to count who asks it what.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_token::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

/// How it answers for its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// With them.
    Given,
    /// With an error.
    Broken,
    /// Not at all: the question is read and nothing follows.
    Silent,
}

/// A running issuer. Its thread ends with the process.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// Its address, which is also its name.
    pub(crate) url: String,
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    url: String,
    key: EcdsaKeyPair,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    keys: Keys,
    asked: Vec<String>,
    nonces: HashMap<String, String>,
}

impl Issuer {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, nt_testkit::world::free_port()?))?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let state = State { keys: Keys::Given, asked: Vec::new(), nonces: HashMap::new() };
        let inside = Arc::new(Inside { url: url.clone(), key, state: Mutex::new(state) });
        let shared = Arc::clone(&inside);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inside = Arc::clone(&shared);
                // A connection that breaks concerns only its own client.
                std::thread::spawn(move || drop(inside.serve(stream)));
            }
        });
        Ok(Self { url, inside })
    }

    /// How it answers for its keys from now on.
    pub(crate) fn answer_for_keys(&self, keys: Keys) {
        self.inside.state().keys = keys;
    }

    /// The paths that it was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.inside.state().asked.clone()
    }

    /// Signs claims; `iss`, `iat` and `exp` are put in where they are not given.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String> {
        self.inside.sign(claims)
    }
}

impl Inside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sign(&self, claims: &Value) -> Result<String> {
        let now = SystemClock.now().unix();
        let mut all = json!({ "iss": self.url, "iat": now, "exp": now + 300 });
        let members = all.as_object_mut().context("an object")?;
        members.extend(claims.as_object().context("an object")?.clone());
        let header = json!({ "alg": "ES256", "kid": "k1", "typ": "JWT" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&all));
        let signature = self.key.sign(&SystemRandom::new(), input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn serve(&self, stream: TcpStream) -> Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let target = line.split(' ').nth(1).context("a request line")?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
        }
        let mut body = String::new();
        (&mut reader).take(length).read_to_string(&mut body)?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        self.state().asked.push(path.to_owned());
        let keys = self.state().keys;
        let (status, location, answer) = match path {
            "/.well-known/openid-configuration" => (200, None, self.discovery()),
            "/jwks" if keys == Keys::Given => (200, None, self.jwks()),
            "/jwks" if keys == Keys::Broken => (500, None, json!({})),
            "/jwks" => {
                // Held until whoever asks gives up.
                reader.read_to_string(&mut body)?;
                return Ok(());
            }
            "/authorize" => (302, Some(self.authorize(query)?), json!({})),
            "/token" => (200, None, self.tokens(&body)?),
            _ => (404, None, json!({})),
        };
        let location = location.map(|url| format!("location: {url}\r\n")).unwrap_or_default();
        let answer = answer.to_string();
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {location}content-length: {length}\r\n\r\n"
        );
        Ok(reader.get_mut().write_all(format!("{head}{answer}").as_bytes())?)
    }

    fn discovery(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        })
    }

    fn jwks(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k1", "use": "sig", "alg": "ES256",
        });
        json!({ "keys": [key] })
    }

    /// Lets everybody in, as the same person.
    fn authorize(&self, query: &str) -> Result<String> {
        let text = |name| field(query, name).with_context(|| format!("no {name}"));
        let mut state = self.state();
        let code = format!("code-{}", state.nonces.len());
        state.nonces.insert(code.clone(), text("nonce")?);
        let redirect = text("redirect_uri")?.replace("%3A", ":").replace("%2F", "/");
        Ok(format!("{redirect}?code={code}&state={}", text("state")?))
    }

    fn tokens(&self, form: &str) -> Result<Value> {
        let code = field(form, "code").context("no code")?;
        let nonce = self.state().nonces.remove(&code).context("an unknown code")?;
        let claims = json!({
            "aud": "ntcli", "sub": "ada", "nonce": nonce, "email": "ada@example.com",
            "email_verified": true,
        });
        let id_token = self.sign(&claims)?;
        Ok(json!({
            "id_token": id_token, "access_token": "a", "token_type": "Bearer", "expires_in": 60,
        }))
    }
}

fn field(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
