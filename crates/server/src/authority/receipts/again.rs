//! Stating a revocation whose receipt is not there: a crash took it with it, or the node that revoked
//! has not written it down yet.

use nt_revocation::Position;
use nt_store::{Sharing, StoreError};
use nt_token::{Jti, Timestamp, TokenRecord, WorkspaceId};
use tokio::time::{sleep, timeout};

use crate::authority::error::Answer;
use crate::authority::{Authority, limits};

impl Authority {
    pub(super) async fn state_again(&self, token: &TokenRecord) -> Answer<String> {
        // A revocation that can be read may still be on its way into force. Once the writer has
        // answered this, which changes nothing, it has applied all that could be read before.
        self.store.keep_receipts(Vec::new()).await?;
        let position = self.first_revocation(token).await?;
        let is_on_its_way = *self.in_force_to().borrow() < position.seq;
        self.in_force(position.seq).await?;
        if self.store.sharing() == Sharing::WithOthers {
            return self.state_among_others(token, position).await;
        }
        // Whoever waits for it here as well knows as much of it as whoever revoked.
        let committed = self.commits.of(position.seq).filter(|_| is_on_its_way);
        self.signing_kid().await?;
        let receipt = match committed {
            Some(_) => self.receipt_now(token, position, committed),
            None => self.receipt_later(token, position),
        };
        Ok(receipt.ok_or(StoreError::Corrupt("no signing key"))?)
    }

    /// States what another node may state too: it knows more, and goes first. When it was committed is
    /// not known here, only when it was heard of. There is one receipt in the end: the one that is
    /// written down first is handed out.
    async fn state_among_others(&self, token: &TokenRecord, position: Position) -> Answer<String> {
        let (workspace, jti) = (token.workspace, &token.jti);
        let now = self.clock.now().unix();
        let since = token.state.revoked_at().map_or(0, Timestamp::unix);
        let may_come = now.saturating_sub(since) <= limits::RECEIPT_ELSEWHERE_FOR;
        if may_come
            && let Ok(receipt) =
                timeout(limits::RECEIPT_ELSEWHERE, self.receipt_from_elsewhere(workspace, jti))
                    .await
        {
            return receipt;
        }
        self.signing_kid().await?;
        let own = self.receipt_later(token, position);
        self.write_receipts().await;
        let receipt = self.kept_receipt(workspace, jti).await?.or(own);
        Ok(receipt.ok_or(StoreError::Corrupt("no signing key"))?)
    }

    async fn receipt_from_elsewhere(&self, workspace: WorkspaceId, jti: &Jti) -> Answer<String> {
        loop {
            if let Some(receipt) = self.kept_receipt(workspace, jti).await? {
                return Ok(receipt);
            }
            sleep(limits::RECEIPT_LOOK).await;
        }
    }
}
