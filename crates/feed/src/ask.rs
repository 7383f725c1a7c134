//! Asking a node of the authority about one token, over HTTP, for what cannot bear a lease's delay or
//! must go on without a lease. Nothing is remembered.

use std::sync::Arc;
use std::time::Duration;

use nt_token::Secret;
use nt_verifier::{Answer, Ask, Asking, NotReady};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode};

use crate::client::{AuthorityUrl, Current, Identity, NoIdentity, Pem, Settings, Shows};

/// A whole question and its answer take at most this.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks `/v1/token_auth` of an authority, each time. Cheap to clone; connections are kept and shared.
///
/// Only what is certainly the authority's own answer counts: 200 with the token's `X-Auth-Jti`, and 401
/// with the challenge `invalid_token`. A token that is good, but not from here, is good: whoever asks knows
/// from where it is used, and looks at its networks. Anything else, also what a proxy on the way says, is
/// [`NotReady::NoAnswer`], and so is no answer within two seconds.
///
/// Of several nodes the one that is followed is asked, and the next where it gives no answer.
#[derive(Debug, Clone)]
pub struct HttpAsk {
    http: Http,
    urls: Arc<[String]>,
    current: Current,
}

/// What is asked with.
#[derive(Debug, Clone)]
enum Http {
    Same(Client),
    /// A client certificate is shown, which may be renewed on disk meanwhile.
    Shows(Arc<(Shows<Client>, Making)>),
}

/// What a client is made of.
#[derive(Debug, Clone)]
struct Making {
    trusted: Option<Vec<Certificate>>,
    within: Duration,
}

/// Why nobody can be asked.
#[derive(Debug, thiserror::Error)]
pub enum NoHttp {
    /// The machine's TLS cannot be set up.
    #[error("HTTP cannot be set up: {0}")]
    Tls(reqwest::Error),
    /// The client certificate.
    #[error(transparent)]
    Identity(#[from] NoIdentity),
}

impl HttpAsk {
    /// Asks this authority, whose certificate is checked by these (PEM), else by those that the system
    /// trusts.
    pub fn new(authority: &AuthorityUrl, ca: Option<&str>) -> Result<Self, NoHttp> {
        Self::any(std::slice::from_ref(authority), ca)
    }

    /// Asks an authority of several nodes. In the order of
    /// [`Settings::authority`](crate::client::Settings::authority) and
    /// [`Settings::others`](crate::client::Settings::others), the one that is followed is asked first.
    pub fn any(nodes: &[AuthorityUrl], ca: Option<&str>) -> Result<Self, NoHttp> {
        Self::showing(nodes, ca, None)
    }

    /// Asks the authority that these settings follow, as whom they make this verifier.
    pub fn of(settings: &Settings) -> Result<Self, NoHttp> {
        let mut nodes = vec![settings.authority.clone()];
        nodes.extend(settings.others.iter().cloned());
        Self::showing(&nodes, settings.ca.as_deref(), settings.identity.clone())
    }

    fn showing(
        nodes: &[AuthorityUrl],
        ca: Option<&str>,
        identity: Option<Identity>,
    ) -> Result<Self, NoHttp> {
        let trusted = ca.map(|pem| Certificate::from_pem_bundle(pem.as_bytes()));
        let making = Making {
            trusted: trusted.transpose().map_err(NoHttp::Tls)?,
            within: ANSWER_WITHIN / u32::try_from(nodes.len()).unwrap_or(u32::MAX).max(1),
        };
        let http = match identity {
            None => Http::Same(making.builder().build().map_err(NoHttp::Tls)?),
            Some(identity) => {
                let shows = Shows::new(identity);
                shows.now(|pem| making.client(pem))?;
                Http::Shows(Arc::new((shows, making)))
            }
        };
        let url = |node: &AuthorityUrl| {
            format!("{}/v1/token_auth", node.to_string().trim_end_matches('/'))
        };
        let urls = nodes.iter().map(url).collect();
        Ok(Self { http, urls, current: Current::default() })
    }

    /// To be told which node is followed.
    pub(crate) fn current(&self) -> Current {
        self.current.clone()
    }

