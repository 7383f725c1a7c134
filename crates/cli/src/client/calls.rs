//! The requests that there are: a method each.

mod clients;

use std::cell::OnceCell;

use nt_api::ErrorCode;
use nt_api::audit::AuditList;
use nt_api::auth::{AuthConfiguration, Session, SessionEnded, SessionInfo, TokenExchange};
use nt_api::health::Health;
use nt_api::members::{AddMember, ChangeMember, Member, MemberList, MemberRemoved, RoleName};
use nt_api::path;
use nt_api::receipts::TokenReceipt;
use nt_api::revocations::Revocation;
use nt_api::sessions::{SessionList, SessionsEnded};
use nt_api::tokens::{CreateToken, StatusFilter, Token, TokenCreated, TokenList, TokenRevoked};
use nt_api::verification::{EXPIRED, REVOKED, X_AUTH_JTI, X_AUTH_WORKSPACE};
use nt_api::verifiers::{AddVerifier, VerifierAdded, VerifierList, VerifierRemoved};
use nt_api::workspaces::{CreateWorkspace, WorkspaceCreated, WorkspaceDeleted, WorkspaceList};
use nt_token::jwk::Jwks;
use nt_token::{Jti, Secret, Timestamp, VerifierName, WorkspaceId};
use serde::de::DeserializeOwned;
use ureq::http::Method;

use super::failure::{ClientError, Failure, Refusal};
use super::{Call, Client, REVOKE_LIMIT};
use crate::renewal::{Need, Renewal};

/// How many tokens are asked for at once.
const PAGE: u32 = 500;

/// How many pages are read before a list counts as endless: a million tokens.
const MOST_PAGES: u32 = 2_000;

/// What `/v1/token_auth` says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is good, and this is the workspace that it is good for.
    Good(WorkspaceId),
    Expired,
    Revoked,
    Invalid,
}

/// Asks in the name of an operator.
#[derive(Debug)]
pub(crate) struct Operator<'a> {
    client: &'a Client,
    session: Secret,
    /// What for, as a refusal says it: `token revocation`.
    purpose: &'static str,
    /// How the session is renewed if the authority does not know it any more.
    renewal: Option<Renewal<'a>>,
    renewed: OnceCell<Secret>,
}

impl Client {
    pub(crate) fn configuration(&self) -> Result<AuthConfiguration, ClientError> {
        self.call(&Call::new(Method::GET, path::AUTH_CONFIGURATION))
    }

    /// Exchanges the identity provider's token for a session.
    pub(crate) fn exchange_token(
        &self,
        exchange: &TokenExchange,
        key: &str,
    ) -> Result<Session, ClientError> {
        let call = Call::new(Method::POST, path::TOKEN_EXCHANGE);
        self.call(&call.json(exchange)?.idempotency_key(key))
    }

    pub(crate) fn health(&self) -> Result<Health, ClientError> {
        self.call(&Call::new(Method::GET, path::HEALTH))
    }

    /// The keys with which the authority signs.
    pub(crate) fn jwks(&self) -> Result<Jwks, ClientError> {
        self.call(&Call::new(Method::GET, path::JWKS))
    }

    /// Asks whether a workspace token is good right now.
    pub(crate) fn verdict(&self, token: &Secret) -> Result<Verdict, ClientError> {
        let answer = self.send(&Call::new(Method::GET, path::TOKEN_AUTH).bearer(token))?;
        if answer.status == 200 {
            // An answer without the headers that name the token comes from something else.
            let named = answer.header(X_AUTH_JTI).is_some();
            let workspace = answer.header(X_AUTH_WORKSPACE).and_then(|id| id.parse().ok());
            let workspace = workspace.filter(|_| named);
            return workspace
                .map(Verdict::Good)
                .ok_or(Failure::NotUnderstood { status: answer.status }.into());
        }
        match answer.header("www-authenticate") {
            Some(challenge) if answer.status == 401 => Ok(if challenge.contains(REVOKED) {
                Verdict::Revoked
            } else if challenge.contains(EXPIRED) {
                Verdict::Expired
            } else {
                Verdict::Invalid
            }),
            _ => Err(ClientError::from_answer(answer.status, &answer.body)),
        }
    }

