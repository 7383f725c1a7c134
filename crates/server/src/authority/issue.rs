//! Issuing a token.

use nt_api::tokens::{CreateToken, TokenCreated};
use nt_store::{CreatedToken, NewToken, Right};
use nt_token::sign::sign;
use nt_token::{
    Expiry, InvalidExpiration, Jti, KeyId, Lifetime, Secret, Timestamp, TokenRecord, WorkspaceId,
};

use crate::authority::access::Action;
use crate::authority::entropy::{entry_id, random, sha256};
use crate::authority::error::{Answer, Refusal};
use crate::authority::restrictions::{network_names, networks, scope_names, scopes};
use crate::authority::{Authority, Caller, shown_text};

/// What a repeated request is told when it is not the same request.
pub(super) const KEY_REUSED: &str = "This Idempotency-Key was used for a different request";

impl Authority {
    /// Issues a token for a workspace.
    pub async fn issue(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        request: CreateToken,
        idempotency_key: Option<String>,
    ) -> Answer<TokenCreated> {
        let standing = self.permitted(caller, workspace, Action::Issue).await?;
        let right = standing.right(Action::Issue);
        let kid = self.signing_kid().await?;
        let new = self.new_token(workspace, right, kid, request, idempotency_key)?;
        self.demand_short(&new, &caller.operator().id)?;
        match self.store.create_token(new, self.act(caller)).await? {
            CreatedToken::New(record) | CreatedToken::Repeated(record) => {
                self.created(&record).await
            }
            CreatedToken::NoWorkspace => Err(Refusal::NoWorkspace.into()),
            CreatedToken::NotAllowed => Err(Refusal::NotAllowed.into()),
            CreatedToken::KeyReused => Err(Refusal::invalid("Idempotency-Key", KEY_REUSED).into()),
        }
    }

    /// What is to be kept of a token, from what was asked for.
    pub(super) fn new_token(
        &self,
        workspace: WorkspaceId,
        right: Right,
        kid: KeyId,
        request: CreateToken,
        idempotency_key: Option<String>,
    ) -> Answer<NewToken> {
        let digest = serde_json::to_vec(&request)
            .expect("a request that was read from JSON is written as JSON");
        let now = self.clock.now();
        Ok(NewToken {
            jti: Jti::mint(self.clock.wall_ms(), random()?),
            workspace,
            right,
            expiry: self.expiry(&request, now)?,
            scope: scopes(&request)?,
            source_networks: networks(&request)?,
            description: shown_text("description", request.description)?,
            kid,
            audience: self.expected.audience.clone(),
            idempotency_key,
            entry: entry_id()?,
            request_digest: sha256(&digest),
        })
    }

    fn expiry(&self, request: &CreateToken, now: Timestamp) -> Result<Expiry, Refusal> {
        let field = if request.expires_at.is_some() { "expires_at" } else { "expires_in" };
        let invalid = |e: InvalidExpiration| Refusal::invalid(field, e.to_string());
        let longest = self.policy.longest_token;
        let lifetime = match (request.expires_in, request.expires_at, request.no_expiry) {
            (None, None, true) => return Ok(Expiry::Never { claimed: now.plus(longest) }),
            (None, None, false) => Ok(Lifetime::YEAR.min(longest)),
            (Some(seconds), None, false) => Lifetime::from_seconds(seconds),
            (None, Some(at), false) => Lifetime::from_seconds(at.saturating_sub(now.unix())),
            _ => Err(InvalidExpiration),
        };
        let lifetime = lifetime.and_then(|lifetime| lifetime.at_most(longest)).map_err(invalid)?;
        Ok(Expiry::At(now.plus(lifetime)))
    }

    /// The answer to a token that the store has: its value is signed from the record, so that a
    /// repeated request gets the same one although nobody stored it (with ES256 spelt otherwise, for
    /// each of its signatures is another).
    pub(super) async fn created(&self, record: &TokenRecord) -> Answer<TokenCreated> {
        Ok(TokenCreated {
            access_token: self.value(record).await?,
            token_type: "Bearer".to_owned(),
            expires_in: record.expiry.shown().map(|at| at.unix() - record.created_at.unix()),
            expires_at: record.expiry.shown().map(Into::into),
            scope: scope_names(&record.scope),
            source_networks: network_names(&record.source_networks),
            jti: record.jti.clone(),
            workspace_id: record.workspace,
            message: "Token created".to_owned(),
        })
    }

    /// The token itself. Nothing is signed with a key that a verifier may not know yet: its holder
    /// would be refused there.
    pub(super) async fn value(&self, record: &TokenRecord) -> Answer<Secret> {
        let gone = || {
            let message = "The key that signs this token was revoked; ask with another";
            Refusal::invalid("Idempotency-Key", message)
        };
        let seq = self.keys.now().signing(&record.kid).ok_or_else(gone)?.seq;
        self.in_force(seq).await?;
        // It may have been revoked meanwhile.
        let keys = self.keys.now();
        let signer = keys.signing(&record.kid).ok_or_else(gone)?;
        Ok(sign(&record.claims(&self.expected.issuer), &signer.key))
    }
}
