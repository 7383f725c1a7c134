//! Asking a provider: bounded in time and length, and nowhere else than where it was meant to go.

use std::error::Error as _;
use std::time::Duration;

use nt_token::Secret;
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::redirect::Policy;

use crate::provider::{BadSettings, Unavailable};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a whole request may take, where nothing shorter is said.
pub(crate) const TOTAL: Duration = Duration::from_secs(5);

/// A client for HTTP. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient(reqwest::Client);

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `max-age` of `Cache-Control`, in seconds; 0 where it says not to keep the answer.
    pub(crate) max_age: Option<i64>,
    pub(crate) body: Vec<u8>,
}

/// What is asked, and how much of an answer is listened to.
pub(crate) struct Question<'a> {
    pub(crate) url: &'a str,
    pub(crate) bearer: Option<&'a Secret>,
    /// JSON to be posted; without any, the URL is got.
    pub(crate) json: Option<Vec<u8>>,
    pub(crate) longest: usize,
    pub(crate) total: Duration,
}

impl HttpClient {
    pub(crate) fn new() -> Result<Self, BadSettings> {
        reqwest::Client::builder()
            .user_agent(concat!("ntd/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .build()
            .map(Self)
            .map_err(|error| BadSettings::Client(error.to_string()))
    }

    /// The answer, whatever its status.
    pub(crate) async fn ask(&self, question: Question<'_>) -> Result<Answer, Unavailable> {
        let unreachable = |error| unreachable(question.url, error);
        let request = match question.json {
            None => self.0.get(question.url),
            Some(json) => {
                self.0.post(question.url).header(CONTENT_TYPE, "application/json").body(json)
            }
        };
        let mut request = request.header(ACCEPT, "application/json");
        if let Some(bearer) = question.bearer {
            request = request.bearer_auth(bearer.expose());
        }
        let request = request.timeout(question.total);
        let mut response = request.send().await.map_err(unreachable)?;
        let too_long = || unusable(question.url, "is too long");
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > question.longest) {
            return Err(too_long());
        }
        let status = response.status().as_u16();
        let header = response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let max_age = header.and_then(max_age);
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if body.len() + part.len() > question.longest {
                return Err(too_long());
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, max_age, body })
    }

    /// The answer, if its status is 200.
    pub(crate) async fn fetch(&self, url: &str, longest: usize) -> Result<Answer, Unavailable> {
        let answer =
            self.ask(Question { url, bearer: None, json: None, longest, total: TOTAL }).await?;
        match answer.status {
            200 => Ok(answer),
            status => Err(Unavailable::Status { url: url.to_owned(), status }),
        }
    }
}

/// An answer that cannot be used.
pub(crate) fn unusable(url: &str, what: &str) -> Unavailable {
    Unavailable::Answer { url: url.to_owned(), what: what.to_owned() }
}

/// The innermost reason is the one that says something ("connection refused").
fn unreachable(url: &str, error: reqwest::Error) -> Unavailable {
    let error = error.without_url();
    if error.is_timeout() {
        return Unavailable::Unreachable {
            url: url.to_owned(),
            reason: "it takes too long".into(),
        };
    }
    let mut reason = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        reason = error.to_string();
        inner = error.source();
    }
    Unavailable::Unreachable { url: url.to_owned(), reason }
}

/// RFC 9111, section 5.2.2.
fn max_age(cache_control: &str) -> Option<i64> {
    let mut directives = cache_control.split(',').map(|text| text.trim().to_ascii_lowercase());
    let mut age = None;
    directives
        .try_for_each(|directive| {
            if directive == "no-store" || directive == "no-cache" {
                return Err(());
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                age = seconds.trim_matches('"').parse::<u32>().ok();
            }
            Ok(())
        })
        .map_or(Some(0), |()| age.map(i64::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_read_from_cache_control() {
        for (text, age) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=\"600\", must-revalidate", Some(600)),
            ("public", None),
            ("", None),
            ("max-age=-1", None),
            ("max-age=99999999999", None),
            ("no-store, max-age=600", Some(0)),
            ("max-age=600, no-cache", Some(0)),
        ] {
            assert_eq!(max_age(text), age, "{text:?}");
        }
    }
}
