//! The audit log, and the counts of uses and denials.

use std::cmp::Reverse;

use nt_token::record::TokenUse;
use nt_token::{Jti, KeyId, Timestamp, VerifierName, WorkspaceId};

use super::state::State;
use crate::audit::{Act, Action, AuditPage, AuditQuery, AuditRecord, Denial, Visibility, about};
use crate::client::Client;
use crate::record::{Person, Role, UseDelta};

impl State {
    pub(super) fn record(
        &mut self,
        act: &Act,
        action: Action,
        workspace: Option<WorkspaceId>,
        jti: Option<&Jti>,
        reason: Option<&str>,
    ) {
        self.audit.push(AuditRecord {
            id: self.audit.len() as u64 + 1,
            act: act.clone(),
            email: None,
            action,
            workspace,
            jti: jti.cloned(),
            about: None,
            reason: reason.map(str::to_owned),
        });
    }

    /// A record about a verifier.
    pub(super) fn record_verifier(&mut self, act: &Act, action: Action, name: &VerifierName) {
        self.record(act, action, None, None, None);
        if let Some(record) = self.audit.last_mut() {
            record.about = Some(name.as_str().to_owned());
        }
    }

    /// A record about a client.
    pub(super) fn record_client(
        &mut self,
        act: &Act,
        action: Action,
        client: &Client,
        reason: Option<&str>,
    ) {
        self.record(act, action, client.workspace, None, reason);
        if let Some(record) = self.audit.last_mut() {
            record.about = Some(client.name.as_str().to_owned());
        }
    }

    /// A record about a signing key.
    pub(super) fn record_key(&mut self, act: &Act, action: Action, kid: &KeyId) {
        self.record(act, action, None, None, None);
        if let Some(record) = self.audit.last_mut() {
            record.about = Some(kid.as_str().to_owned());
        }
    }

    /// A record about somebody who belongs to a workspace.
    pub(super) fn record_member(
        &mut self,
        act: &Act,
        action: Action,
        workspace: WorkspaceId,
        person: &Person,
        role: Role,
    ) {
        self.audit.push(AuditRecord {
            id: self.audit.len() as u64 + 1,
            act: act.clone(),
            email: None,
            action,
            workspace: Some(workspace),
            jti: None,
            about: Some(about(person).to_owned()),
            reason: Some(role.name().to_owned()),
        });
    }

    pub(super) fn audit_page(&self, query: &AuditQuery) -> AuditPage {
        let mut records: Vec<_> = self
            .audit
            .iter()
            .rev()
            .filter(|record| match &query.visible {
                Visibility::Everything => true,
                Visibility::Of(operator) => {
                    record.act.operator == *operator
                        || record.workspace.is_some_and(|id| self.was_member(id, operator))
                }
            })
            .filter(|record| query.jti.is_none() || record.jti == query.jti)
            .filter(|record| query.since.is_none_or(|since| record.act.at >= since))
            .filter(|record| query.before.is_none_or(|before| record.id < before))
            .map(|record| AuditRecord { email: self.email(&record.act.operator), ..record.clone() })
            .collect();
        let more = records.len() > query.limit as usize;
        records.truncate(query.limit as usize);
        AuditPage { records, more }
    }

    pub(super) fn denials(
        &self,
        visible: &Visibility,
        jti: Option<&Jti>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Vec<Denial> {
        let mut denials: Vec<_> = self
            .denials
            .values()
            .filter(|denial| match visible {
                Visibility::Everything => true,
                Visibility::Of(operator) => self.was_member(denial.workspace, operator),
            })
            .filter(|denial| jti.is_none_or(|jti| denial.jti == *jti))
            .filter(|denial| since.is_none_or(|since| denial.last_at >= since))
            .cloned()
            .collect();
        denials.sort_by_key(|denial| Reverse((denial.last_at, denial.jti.clone())));
        denials.truncate(limit as usize);
        denials
    }

    pub(super) fn count(&mut self, uses: Vec<UseDelta>, denials: Vec<Denial>) {
        for delta in uses {
            self.count_use(delta);
        }
        for delta in denials {
            self.count_denial(delta);
        }
    }

    /// Deltas may come late and out of order: the last use is the one with the latest time. A known
    /// address is worth more than none.
    fn count_use(&mut self, delta: UseDelta) {
        let UseDelta { jti, count, last_at, last_from } = delta;
        let new = TokenUse { count, last_at, last_from };
        let sum = match self.uses.remove(&jti) {
            None => new,
            Some(old) => {
                let count = old.count + count;
                let (first, last) = if last_at >= old.last_at { (old, new) } else { (new, old) };
                TokenUse { count, last_from: last.last_from.or(first.last_from), ..last }
            }
        };
        self.uses.insert(jti, sum);
    }

    fn count_denial(&mut self, delta: Denial) {
        let sum = match self.denials.remove(&delta.jti) {
            None => delta,
            Some(old) => {
                let count = old.count + delta.count;
                let first_at = old.first_at.min(delta.first_at);
                let workspace = old.workspace;
                let (first, last) =
                    if delta.last_at >= old.last_at { (old, delta) } else { (delta, old) };
                let last_from = last.last_from.or(first.last_from);
                Denial { workspace, count, first_at, last_from, ..last }
            }
        };
        self.denials.insert(sum.jti.clone(), sum);
    }
}
