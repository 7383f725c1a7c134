//! Issuing, revoking and replacing tokens.

use nt_revocation::Fact;
use nt_token::{EntryId, Expiry, Jti, State, TokenRecord, WorkspaceId};

use super::db::{Bind, Db, change, one};
use super::row::{role, signed};
use super::writing::Writing;
use super::{place, token};
use crate::audit::{Act, Action, replaced_by};
use crate::error::StoreError;
use crate::record::NewToken;
use crate::store::{CreatedToken, RefreshedToken, RevokedToken};

impl Writing<'_> {
    pub(super) fn create_token(
        &mut self,
        new: &NewToken,
        act: &Act,
    ) -> Result<CreatedToken, StoreError> {
        match holds(self.db, new, act)? {
            None => return Ok(CreatedToken::NoWorkspace),
            Some(false) => return Ok(CreatedToken::NotAllowed),
            Some(true) => {}
        }
        let key = new.idempotency_key.as_deref();
        if let Some(earlier) = token::by_key(self.db, &act.operator, key)? {
            let same = earlier.replaces.is_none() && earlier.asked_the_same(new);
            return Ok(if same {
                CreatedToken::Repeated(earlier.token)
            } else {
                CreatedToken::KeyReused
            });
        }
        let record = self.insert_token(new, None, act)?;
        self.audit(act, Action::TokenCreated, Some(record.workspace), Some(&record.jti), None);
        Ok(CreatedToken::New(record))
    }

    /// Keeps a token: its place and the log's head are decided here, inside the transaction.
    pub(super) fn insert_token(
        &mut self,
        new: &NewToken,
        replaces: Option<&Jti>,
        act: &Act,
    ) -> Result<TokenRecord, StoreError> {
        const SQL: &str = "INSERT INTO tokens (jti, workspace, created_by, created_at, expires_at,
                never, scope, description, kid, audience, rv, list, idx, replaces,
                idempotency_key, request_digest, source_networks)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        let rv = self.head.seq;
        let place = place::take(self.db, new.expiry.claimed())?;
        let params: &[&dyn Bind] = &[
            &new.jti.as_str(),
            new.workspace.as_bytes(),
            &act.operator.as_str(),
            &act.at.unix(),
            &new.expiry.claimed().unix(),
            &matches!(new.expiry, Expiry::Never { .. }),
            &new.scope.to_string(),
            &new.description,
            &new.kid.as_str(),
            &new.audience,
            &signed(rv),
            &place.list,
            &place.idx,
            &replaces.map(Jti::as_str),
            &new.idempotency_key,
            &new.request_digest,
            &new.source_networks.to_string(),
        ];
        change(self.db, SQL, params)?;
        Ok(TokenRecord {
            jti: new.jti.clone(),
            workspace: new.workspace,
            created_by: act.operator.clone(),
            created_at: act.at,
            expiry: new.expiry,
            scope: new.scope.clone(),
            source_networks: new.source_networks.clone(),
            description: new.description.clone(),
            kid: new.kid.clone(),
            audience: new.audience.clone(),
            rv,
            place,
            state: State::Live,
            used: None,
        })
    }

    pub(super) fn revoke_token(
        &mut self,
        workspace: WorkspaceId,
        jti: &Jti,
        entry: EntryId,
        reason: Option<&str>,
        act: &Act,
    ) -> Result<RevokedToken, StoreError> {
        let Some((mut token, _)) = token::token(self.db, workspace, jti)? else {
            return Ok(RevokedToken::NotFound);
        };
        let before = token.state != State::Live;
        let seq = self.revoke(&mut token, entry, reason, act)?;
        Ok(RevokedToken::Revoked { token, seq, before })
    }

    /// Appends the entry, also where the token was revoked before, but keeps who did it first.
    fn revoke(
        &mut self,
        token: &mut TokenRecord,
        entry: EntryId,
        reason: Option<&str>,
        act: &Act,
    ) -> Result<u64, StoreError> {
        const SQL: &str = "UPDATE tokens SET revoked_at = ?2, revoked_by = ?3,
                revoked_because = ?4 WHERE jti = ?1 AND revoked_at IS NULL";
        let exp = token.expiry.claimed();
        let fact = Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp };
        let seq = self.append(entry, fact)?;
        let (jti, workspace) = (Some(&token.jti), Some(token.workspace));
        self.audit(act, Action::TokenRevoked, workspace, jti, reason);
        if token.state == State::Live {
            let operator = act.operator.as_str();
            change(self.db, SQL, &[&token.jti.as_str(), &act.at.unix(), &operator, &reason])?;
            let reason = reason.map(str::to_owned);
            token.state = State::Revoked { at: act.at, by: act.operator.clone(), reason };
        }
        Ok(seq)
    }

    pub(super) fn refresh_token(
        &mut self,
        old: &Jti,
        new: &NewToken,
        act: &Act,
    ) -> Result<RefreshedToken, StoreError> {
        match holds(self.db, new, act)? {
            None => return Ok(RefreshedToken::NotFound),
            Some(false) => return Ok(RefreshedToken::NotAllowed),
            Some(true) => {}
        }
        let key = new.idempotency_key.as_deref();
        if let Some(earlier) = token::by_key(self.db, &act.operator, key)? {
            let same = earlier.replaces.as_ref() == Some(old) && earlier.asked_the_same(new);
            return if same {
                self.refreshed_before(old, earlier.token, new.entry, act)
            } else {
                Ok(RefreshedToken::KeyReused)
            };
        }
        let Some((mut old, _)) = token::token(self.db, new.workspace, old)? else {
            return Ok(RefreshedToken::NotFound);
        };
        let entry = new.entry;
        let new = self.insert_token(new, Some(&old.jti), act)?;
        self.audit(act, Action::TokenRefreshed, Some(new.workspace), Some(&new.jti), None);
        self.revoke(&mut old, entry, Some(&replaced_by(&new.jti)), act)?;
        Ok(RefreshedToken::Refreshed { new, old })
    }

    /// The old token was revoked in the transaction that made the new one, so that nothing is left to
    /// do; should it be live all the same, it is revoked now.
    fn refreshed_before(
        &mut self,
        old: &Jti,
        new: TokenRecord,
        entry: EntryId,
        act: &Act,
    ) -> Result<RefreshedToken, StoreError> {
        let old = token::by_jti(self.db, old)?;
        let mut old = old.ok_or(StoreError::Corrupt("a replaced token"))?;
        if old.state == State::Live {
            self.revoke(&mut old, entry, Some(&replaced_by(&new.jti)), act)?;
        }
        Ok(RefreshedToken::Refreshed { new, old })
    }
}

/// Whether the right holds by which this is asked for; nothing where the workspace is not live.
fn holds(db: Db<'_>, new: &NewToken, act: &Act) -> Result<Option<bool>, StoreError> {
    const SQL: &str = "SELECT m.role, w.organisation FROM workspaces w
        LEFT JOIN members m ON m.workspace = w.id AND m.operator = ?2
        WHERE w.id = ?1 AND w.deleted_at IS NULL";
    one(db, SQL, &[new.workspace.as_bytes(), &act.operator.as_str()], |row| {
        let member = row.get::<Option<String>>(0)?;
        let role = member.map(|_| role(row, 0)).transpose()?;
        let organisation: Option<String> = row.get(1)?;
        Ok(new.right.holds(role, organisation.as_deref()))
    })
}

impl token::Earlier {
    fn asked_the_same(&self, new: &NewToken) -> bool {
        self.token.workspace == new.workspace && self.request_digest == new.request_digest
    }
}
