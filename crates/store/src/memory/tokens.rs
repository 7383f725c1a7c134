//! Issuing, revoking, replacing and listing tokens.

use std::cmp::Reverse;

use nt_revocation::Fact;
use nt_token::{EntryId, Jti, OperatorId, State as Standing, TokenRecord, WorkspaceId};

use super::state::{Issued, State};
use crate::audit::{Act, Action, replaced_by};
use crate::error::StoreError;
use crate::record::{NewToken, PageRequest, TokenFilter, TokenPage};
use crate::store::{CreatedToken, RefreshedToken, RevokedToken};

impl State {
    pub(super) fn create_token(
        &mut self,
        new: NewToken,
        act: &Act,
    ) -> Result<CreatedToken, StoreError> {
        if !self.is_live(new.workspace) {
            return Ok(CreatedToken::NoWorkspace);
        }
        if !self.holds(&new, act) {
            return Ok(CreatedToken::NotAllowed);
        }
        if let Some(earlier) = self.issued_before(&act.operator, new.idempotency_key.as_deref()) {
            return Ok(match self.token_of(&earlier.token.jti) {
                Some(token) if earlier.answers(&new, None) => CreatedToken::Repeated(token),
                _ => CreatedToken::KeyReused,
            });
        }
        let token = self.insert_token(new, None, act)?;
        self.record(act, Action::TokenCreated, Some(token.workspace), Some(&token.jti), None);
        Ok(CreatedToken::New(token))
    }

    fn holds(&self, new: &NewToken, act: &Act) -> bool {
        let member = self.member(new.workspace, &act.operator);
        let found = self.live_workspace(new.workspace);
        let organisation = found.and_then(|workspace| workspace.organisation);
        new.right.holds(member.map(|member| member.role), organisation.as_deref())
    }

    pub(super) fn issued_before(&self, by: &OperatorId, key: Option<&str>) -> Option<&Issued> {
        let key = key?;
        let mut issued = self.tokens.values().filter(|issued| issued.token.created_by == *by);
        issued.find(|issued| issued.idempotency_key.as_deref() == Some(key))
    }

    pub(super) fn insert_token(
        &mut self,
        new: NewToken,
        replaces: Option<&Jti>,
        act: &Act,
    ) -> Result<TokenRecord, StoreError> {
        if self.tokens.contains_key(&new.jti) {
            return Err(StoreError::Database("a token of this JTI is there".to_owned()));
        }
        let token = TokenRecord {
            jti: new.jti,
            workspace: new.workspace,
            created_by: act.operator.clone(),
            created_at: act.at,
            expiry: new.expiry,
            scope: new.scope,
            source_networks: new.source_networks,
            description: new.description,
            kid: new.kid,
            audience: new.audience,
            rv: self.head().seq,
            place: self.take_place(new.expiry.claimed())?,
            state: Standing::Live,
            used: None,
        };
        let issued = Issued {
            token: token.clone(),
            replaces: replaces.cloned(),
            idempotency_key: new.idempotency_key,
            request_digest: new.request_digest,
        };
        self.tokens.insert(token.jti.clone(), issued);
        Ok(token)
    }

    /// A token as it is read: with its use.
    pub(super) fn token_of(&self, jti: &Jti) -> Option<TokenRecord> {
        let token = self.tokens.get(jti)?.token.clone();
        Some(TokenRecord { used: self.uses.get(jti).cloned(), ..token })
    }

