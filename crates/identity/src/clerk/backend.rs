//! Clerk's Backend API: the two questions that we ask it.

use std::time::Duration;

use nt_token::Secret;
use serde::Deserialize;

use super::session_token::is_session_id;
use crate::http_client::{Answer, HttpClient, Question, unusable};
use crate::provider::Unavailable;

/// How long it may take: a request waits for the answer.
const TOTAL: Duration = Duration::from_secs(2);

/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1_024;

#[derive(Debug)]
pub(super) struct Backend {
    client: HttpClient,
    api: String,
    secret: Secret,
}

/// The members of an OAuth access token that we act on.
#[derive(Deserialize)]
struct AccessToken {
    client_id: String,
    subject: String,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    expired: bool,
}

/// The members of a session that we act on.
#[derive(Deserialize)]
struct Session {
    id: String,
    status: String,
}

impl Backend {
    pub(super) fn new(client: HttpClient, api_url: &str, secret: Secret) -> Self {
        Self { client, api: format!("{}/v1", api_url.trim_end_matches('/')), secret }
    }

    /// Whether the session is active. Every other status (`ended`, `expired`, `removed`, `replaced`,
    /// `revoked`, `abandoned`, `pending`) says that nobody acts in it.
    pub(super) async fn session_is_live(&self, sid: &str) -> Result<bool, Unavailable> {
        if !is_session_id(sid) {
            return Ok(false);
        }
        let url = format!("{}/sessions/{sid}", self.api);
        let answer = self.ask(&url, None).await?;
        match answer.status {
            200 => {
                let session: Session = serde_json::from_slice(&answer.body)
                    .map_err(|_| unusable(&url, "is no session"))?;
                if session.id != sid {
                    return Err(unusable(&url, "is another session"));
                }
                Ok(session.status == "active")
            }
            404 => Ok(false),
            status => Err(Unavailable::Status { url, status }),
        }
    }

    /// Whose access token this is, if it is a good one that was given to this client.
    pub(super) async fn subject_of(
        &self,
        access_token: &str,
        client_id: &str,
    ) -> Result<Option<String>, Unavailable> {
        let url = format!("{}/oauth_applications/access_tokens/verify", self.api);
        let body = serde_json::json!({ "access_token": access_token }).to_string().into_bytes();
        let answer = self.ask(&url, Some(body)).await?;
        match answer.status {
            200 => {
                let token: AccessToken = serde_json::from_slice(&answer.body)
                    .map_err(|_| unusable(&url, "is no access token"))?;
                let good = token.client_id == client_id && !token.revoked && !token.expired;
                Ok(good.then_some(token.subject))
            }
            400 | 404 | 422 => Ok(None),
            status => Err(Unavailable::Status { url, status }),
        }
    }

    async fn ask(&self, url: &str, json: Option<Vec<u8>>) -> Result<Answer, Unavailable> {
        let bearer = Some(&self.secret);
        self.client.ask(Question { url, bearer, json, longest: LONGEST, total: TOTAL }).await
    }
}
