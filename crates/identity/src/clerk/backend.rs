//! Clerk's Backend API: the one question that we ask it.

use std::time::Duration;

use nt_token::Secret;
use serde::Deserialize;

use super::session_token::is_session_id;
use crate::http_client::{HttpClient, Question, unusable};
use crate::provider::Unavailable;

/// How long it may take: a request waits for the answer.
const TOTAL: Duration = Duration::from_secs(2);

/// The longest answer, in bytes.
const LONGEST: usize = 64 * 1_024;

#[derive(Debug)]
pub(super) struct Backend {
    client: HttpClient,
    sessions: String,
    secret: Secret,
}

/// The members of a session that we act on.
#[derive(Deserialize)]
struct Session {
    id: String,
    status: String,
}

impl Backend {
    pub(super) fn new(client: HttpClient, api_url: &str, secret: Secret) -> Self {
        let sessions = format!("{}/v1/sessions", api_url.trim_end_matches('/'));
        Self { client, sessions, secret }
    }

    /// Whether the session is active. Every other status (`ended`, `expired`, `removed`, `replaced`,
    /// `revoked`, `abandoned`, `pending`) says that nobody acts in it.
    pub(super) async fn session_is_live(&self, sid: &str) -> Result<bool, Unavailable> {
        if !is_session_id(sid) {
            return Ok(false);
        }
        let url = format!("{}/{sid}", self.sessions);
        let question =
            Question { url: &url, bearer: Some(&self.secret), longest: LONGEST, total: TOTAL };
        let answer = self.client.ask(question).await?;
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
}