    /// A token of a live workspace, with its issuer's e-mail address.
    pub(super) fn token_in(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Option<(TokenRecord, Option<String>)> {
        let token = self.token_of(jti).filter(|token| token.workspace == workspace)?;
        let email = self.email(&token.created_by);
        self.is_live(workspace).then_some((token, email))
    }

    pub(super) fn page(
        &self,
        workspace: WorkspaceId,
        filter: TokenFilter,
        page: &PageRequest,
    ) -> TokenPage {
        let of = self.tokens.keys().filter_map(|jti| self.token_in(workspace, jti));
        let mut tokens: Vec<_> = of
            .filter(|(token, _)| is_asked_for(token, filter))
            .filter(|(token, _)| {
                let after = page.after.as_ref();
                after.is_none_or(|(at, jti)| (token.created_at, &token.jti) < (*at, jti))
            })
            .collect();
        tokens.sort_by_key(|(token, _)| Reverse((token.created_at, token.jti.clone())));
        let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = tokens.len() > limit;
        tokens.truncate(limit);
        TokenPage { tokens, more }
    }

    pub(super) fn revoke_token(
        &mut self,
        workspace: WorkspaceId,
        jti: &Jti,
        entry: EntryId,
        reason: Option<String>,
        act: &Act,
    ) -> Result<RevokedToken, StoreError> {
        let Some((token, _)) = self.token_in(workspace, jti) else {
            return Ok(RevokedToken::NotFound);
        };
        let before = token.state != Standing::Live;
        self.may_append(entry, &revocation(&token))?;
        let (token, seq) = self.revoke(token, entry, reason, act);
        Ok(RevokedToken::Revoked { token, seq, before })
    }

    /// Appends the entry, also where the token was revoked before, but keeps who did it first.
    fn revoke(
        &mut self,
        mut token: TokenRecord,
        entry: EntryId,
        reason: Option<String>,
        act: &Act,
    ) -> (TokenRecord, u64) {
        let seq = self.append(entry, revocation(&token));
        let workspace = Some(token.workspace);
        self.record(act, Action::TokenRevoked, workspace, Some(&token.jti), reason.as_deref());
        if token.state == Standing::Live {
            token.state = Standing::Revoked { at: act.at, by: act.operator.clone(), reason };
            if let Some(issued) = self.tokens.get_mut(&token.jti) {
                issued.token.state = token.state.clone();
            }
        }
        (token, seq)
    }

    pub(super) fn refresh_token(
        &mut self,
        old: &Jti,
        new: NewToken,
        act: &Act,
    ) -> Result<RefreshedToken, StoreError> {
        if !self.is_live(new.workspace) {
            return Ok(RefreshedToken::NotFound);
        }
        if !self.holds(&new, act) {
            return Ok(RefreshedToken::NotAllowed);
        }
        if let Some(earlier) = self.issued_before(&act.operator, new.idempotency_key.as_deref()) {
            let same = earlier.answers(&new, Some(old));
            return Ok(match (self.token_of(&earlier.token.jti), self.token_of(old)) {
                (Some(new), Some(old)) if same => RefreshedToken::Refreshed { new, old },
                _ => RefreshedToken::KeyReused,
            });
        }
        let Some((old, _)) = self.token_in(new.workspace, old) else {
            return Ok(RefreshedToken::NotFound);
        };
        let entry = new.entry;
        self.may_append(entry, &revocation(&old))?;
        let new = self.insert_token(new, Some(&old.jti), act)?;
        self.record(act, Action::TokenRefreshed, Some(new.workspace), Some(&new.jti), None);
        let (old, _) = self.revoke(old, entry, Some(replaced_by(&new.jti)), act);
        Ok(RefreshedToken::Refreshed { new, old })
    }
}

impl Issued {
    /// Whether the request that made this token asked for the same.
    fn answers(&self, new: &NewToken, replaces: Option<&Jti>) -> bool {
        self.replaces.as_ref() == replaces
            && self.token.workspace == new.workspace
            && self.request_digest == new.request_digest
    }
}

fn revocation(token: &TokenRecord) -> Fact {
    let exp = token.expiry.claimed();
    Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp }
}

fn is_asked_for(token: &TokenRecord, filter: TokenFilter) -> bool {
    use nt_token::TokenStatus::{Active, Expired};
    match filter {
        TokenFilter::Active(now) => token.status(now) == Active,
        TokenFilter::Expired(now) => token.status(now) == Expired,
        TokenFilter::Revoked => token.state != Standing::Live,
        TokenFilter::All => true,
    }
}