    async fn ask_node(&self, url: &str, token: &str) -> Result<Answer, NotReady> {
        let client = self.http.client().map_err(|error| {
            tracing::debug!(%error, "the authority cannot be asked about a token");
            NotReady::NoAnswer
        })?;
        let sent = client.get(url).bearer_auth(token).send().await;
        let answer = sent.map_err(|error| {
            tracing::debug!(%error, "the authority was asked about a token, and gave no answer");
            NotReady::NoAnswer
        })?;
        read(answer.status(), answer.headers())
    }
}

impl Http {
    fn client(&self) -> Result<Client, NoIdentity> {
        match self {
            Self::Same(client) => Ok(client.clone()),
            Self::Shows(showing) => {
                let (shows, making) = showing.as_ref();
                shows.now(|pem| making.client(pem))
            }
        }
    }
}

impl Making {
    fn builder(&self) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(concat!("nt-feed/", env!("CARGO_PKG_VERSION")))
            // A token goes nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(self.within);
        match &self.trusted {
            None => builder,
            Some(trusted) => builder.tls_certs_only(trusted.clone()),
        }
    }

    /// That shows this identity. The library's reason why not may show what it read.
    fn client(&self, pem: &Pem) -> Option<Client> {
        let both = Secret::from(format!("{}\n{}", pem.certificate, pem.key.expose()));
        let shown = reqwest::Identity::from_pem(both.expose().as_bytes()).ok()?;
        self.builder().identity(shown).build().ok()
    }
}

impl Ask for HttpAsk {
    fn ask<'a>(&'a self, token: &'a str) -> Asking<'a> {
        Box::pin(async move {
            let (first, nodes) = (self.current.get(), self.urls.len());
            for node in (0..nodes).map(|ahead| (first + ahead) % nodes) {
                if let Ok(answer) = self.ask_node(&self.urls[node], token).await {
                    return Ok(answer);
                }
            }
            Err(NotReady::NoAnswer)
        })
    }
}

fn read(status: StatusCode, headers: &HeaderMap) -> Result<Answer, NotReady> {
    let challenge = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    match status {
        StatusCode::OK if headers.contains_key("x-auth-jti") => Ok(Answer::Good),
        StatusCode::FORBIDDEN if headers.get("x-auth-unmet").is_some_and(|it| it == "source") => {
            Ok(Answer::Good)
        }
        StatusCode::UNAUTHORIZED
            if challenge.is_some_and(|text| text.contains(r#"error="invalid_token""#)) =>
        {
            Ok(Answer::Refused)
        }
        _ => Err(NotReady::NoAnswer),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    type Reply = (u16, [(&'static str, &'static str); 1]);

    /// Says of each token what the token says.
    async fn door(sent: HeaderMap) -> (StatusCode, [(&'static str, &'static str); 1]) {
        let shown = sent.get("authorization").and_then(|shown| shown.to_str().ok());
        let (status, headers): Reply = match shown.unwrap_or_default() {
            "Bearer good" => (200, [("x-auth-jti", "jti_x")]),
            "Bearer bad" => {
                (401, [("www-authenticate", r#"Bearer realm="ntd", error="invalid_token""#)])
            }
            "Bearer elsewhere" => (403, [("x-auth-unmet", "source")]),
            "Bearer foreign" => (403, [("x-auth-unmet", "workspace")]),
            "Bearer some-page" => (200, [("server", "other")]),
            "Bearer some-login" => (401, [("www-authenticate", "Basic")]),
            "Bearer moved" => (307, [("location", "/elsewhere")]),
            "Bearer slow" => {
                tokio::time::sleep(2 * ANSWER_WITHIN).await;
                (200, [("x-auth-jti", "jti_x")])
            }
            _ => (503, [("retry-after", "1")]),
        };
        (StatusCode::from_u16(status).expect("a status"), headers)
    }

    #[tokio::test]
    async fn only_what_is_certainly_the_authoritys_answer_counts() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("bound"));
        let doors = Router::new()
            .route("/v1/token_auth", get(door))
            .route("/elsewhere", get(async || [("x-auth-jti", "jti_x")]));
        let server = tokio::spawn(async { axum::serve(listener, doors).await.expect("serves") });
        let ask = HttpAsk::new(&origin.parse().expect("an origin"), None).expect("a client");
        assert_eq!(ask.ask("good").await, Ok(Answer::Good));
        assert_eq!(ask.ask("elsewhere").await, Ok(Answer::Good));
        assert_eq!(ask.ask("bad").await, Ok(Answer::Refused));
        for unclear in
            ["foreign", "some-page", "some-login", "moved", "unavailable", "slow", "two\nlines"]
        {
            assert_eq!(ask.ask(unclear).await, Err(NotReady::NoAnswer), "{unclear}");
        }
        server.abort();
        let _aborted = server.await;
        assert_eq!(ask.ask("good").await, Err(NotReady::NoAnswer));
    }
}
