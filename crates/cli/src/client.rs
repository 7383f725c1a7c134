//! Asking the authority: one request and its answer, within a time limit, repeated where that is
//! safe. Which requests there are is in [`calls`]; what an answer that is no answer means, in
//! [`failure`].

pub(crate) mod address;
mod agent;
pub(crate) mod calls;
pub(crate) mod failure;

use std::time::Duration;

use nt_token::Secret;
use nt_token::clock::Stopwatch;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request, header};

use crate::error::Error;
use crate::ui;
use address::Authority;
use failure::{ClientError, Failure};

pub(crate) use agent::agent;

/// How long a request may take, with all its repetitions.
const LIMIT: Duration = Duration::from_secs(10);
/// A revoke waits until the token is dead.
pub(crate) const REVOKE_LIMIT: Duration = Duration::from_secs(30);
/// The largest answer that is read: a page of 500 tokens takes less than a mebibyte.
const LARGEST_ANSWER: u64 = 16 * 1024 * 1024;
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Asks one authority.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    authority: Authority,
    tells: bool,
}

/// A request.
#[derive(Clone)]
struct Call<'a> {
    method: Method,
    target: String,
    bearer: Option<&'a Secret>,
    body: Option<Vec<u8>>,
    idempotency_key: Option<&'a str>,
    /// For how long the authority is to wait, in seconds.
    wait: Option<u32>,
    limit: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, target: impl Into<String>) -> Self {
        let target = target.into();
        let (bearer, body, idempotency_key, wait) = (None, None, None, None);
        Self { method, target, bearer, body, idempotency_key, wait, limit: LIMIT }
    }

    fn bearer(self, secret: &'a Secret) -> Self {
        Self { bearer: Some(secret), ..self }
    }

    fn json(self, body: &impl serde::Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(body).map_err(|e| Failure::Request(e.to_string()))?;
        Ok(Self { body: Some(body), ..self })
    }

    /// Makes a request that creates something safe to repeat.
    fn idempotency_key(self, key: &'a str) -> Self {
        Self { idempotency_key: Some(key), ..self }
    }

    fn is_repeatable(&self) -> bool {
        self.method != Method::POST || self.idempotency_key.is_some()
    }
}

/// What came back, whatever it says.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not used by `ntd`.
    fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    fn into_value<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(ClientError::from_answer(self.status, &self.body));
        }
        let read = serde_json::from_slice(&self.body);
        // The parser's text may quote the answer, and with it a secret.
        read.map_err(|_| Failure::NotUnderstood { status: self.status }.into())
    }
}

impl Client {
    pub(crate) fn new(authority: Authority, tells: bool) -> Self {
        let agent = agent(authority.is_encrypted(), authority.is_loopback());
        Self { agent, authority, tells }
    }

    /// Whether a developer wants to be told what happens.
    pub(crate) fn tells(&self) -> bool {
        self.tells
    }

    fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        self.send(call)?.into_value()
    }

    /// Sends a request, and again where the connection failed or the authority asks to come back
    /// later, if that is safe and there is time.
    fn send(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let running = Stopwatch::start();
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let left = call.limit.saturating_sub(running.elapsed());
            let outcome = self.send_once(call, left);
            let wait = match &outcome {
                Ok(answer) if matches!(answer.status, 429 | 503) => {
                    answer.retry_after().unwrap_or(pause)
                }
                Err(Failure::Unreachable { again: true, .. }) => pause,
                _ => return outcome,
            };
            let left = call.limit.saturating_sub(running.elapsed());
            if attempt == ATTEMPTS || !call.is_repeatable() || wait >= left {
                return outcome;
            }
            std::thread::sleep(wait);
            pause *= 2;
        }
        Err(Failure::Request("no attempt was made".to_owned()))
    }

    fn send_once(&self, call: &Call<'_>, limit: Duration) -> Result<Answer, Failure> {
        let running = Stopwatch::start();
        let outcome = self.exchange(call, limit);
        if self.tells {
            let outcome = match &outcome {
                Ok(answer) => answer.status.to_string(),
                Err(failure) => failure.to_string(),
            };
            let path = call.target.split('?').next().unwrap_or_default();
            let took = running.elapsed().as_millis();
            ui::debug(&format!("{} {path}: {outcome} ({took} ms)", call.method));
        }
        outcome
    }

    fn exchange(&self, call: &Call<'_>, limit: Duration) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.authority, call.target));
        if let Some(secret) = call.bearer {
            let bearer = format!("Bearer {}", secret.expose());
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(seconds) = call.wait {
            request = request.header("prefer", format!("wait={seconds}"));
        }
        let sent = if let Some(body) = &call.body {
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let request = request.body(body.as_slice()).map_err(Failure::request)?;
            self.agent.run(self.limited(request, limit))
        } else {
            let request = request.body(()).map_err(Failure::request)?;
            self.agent.run(self.limited(request, limit))
        };
        let unreachable = |e: ureq::Error| Failure::from_transport(&self.authority, &e);
        let (head, mut body) = sent.map_err(unreachable)?.into_parts();
        let body = body.with_config().limit(LARGEST_ANSWER).read_to_vec().map_err(unreachable)?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    fn limited<B: ureq::AsSendBody>(&self, request: Request<B>, limit: Duration) -> Request<B> {
        self.agent.configure_request(request).timeout_global(Some(limit)).build()
    }
}

/// A key that makes a request safe to repeat.
pub(crate) fn idempotency_key() -> Result<String, Error> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::failed("The system has no random numbers."))?;
    Ok(bytes.iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}")))
}
