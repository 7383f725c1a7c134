//! Showing what people and tokens did, and writing down what was counted.

use nt_api::audit::{AuditList, AuditRecord, DeniedToken, ListAudit};
use nt_store::{AuditQuery, Denial, StoreError, Visibility};
use nt_token::Jti;

use crate::authority::error::{Answer, Refusal};
use crate::authority::list::page_limit;
use crate::authority::{Authority, Caller, limits};

impl Authority {
    /// What the caller did, and what was done in the caller's workspaces.
    pub async fn audit(&self, caller: &Caller, query: ListAudit) -> Answer<AuditList> {
        let jti: Option<Jti> =
            query.jti.map(|jti| jti.parse().map_err(|_| Refusal::BadJti)).transpose()?;
        let since = query.since.map(|since| since.parse()).transpose();
        let since = since
            .map_err(|e: nt_token::time::InvalidTime| Refusal::invalid("since", e.to_string()))?;
        let before: Option<u64> =
            query.cursor.map(|cursor| cursor.parse()).transpose().map_err(|_| {
                Refusal::invalid("cursor", "'cursor' must be a page's 'next_cursor'")
            })?;
        let visible = self.visibility(caller);
        let denied = match before {
            None => {
                let (visible, jti) = (visible.clone(), jti.clone());
                self.store.denials(visible, jti, since, limits::DENIED_ITEMS).await?
            }
            Some(_) => Vec::new(),
        };
        let limit = page_limit(query.limit)?.unwrap_or(limits::AUDIT_ITEMS);
        let page = self.store.audit(AuditQuery { visible, jti, since, before, limit }).await?;
        let last = page.records.last().filter(|_| page.more);
        Ok(AuditList {
            next_cursor: last.map(|record| record.id.to_string()),
            records: page.records.into_iter().map(shown).collect(),
            denied: denied.into_iter().map(shown_denial).collect(),
        })
    }

    /// An administrator of the authority sees everything.
    fn visibility(&self, caller: &Caller) -> Visibility {
        if self.is_named_admin(caller) {
            return Visibility::Everything;
        }
        Visibility::Of(caller.operator().id.clone())
    }

    /// Writes down receipts, and the uses and the attempts with revoked tokens that were counted.
    /// Counts that cannot be written now are lost: they are for people, and must not fill the memory.
    pub async fn write_counts(&self) {
        self.write_receipts().await;
        let sessions = self.sessions.to_write();
        if !sessions.is_empty()
            && let Err(error) = self.store.touch_sessions(sessions).await
        {
            tracing::warn!(%error, "uses of sessions could not be written down");
        }
        let (uses, denials) = self.usage.take(self.clock.now());
        if uses.is_empty() && denials.is_empty() {
            return;
        }
        if let Err(error) = self.store.count(uses, denials).await {
            tracing::warn!(%error, "uses of tokens could not be written down");
        }
    }

    /// Whether the store has stopped by itself.
    pub async fn has_lost_its_store(&self) -> bool {
        matches!(self.store.head().await, Err(StoreError::Stopped))
    }

    /// Finishes what was accepted and closes the store.
    pub async fn close(&self) {
        self.write_counts().await;
        self.store.close().await;
    }
}

fn shown(record: nt_store::AuditRecord) -> AuditRecord {
    AuditRecord {
        id: record.id,
        at: record.act.at.into(),
        action: record.action.name().to_owned(),
        operator_id: record.act.operator,
        operator_email: record.email,
        from: record.act.from,
        workspace_id: record.workspace,
        jti: record.jti,
        about: record.about,
        reason: record.reason,
        note: record.act.note,
    }
}

fn shown_denial(denial: Denial) -> DeniedToken {
    DeniedToken {
        jti: denial.jti,
        workspace_id: denial.workspace,
        count: denial.count,
        first_at: denial.first_at.into(),
        last_at: denial.last_at.into(),
        last_from: denial.last_from,
    }
}
