//! A new token for an old one, in one step.

use nt_api::tokens::{CreateToken, OldToken, TokenRefreshed};
use nt_store::RefreshedToken;
use nt_token::{Jti, WorkspaceId};

use crate::authority::access::Action;
use crate::authority::error::{Answer, Refusal};
use crate::authority::issue::KEY_REUSED;
use crate::authority::{Authority, Caller, restrictions};

impl Authority {
    /// Issues a token and revokes the one that it replaces; both or neither. For callers that can
    /// store the answer safely: whoever loses it has lost both tokens, unless it repeats the request
    /// with the same idempotency key. The new token can do what the old one could, or less.
    pub async fn refresh(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        old: Jti,
        request: CreateToken,
        idempotency_key: Option<String>,
    ) -> Answer<TokenRefreshed> {
        let standing = self.permitted(caller, workspace, Action::Issue).await?;
        self.may_revoke(caller, &standing, &old).await?;
        let any = standing.allows(Action::Revoke);
        let right = standing.right(if any { Action::Revoke } else { Action::Issue });
        let kid = self.signing_kid().await?;
        let asked = request.clone();
        let mut new = self.new_token(workspace, right, kid, request, idempotency_key)?;
        let Some((replaced, _)) = self.store.token(workspace, &old).await? else {
            return Err(Refusal::NoToken(old).into());
        };
        restrictions::replace(&replaced, &mut new, &asked)?;
        self.demand_short(&new, &caller.operator().id)?;
        let mut act = self.act(caller);
        act.note = self.vouched(caller).await?;
        let now = act.at;
        let (new, old) = match self.store.refresh_token(old.clone(), new, act).await? {
            RefreshedToken::Refreshed { new, old } => (new, old),
            RefreshedToken::NotFound => return Err(Refusal::NoToken(old).into()),
            RefreshedToken::NotAllowed => return Err(Refusal::NotAllowed.into()),
            RefreshedToken::KeyReused => {
                return Err(Refusal::invalid("Idempotency-Key", KEY_REUSED).into());
            }
        };
        self.all_in_force().await?;
        let revoked_at = old.state.revoked_at().unwrap_or(now);
        let old_token = OldToken { jti: old.jti, revoked_at: revoked_at.into() };
        let mut new_token = self.created(&new).await?;
        "Token refreshed successfully".clone_into(&mut new_token.message);
        Ok(TokenRefreshed { new_token, old_token })
    }
}