    pub(crate) fn operator(&self, session: Secret, purpose: &'static str) -> Operator<'_> {
        Operator { client: self, session, purpose, renewal: None, renewed: OnceCell::new() }
    }
}

impl<'a> Operator<'a> {
    /// The same one, who comes back with a renewed session when this one has ended.
    pub(crate) fn renewed_by(self, renewal: Renewal<'a>) -> Self {
        Self { renewal: Some(renewal), ..self }
    }
}

impl Operator<'_> {
    /// Calls, and once more if the session has ended and can be renewed.
    fn call_renewing<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ClientError> {
        use ErrorCode::{AuthenticationRequired, TokenExpired};
        let session = self.renewed.get().unwrap_or(&self.session);
        let answer = self.client.call(&call.clone().bearer(session));
        let Err(error) = answer else { return answer };
        let has_ended = matches!(error.refusal(), Some(AuthenticationRequired | TokenExpired));
        let (Some(renewal), true, None) = (&self.renewal, has_ended, self.renewed.get()) else {
            return Err(error);
        };
        let renewed = renewal.run(Need::Ended);
        match renewed.map_err(|e| ClientError::NotRenewed(Box::new(e)))? {
            Some(session) => {
                let session = self.renewed.get_or_init(|| session);
                self.client.call(&call.clone().bearer(session))
            }
            None => Err(error),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a call is made once")]
    fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ClientError> {
        self.call_renewing(&call).map_err(|error| match error {
            ClientError::Refused(Refusal { code, .. })
                if code == ErrorCode::ClerkAuthenticationRequired =>
            {
                let message = format!("Clerk authentication required for {}", self.purpose);
                Refusal { code, message }.into()
            }
            other => other,
        })
    }

    pub(crate) fn session(&self) -> Result<SessionInfo, ClientError> {
        self.call(Call::new(Method::GET, path::AUTH_SESSION))
    }

    pub(crate) fn end_session(&self) -> Result<SessionEnded, ClientError> {
        self.call(Call::new(Method::DELETE, path::AUTH_SESSION))
    }

    /// The operator's sessions.
    pub(crate) fn sessions(&self) -> Result<SessionList, ClientError> {
        self.call(Call::new(Method::GET, path::AUTH_SESSIONS))
    }

    /// Ends one of the operator's sessions.
    pub(crate) fn end_session_of(&self, id: &str) -> Result<SessionsEnded, ClientError> {
        let target = path::AUTH_SESSION_OF.replace("{session}", &encode(id));
        let ended = self.call(Call::new(Method::DELETE, target));
        ended.map_err(|error| name_missing(error, format!("Session '{id}' not found")))
    }

    /// Ends all of the operator's sessions but the one that asks.
    pub(crate) fn end_other_sessions(&self) -> Result<SessionsEnded, ClientError> {
        self.call(Call::new(Method::DELETE, path::AUTH_SESSIONS))
    }

    pub(crate) fn workspaces(&self) -> Result<WorkspaceList, ClientError> {
        self.call(Call::new(Method::GET, path::WORKSPACES))
    }

    pub(crate) fn create_workspace(
        &self,
        workspace: &CreateWorkspace,
        key: &str,
    ) -> Result<WorkspaceCreated, ClientError> {
        let call = Call::new(Method::POST, path::WORKSPACES);
        self.call(call.json(workspace)?.idempotency_key(key))
    }

    pub(crate) fn delete_workspace(
        &self,
        id: WorkspaceId,
        key: &str,
    ) -> Result<WorkspaceDeleted, ClientError> {
        self.call(Call::new(Method::DELETE, path::workspace(id)).idempotency_key(key))
    }

    /// Creates a token that is restricted as was asked, or none.
    pub(crate) fn create_token(
        &self,
        workspace: WorkspaceId,
        token: &CreateToken,
        key: &str,
    ) -> Result<TokenCreated, ClientError> {
        let call = Call::new(Method::POST, path::tokens(workspace));
        let created: TokenCreated = self.call(call.json(token)?.idempotency_key(key))?;
        if token.source_networks.is_empty() || !created.source_networks.is_empty() {
            return Ok(created);
        }
        // An older authority passes over what it does not know.
        let jti = &created.jti;
        let end = match self.revoke(workspace, jti, Some("not restricted to networks")) {
            Ok(_) => format!("its token {jti} was revoked"),
            Err(error) => format!("its token {jti} is not restricted and not revoked: {error}"),
        };
        let message = format!("This authority cannot restrict a token to networks; {end}");
        Err(Refusal { code: ErrorCode::InvalidRequest, message }.into())
    }

    /// All tokens of a workspace, page after page.
    pub(crate) fn tokens(
        &self,
        workspace: WorkspaceId,
        status: StatusFilter,
    ) -> Result<Vec<Token>, ClientError> {
        let status = if status == StatusFilter::All { "all" } else { "active" };
        let first = format!("{}?status={status}&limit={PAGE}", path::tokens(workspace));
        let mut tokens = Vec::new();
        let mut target = first.clone();
        for _ in 0..MOST_PAGES {
            let page: TokenList = self.call(Call::new(Method::GET, target))?;
            let more = !page.tokens.is_empty();
            tokens.extend(page.tokens);
            match page.next_cursor {
                Some(cursor) if more => target = format!("{first}&cursor={}", encode(&cursor)),
                _ => return Ok(tokens),
            }
        }
        Err(Failure::Endless.into())
    }

    pub(crate) fn token(&self, workspace: WorkspaceId, jti: &Jti) -> Result<Token, ClientError> {
        let found = self.call(Call::new(Method::GET, path::token(workspace, jti)));
        found.map_err(|error| name_token(error, jti))
    }

    pub(crate) fn revoke(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
        reason: Option<&str>,
    ) -> Result<TokenRevoked, ClientError> {
        let call = Call { limit: REVOKE_LIMIT, ..revocation(workspace, jti, reason) };
        self.call(call).map_err(|error| name_token(error, jti))
    }

    /// Revokes, and does not wait until it is in force.
    pub(crate) fn begin_to_revoke(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
        reason: Option<&str>,
    ) -> Result<TokenRevoked, ClientError> {
        let call = Call { wait: Some(0), ..revocation(workspace, jti, reason) };
        self.call(call).map_err(|error| name_token(error, jti))
    }

    /// How far a revocation is on its way into force.
    pub(crate) fn revocation(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<Revocation, ClientError> {
        let found = self.call(Call::new(Method::GET, path::revocation(workspace, jti)));
        found.map_err(|error| name_token(error, jti))
    }

    /// The receipt of a revoked token.
    pub(crate) fn receipt(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Result<TokenReceipt, ClientError> {
        let found = self.call(Call::new(Method::GET, path::receipt(workspace, jti)));
        found.map_err(|error| name_token(error, jti))
    }

    pub(crate) fn members(&self, workspace: WorkspaceId) -> Result<MemberList, ClientError> {
        self.call(Call::new(Method::GET, members(workspace)))
    }

    pub(crate) fn add_member(
        &self,
        workspace: WorkspaceId,
        member: &AddMember,
        key: &str,
    ) -> Result<Member, ClientError> {
        let call = Call::new(Method::POST, members(workspace)).json(member)?.idempotency_key(key);
        let whom = member.operator_id.as_ref().or(member.email.as_ref());
        self.call(call).map_err(|error| name_member(error, whom.map_or("", String::as_str)))
    }

    pub(crate) fn change_member(
        &self,
        workspace: WorkspaceId,
        whom: &str,
        role: RoleName,
        key: &str,
    ) -> Result<Member, ClientError> {
        let call = Call::new(Method::PATCH, member(workspace, whom));
        let call = call.json(&ChangeMember { role })?.idempotency_key(key);
        self.call(call).map_err(|error| name_member(error, whom))
    }

    pub(crate) fn remove_member(
        &self,
        workspace: WorkspaceId,
        whom: &str,
        revoke_their_tokens: bool,
        key: &str,
    ) -> Result<MemberRemoved, ClientError> {
        let query = if revoke_their_tokens { "?revoke_their_tokens=true" } else { "" };
        let target = format!("{}{query}", member(workspace, whom));
        let call = Call { limit: REVOKE_LIMIT, ..Call::new(Method::DELETE, target) };
        self.call(call.idempotency_key(key)).map_err(|error| name_member(error, whom))
    }

    /// Sent once: a repeated one would find the name taken, by its own first attempt.
    pub(crate) fn add_verifier(&self, name: &VerifierName) -> Result<VerifierAdded, ClientError> {
        let body = AddVerifier { name: name.to_string() };
        self.call(Call::new(Method::POST, path::VERIFIERS).json(&body)?)
    }

    pub(crate) fn verifiers(&self) -> Result<VerifierList, ClientError> {
        self.call(Call::new(Method::GET, path::VERIFIERS))
    }

    pub(crate) fn remove_verifier(
        &self,
        name: &VerifierName,
    ) -> Result<VerifierRemoved, ClientError> {
        let removed = self.call(Call::new(Method::DELETE, path::verifier(name)));
        removed.map_err(|error| match error {
            ClientError::Refused(Refusal { code: code @ ErrorCode::VerifierNotFound, .. }) => {
                Refusal { code, message: format!("Verifier '{name}' not found") }.into()
            }
            other => other,
        })
    }

    /// A page of the audit log.
    pub(crate) fn audit(
        &self,
        jti: Option<&Jti>,
        since: Option<Timestamp>,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<AuditList, ClientError> {
        let mut target = format!("{}?limit={limit}", path::AUDIT);
        if let Some(jti) = jti {
            target = format!("{target}&jti={jti}");
        }
        if let Some(since) = since {
            target = format!("{target}&since={}", encode(&since.to_string()));
        }
        if let Some(cursor) = cursor {
            target = format!("{target}&cursor={}", encode(cursor));
        }
        self.call(Call::new(Method::GET, target))
    }
}

fn revocation(workspace: WorkspaceId, jti: &Jti, reason: Option<&str>) -> Call<'static> {
    let target = path::token(workspace, jti);
    let query = reason.map(|reason| format!("?reason={}", encode(reason))).unwrap_or_default();
    Call::new(Method::DELETE, format!("{target}{query}"))
}

/// Says which token was not found.
fn name_token(error: ClientError, jti: &Jti) -> ClientError {
    match error {
        ClientError::Refused(Refusal { code: code @ ErrorCode::TokenNotFound, .. }) => {
            Refusal { code, message: format!("Token with JTI '{jti}' not found") }.into()
        }
        other => other,
    }
}

/// Says which member was not found.
fn name_member(error: ClientError, whom: &str) -> ClientError {
    name_missing(error, format!("Member '{whom}' not found"))
}

/// Says what was not found, where the authority does not name it.
fn name_missing(error: ClientError, message: String) -> ClientError {
    match error {
        ClientError::Refused(Refusal { code: code @ ErrorCode::NotFound, .. }) => {
            Refusal { code, message }.into()
        }
        other => other,
    }
}

fn members(workspace: WorkspaceId) -> String {
    path::MEMBERS.replace("{workspace}", &workspace.to_string())
}

fn member(workspace: WorkspaceId, whom: &str) -> String {
    format!("{}/{}", members(workspace), encode(whom))
}

/// Percent-encoding (RFC 3986, section 2.1) of all but unreserved characters.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn nothing_ends_a_query_early() {
        assert_eq!(encode("a&b=c#d e/é%\n"), "a%26b%3Dc%23d%20e%2F%C3%A9%25%0A");
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
    }
}
