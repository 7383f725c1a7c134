//! Revoking many tokens together: what a hundred callers ask for costs a few statements.
//!
//! What becomes of each is what would become of it alone, in the same order.

use std::collections::{BTreeMap, HashMap};

use futures_util::future;
use nt_revocation::Fact;
use nt_token::{EntryId, Jti, OperatorId, State, Timestamp, TokenRecord};
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row as PgRow};

use super::session::Session;
use crate::audit::Action;
use crate::error::StoreError;
use crate::sql::Writing;
use crate::sql::revocation::Revocation;
use crate::sql::row::{Row, number};
use crate::sql::token::record;
use crate::store::RevokedToken;

/// Tokens that are to be written down as revoked.
pub(super) type Revoked = BTreeMap<Jti, FirstTime>;

/// A token's first revocation.
pub(super) struct FirstTime {
    pub(super) at: Timestamp,
    pub(super) by: OperatorId,
    pub(super) reason: Option<String>,
}

/// Those of live workspaces, by identifier.
type Tokens = HashMap<Jti, TokenRecord>;

/// Number, kind and body of what the log has under these ids.
type Logged = HashMap<EntryId, (u64, u16, Vec<u8>)>;

/// What must be known before: looked up together with other things.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    jtis: Vec<&'a str>,
    ids: Vec<&'a [u8]>,
}

impl<'a> Wanted<'a> {
    pub(super) fn by(asked: &'a [&mut Revocation]) -> Self {
        let jtis = asked.iter().map(|one| one.jti.as_str()).collect();
        let ids = asked.iter().map(|one| one.entry.0.as_slice()).collect();
        Self { jtis, ids }
    }

    /// Looks it up.
    pub(super) async fn ask(&self, session: &Session) -> Result<Found, Error> {
        const TOKENS: &str = "SELECT r.* FROM issued_tokens r
            JOIN workspaces w ON w.id = r.workspace
            WHERE r.jti = ANY(CAST(?1 AS TEXT[])) AND w.deleted_at IS NULL";
        const LOG: &str = "SELECT id, seq, kind, body FROM log WHERE id = ANY(CAST(?1 AS BYTEA[]))";
        if self.jtis.is_empty() {
            return Ok(Found::default());
        }
        let jtis = [(&self.jtis as _, Type::TEXT_ARRAY)];
        let ids = [(&self.ids as _, Type::BYTEA_ARRAY)];
        let tokens = session.rows(TOKENS, &jtis);
        let (tokens, logged) = future::try_join(tokens, session.rows(LOG, &ids)).await?;
        Ok(Found { tokens, logged })
    }
}

/// What was found of it, as rows.
#[derive(Default)]
pub(super) struct Found {
    tokens: Vec<PgRow>,
    logged: Vec<PgRow>,
}

impl Found {
    fn read(&self) -> Result<(Tokens, Logged), StoreError> {
        let tokens = self.tokens.iter().map(|row| record(Row::Postgres(row)));
        let tokens = tokens.map(|token| token.map(|token| (token.jti.clone(), token)));
        let logged = self.logged.iter().map(|row| {
            let row = Row::Postgres(row);
            let body = row.blob(3, "a log entry")?.to_vec();
            Ok((EntryId(row.get(0)?), (number(row, 1)?, number(row, 2)?, body)))
        });
        Ok((tokens.collect::<Result<_, _>>()?, logged.collect::<Result<_, StoreError>>()?))
    }
}

/// Revokes what is asked for. What is to be written of it is left in `writing` and `revoked`.
pub(super) fn revoke_all(
    writing: &mut Writing<'_>,
    asked: &mut [&mut Revocation],
    found: &Found,
    revoked: &mut Revoked,
) -> Result<(), StoreError> {
    let (mut tokens, logged) = found.read()?;
    for token in tokens.values_mut() {
        if let Some(first) = revoked.get(&token.jti) {
            token.state = first.state();
        }
    }
    for one in asked {
        let result = revoke(writing, one, &mut tokens, &logged, revoked);
        one.result = Some(result);
    }
    Ok(())
}

fn revoke(
    writing: &mut Writing<'_>,
    asked: &Revocation,
    tokens: &mut Tokens,
    logged: &Logged,
    revoked: &mut Revoked,
) -> Result<RevokedToken, StoreError> {
    let token = tokens.get_mut(&asked.jti).filter(|token| token.workspace == asked.workspace);
    let Some(token) = token else { return Ok(RevokedToken::NotFound) };
    let exp = token.expiry.claimed();
    let fact = Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp };
    let in_log = logged.get(&asked.entry).cloned();
    let seq = writing.append_unless(asked.entry, fact, in_log)?;
    let (workspace, jti, why) = (Some(token.workspace), Some(&token.jti), asked.reason.as_deref());
    writing.audit(&asked.act, Action::TokenRevoked, workspace, jti, why);
    let before = token.state != State::Live;
    if !before {
        let (at, by) = (asked.act.at, asked.act.operator.clone());
        let first = FirstTime { at, by, reason: asked.reason.clone() };
        token.state = first.state();
        revoked.insert(token.jti.clone(), first);
    }
    Ok(RevokedToken::Revoked { token: token.clone(), seq, before })
}

impl FirstTime {
    fn state(&self) -> State {
        State::Revoked { at: self.at, by: self.by.clone(), reason: self.reason.clone() }
    }
}
