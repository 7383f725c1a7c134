//! Reading tokens.

use nt_token::record::TokenUse;
use nt_token::{Expiry, Jti, OperatorId, Place, State, Timestamp, TokenRecord, WorkspaceId};

use super::db::{Bind, Db, all, one};
use super::row::{Row, number, parsed, parsed_or_null, time, time_or_null, workspace_id};
use super::workspace::is_live;
use crate::error::StoreError;
use crate::record::{PageRequest, TokenFilter, TokenPage};

/// A token of a live workspace, with its issuer's e-mail address.
pub(super) fn token(
    db: Db<'_>,
    workspace: WorkspaceId,
    jti: &Jti,
) -> Result<Option<(TokenRecord, Option<String>)>, StoreError> {
    const SQL: &str = "SELECT * FROM issued_tokens WHERE jti = ?1 AND workspace = ?2";
    if !is_live(db, workspace)? {
        return Ok(None);
    }
    one(db, SQL, &[&jti.as_str(), workspace.as_bytes()], |row| Ok((record(row)?, row.get(19)?)))
}

/// A token by its identifier alone.
pub(super) fn by_jti(db: Db<'_>, jti: &Jti) -> Result<Option<TokenRecord>, StoreError> {
    one(db, "SELECT * FROM issued_tokens WHERE jti = ?1", &[&jti.as_str()], record)
}

/// A token that was issued under an idempotency key, and what the request asked for.
pub(super) struct Earlier {
    pub(super) token: TokenRecord,
    pub(super) replaces: Option<Jti>,
    pub(super) request_digest: [u8; 32],
}

/// What an operator had issued under this key.
pub(super) fn by_key(
    db: Db<'_>,
    operator: &OperatorId,
    key: Option<&str>,
) -> Result<Option<Earlier>, StoreError> {
    const SQL: &str = "SELECT * FROM issued_tokens WHERE created_by = ?1 AND idempotency_key = ?2";
    let Some(key) = key else { return Ok(None) };
    one(db, SQL, &[&operator.as_str(), &key], |row| {
        let replaces = parsed_or_null(row, 20, "a token's JTI")?;
        Ok(Earlier { token: record(row)?, replaces, request_digest: row.get(22)? })
    })
}

/// A workspace's tokens, newest first.
///
/// Where a page begins is told by the last item of the one before, never by a count: the index
/// `tokens_by_workspace` finds it, however long the list is.
pub(crate) fn page(
    db: Db<'_>,
    workspace: WorkspaceId,
    filter: TokenFilter,
    page: &PageRequest,
) -> Result<TokenPage, StoreError> {
    if !is_live(db, workspace)? {
        return Ok(TokenPage::default());
    }
    // One more than asked for tells whether there are more.
    let limit = page.limit.map_or(i64::MAX, |limit| i64::from(limit) + 1);
    let now = match filter {
        TokenFilter::Active(now) | TokenFilter::Expired(now) => Some(now.unix()),
        TokenFilter::Revoked | TokenFilter::All => None,
    };
    let sql = page_sql(filter, page.after.is_some());
    let (at, jti) = match &page.after {
        Some((at, jti)) => (Some(at.unix()), Some(jti.as_str())),
        None => (None, None),
    };
    let params: [&dyn Bind; 5] = [workspace.as_bytes(), &limit, &now, &at, &jti];
    let mut tokens = all(db, &sql, &params, |row| Ok((record(row)?, row.get(19)?)))?;
    let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
    let more = tokens.len() > limit;
    tokens.truncate(limit);
    Ok(TokenPage { tokens, more })
}

/// The page's statement. Parameters that a filter does not need stand in a condition that always
/// holds, so that all forms take the same five; PostgreSQL must be told of what type such a one is.
pub(crate) fn page_sql(filter: TokenFilter, after: bool) -> String {
    let filter = match filter {
        TokenFilter::Active(_) => "revoked_at IS NULL AND expires_at > ?3",
        TokenFilter::Expired(_) => "revoked_at IS NULL AND expires_at <= ?3",
        TokenFilter::Revoked => "revoked_at IS NOT NULL AND CAST(?3 AS BIGINT) IS NULL",
        TokenFilter::All => "CAST(?3 AS BIGINT) IS NULL",
    };
    let after = if after {
        "(created_at, jti) < (?4, ?5)"
    } else {
        "CAST(?4 AS BIGINT) IS NULL AND CAST(?5 AS TEXT) IS NULL"
    };
    format!(
        "SELECT * FROM issued_tokens WHERE workspace = ?1 AND {filter} AND {after}
         ORDER BY created_at DESC, jti DESC LIMIT ?2"
    )
}

/// Reads a row of the view `issued_tokens`.
pub(crate) fn record(row: Row<'_>) -> Result<TokenRecord, StoreError> {
    Ok(TokenRecord {
        jti: parsed(row, 0, "a token's JTI")?,
        workspace: workspace_id(row, 1)?,
        created_by: parsed(row, 2, "a token's operator")?,
        created_at: time(row, 3)?,
        expiry: expiry(time(row, 4)?, row.get(5)?),
        scope: parsed(row, 6, "a token's scope")?,
        source_networks: parsed(row, 23, "a token's networks")?,
        description: row.get(7)?,
        kid: parsed(row, 8, "a token's key")?,
        audience: row.get(9)?,
        rv: number(row, 10)?,
        place: Place { list: number(row, 11)?, idx: number(row, 12)? },
        state: state(row)?,
        used: uses(row)?,
    })
}

fn expiry(claimed: Timestamp, never: bool) -> Expiry {
    if never { Expiry::Never { claimed } } else { Expiry::At(claimed) }
}

fn state(row: Row<'_>) -> Result<State, StoreError> {
    const WHAT: &str = "who revoked a token";
    let Some(at) = time_or_null(row, 13)? else { return Ok(State::Live) };
    Ok(State::Revoked { at, by: parsed(row, 14, WHAT)?, reason: row.get(15)? })
}

fn uses(row: Row<'_>) -> Result<Option<TokenUse>, StoreError> {
    let Some(last_at) = time_or_null(row, 17)? else { return Ok(None) };
    let last_from = parsed_or_null(row, 18, "an address")?;
    Ok(Some(TokenUse { count: number(row, 16)?, last_at, last_from }))
}
