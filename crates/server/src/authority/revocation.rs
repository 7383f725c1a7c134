//! How far a revocation is: who refuses the token already, who is waited for, and for how long at the
//! most.

use std::collections::BTreeSet;
use std::time::Duration;

use nt_api::receipts::LogPosition;
use nt_api::revocations::Revocation;
use nt_feed::server::{Listed, Stream};
use nt_revocation::Position;
use nt_token::{Jti, State, WorkspaceId};

use crate::authority::access::Action;
use crate::authority::error::{Answer, Refusal};
use crate::authority::feed::longest_wait;
use crate::authority::{Authority, Caller, limits};

impl Authority {
    /// How far the first revocation of this token is on its way into force.
    pub async fn revocation(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        jti: Jti,
    ) -> Answer<Revocation> {
        self.permitted(caller, workspace, Action::See).await?;
        let Some((token, _)) = self.store.token(workspace, &jti).await? else {
            return Err(Refusal::NoToken(jti).into());
        };
        let State::Revoked { at, .. } = token.state else {
            return Err(Refusal::NotBeingRevoked(jti).into());
        };
        let Position { epoch, seq, entry } = self.first_revocation(&token).await?;
        let in_force = self.serving().is_ok() && *self.in_force_to().borrow() >= seq;
        if in_force {
            // Only what the store has answered for may be called revoked. Once the writer has answered
            // this, which changes nothing, it has answered for all that could be read before.
            self.store.keep_receipts(Vec::new()).await?;
            self.state_what_is_in_force();
        }
        let waiting = if in_force { Vec::new() } else { self.waited_for(seq) };
        let within = if in_force { Duration::ZERO } else { self.within(seq, &waiting) };
        let named = |names: BTreeSet<String>| names.into_iter().take(limits::NAMED_CUT_OFF);
        let outcome = self.feed.outcome(seq);
        let refused_by = outcome.acked.iter().map(|who| self.called(who)).collect();
        let mut waiting_for: BTreeSet<String> =
            waiting.iter().map(|session| self.called(&session.who)).collect();
        if !in_force {
            waiting_for.extend(self.other_nodes_waited_for(seq));
        }
        let cut_off = self.counted(seq).cut_off.into_iter().map(|cut| cut.name);
        Ok(Revocation {
            jti,
            workspace_id: workspace,
            status: if in_force { "revoked" } else { "revoking" }.to_owned(),
            position: LogPosition { epoch, seq, entry_id: entry.to_string() },
            committed_at: at.into(),
            waiting_for: named(waiting_for).collect(),
            acknowledged: u32::try_from(outcome.acked.len()).unwrap_or(u32::MAX),
            acknowledged_by: named(refused_by).collect(),
            cut_off: cut_off.collect(),
            in_force_within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn waited_for(&self, seq: u64) -> Vec<Listed> {
        let mut sessions = self.feed.sessions();
        sessions.retain(|session| session.acked < seq && !session.lease_left.is_zero());
        sessions
    }

    /// When no lease can be out any more under which the entry is not known. Who is connected may still
    /// be granted one, within the grace for its acknowledgement.
    fn within(&self, seq: u64, waiting: &[Listed]) -> Duration {
        let since = self.commits.of(seq).map(|committed| committed.since.elapsed());
        if let Some(node) = self.node()
            && !self.other_nodes_waited_for(seq).is_empty()
        {
            let floor = node.everywhere().lengths().floor();
            return floor.saturating_sub(since.unwrap_or_default());
        }
        let bound = longest_wait().saturating_sub(since.unwrap_or_default());
        let ends = waiting.iter().map(|session| match session.stream {
            Stream::Open => bound.max(session.lease_left),
            Stream::Ended => session.lease_left,
        });
        ends.max().unwrap_or(bound)
    }
}
