//! Taking a token back: what everything else is for.

use std::time::Duration;

use nt_api::tokens::TokenRevoked;
use nt_revocation::Position;
use nt_store::{Act, RevokedToken};
use nt_token::{Jti, WorkspaceId};

use crate::authority::access::{Action, Standing};
use crate::authority::entropy::entry_id;
use crate::authority::error::{Answer, Refusal};
use crate::authority::receipts::Unstated;
use crate::authority::{Authority, Caller, shown_text};

/// A token to be revoked, by whoever may.
pub(super) struct Taking {
    pub(super) workspace: WorkspaceId,
    pub(super) jti: Jti,
    pub(super) reason: Option<String>,
    pub(super) act: Act,
    /// For how long it is waited at the most.
    pub(super) wait: Option<Duration>,
}

impl Authority {
    /// Revokes a token, for good.
    ///
    /// When this answers "revoked", the revocation is durable, applied to the set that every check here
    /// asks, and in force at every verifier: each has said so or has run out of lease. So no check that
    /// starts later accepts the token. Where `wait` is over before that, it answers "revoking".
    /// An entry is appended even when the token was revoked before, because the earlier revocation
    /// may still be on its way: "it stands in the database" is not yet "it is in force". Where there is a
    /// receipt it is in force, and that receipt is the answer, without waiting for anybody.
    pub async fn revoke(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        jti: Jti,
        reason: Option<String>,
        wait: Option<Duration>,
    ) -> Answer<TokenRevoked> {
        let reason = shown_text("reason", reason)?;
        let standing = self.standing(caller, workspace).await?;
        self.may_revoke(caller, &standing, &jti).await?;
        let mut act = self.act(caller);
        act.note = self.vouched(caller).await?;
        self.take_back(Taking { workspace, jti, reason, act, wait }).await
    }

    /// The same for whoever may do it: that was decided before.
    pub(super) async fn take_back(&self, taking: Taking) -> Answer<TokenRevoked> {
        let Taking { workspace, jti, reason, act, wait } = taking;
        let (now, operator) = (act.at, act.operator.clone());
        let entry = entry_id()?;
        let revoked = self.store.revoke_token(workspace, jti.clone(), entry, reason, act).await?;
        let RevokedToken::Revoked { token, seq, before } = revoked else {
            return Err(Refusal::NoToken(jti).into());
        };
        tracing::info!(
            token.jti = %jti, workspace.id = %workspace, operator.id = %operator,
            seq, already = before, "token revoked"
        );
        let position = Position { epoch: self.epochs.of(seq), seq, entry };
        if !before {
            self.measured.revocations.inc();
        }
        let committed = self.commits.of(seq);
        let first = if before { self.kept_receipt(workspace, &jti).await? } else { None };
        let in_force = first.is_some() || self.in_force_within(seq, wait).await?;
        let receipt = if let Some(receipt) = first {
            Some(receipt)
        } else if in_force {
            self.receipt_now(&token, position, committed)
        } else {
            self.receipts.later(Unstated { token: token.clone(), position, committed });
            // It may have come into force just now.
            self.state_what_is_in_force();
            None
        };
        let (status, message) = match (in_force, before) {
            (false, _) => ("revoking", "Token is being revoked; it is not refused everywhere yet"),
            (true, true) => ("revoked", "Token is already revoked"),
            (true, false) => ("revoked", "Token revoked successfully"),
        };
        let revoked_at = token.state.revoked_at().unwrap_or(now);
        Ok(TokenRevoked {
            workspace_id: workspace,
            token_jti: jti.clone(),
            status: status.to_owned(),
            revoked_at: revoked_at.into(),
            already_revoked: before,
            receipt,
            message: message.to_owned(),
            jti,
        })
    }

    /// Whether the caller may revoke this token: any, or where the role does not reach that far, one
    /// that the caller had issued.
    pub(super) async fn may_revoke(
        &self,
        caller: &Caller,
        standing: &Standing,
        jti: &Jti,
    ) -> Answer<()> {
        standing.demand(Action::RevokeOwn)?;
        if standing.allows(Action::Revoke) {
            return Ok(());
        }
        match self.store.token(standing.workspace.id, jti).await? {
            Some((token, _)) if token.created_by == caller.operator().id => Ok(()),
            Some(_) => Err(Refusal::NotAllowed.into()),
            None => Err(Refusal::NoToken(jti.clone()).into()),
        }
    }
}
