//! Writing what a batch has come to: the log, the audit records and the tokens that are revoked, each
//! with one statement, all sent at once.

use futures_util::future;
use nt_revocation::Entry;
use nt_token::{Jti, WorkspaceId};
use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::link::{Link, PATIENCE};
use super::revoke::Revoked;
use super::session::Session;
use crate::error::StoreError;
use crate::sql::Writing;
use crate::sql::audit::Record;
use crate::sql::row::{Row, signed};

/// Raises the head and inserts behind it, or does neither. There is deliberately no `ON CONFLICT`: an
/// id that is there already must undo the whole batch, never leave a hole.
const LOG: &str = "WITH raised AS (
        UPDATE meta SET head = ?1 WHERE one = 1 AND head = ?2 AND epoch = ?3 RETURNING head)
    INSERT INTO log (seq, id, kind, body)
    SELECT new.seq, new.id, new.kind, new.body
    FROM raised, unnest(CAST(?4 AS BIGINT[]), CAST(?5 AS BYTEA[]), CAST(?6 AS BIGINT[]),
        CAST(?7 AS BYTEA[])) AS new (seq, id, kind, body)";

/// Writers come one after the other, so the next number is free.
const AUDIT: &str = "INSERT INTO audit
        (id, at, operator, came_from, action, workspace, jti, reason, about, note)
    SELECT (SELECT COALESCE(MAX(id), 0) FROM audit) + new.nth, new.at, new.operator, new.came_from,
        new.action, new.workspace, new.jti, new.reason, new.about, new.note
    FROM unnest(CAST(?1 AS BIGINT[]), CAST(?2 AS TEXT[]), CAST(?3 AS TEXT[]), CAST(?4 AS TEXT[]),
        CAST(?5 AS BYTEA[]), CAST(?6 AS TEXT[]), CAST(?7 AS TEXT[]), CAST(?8 AS TEXT[]),
        CAST(?9 AS TEXT[])) WITH ORDINALITY
        AS new (at, operator, came_from, action, workspace, jti, reason, about, note, nth)";

const TOKENS: &str = "UPDATE tokens SET revoked_at = new.at, revoked_by = new.who,
        revoked_because = new.why
    FROM unnest(CAST(?1 AS TEXT[]), CAST(?2 AS BIGINT[]), CAST(?3 AS TEXT[]), CAST(?4 AS TEXT[]))
        AS new (jti, at, who, why)
    WHERE tokens.jti = new.jti AND tokens.revoked_at IS NULL";

const TRANSACTION: &str = "SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT)";

/// What was written and now waits for its commit.
pub(super) struct Written {
    pub(super) entries: Vec<Entry>,
    /// By what a transaction without entries can be asked for later; nothing where it has changed
    /// nothing.
    pub(super) transaction: Option<String>,
}

/// Writes everything that a batch has left to be written.
pub(super) fn write(
    link: &Link,
    writing: Writing<'_>,
    revoked: &Revoked,
) -> Result<Written, StoreError> {
    let (began, head) = writing.span();
    let (entries, records) = writing.into_parts();
    let before = (signed(began.seq), signed(began.epoch));
    let (inserted, transaction) = link.wait(PATIENCE, |session| {
        let entries = &entries;
        let records = &records;
        async move {
            let log = insert_entries(session, before, signed(head.seq), entries);
            let audit = insert_records(session, records);
            let tokens = update(session, revoked);
            let (inserted, (), ()) = future::try_join3(log, audit, tokens).await?;
            let transaction = if entries.is_empty() { transaction(session).await? } else { None };
            Ok((inserted, transaction))
        }
    })?;
    if inserted != entries.len() as u64 {
        return Err(StoreError::HistoryInDoubt("its head moved under a lock".to_owned()));
    }
    Ok(Written { entries, transaction })
}

/// Writes tokens down as revoked, where a later step of the batch must see it.
pub(super) fn write_revoked(link: &Link, revoked: &mut Revoked) -> Result<(), StoreError> {
    let now = std::mem::take(revoked);
    link.wait(PATIENCE, |session| {
        let now = &now;
        async move { update(session, now).await }
    })
}

async fn insert_entries(
    session: &Session,
    (before, epoch): (i64, i64),
    head: i64,
    entries: &[Entry],
) -> Result<u64, Error> {
    if entries.is_empty() {
        return Ok(0);
    }
    let seqs: Vec<_> = entries.iter().map(|entry| signed(entry.seq)).collect();
    let ids: Vec<&[u8]> = entries.iter().map(|entry| entry.id.0.as_slice()).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| i64::from(entry.fact.kind())).collect();
    let bodies: Vec<_> = entries.iter().map(|entry| entry.fact.body()).collect();
    let params = &[
        (&head as _, Type::INT8),
        (&before as _, Type::INT8),
        (&epoch as _, Type::INT8),
        (&seqs as _, Type::INT8_ARRAY),
        (&ids as _, Type::BYTEA_ARRAY),
        (&kinds as _, Type::INT8_ARRAY),
        (&bodies as _, Type::BYTEA_ARRAY),
    ];
    session.change(LOG, params).await
}

async fn insert_records(session: &Session, records: &[Record]) -> Result<(), Error> {
    if records.is_empty() {
        return Ok(());
    }
    let of = records.iter();
    let at: Vec<_> = of.clone().map(|record| record.at).collect();
    let operator: Vec<_> = of.clone().map(|record| record.operator.as_str()).collect();
    let from: Vec<_> = of.clone().map(|record| record.came_from.as_deref()).collect();
    let action: Vec<_> = of.clone().map(|record| record.action.name()).collect();
    let workspace = of.clone().map(|record| record.workspace.as_ref().map(WorkspaceId::as_bytes));
    let workspace: Vec<_> = workspace.map(|id| id.map(<[u8; 16]>::as_slice)).collect();
    let jti: Vec<_> = of.clone().map(|record| record.jti.as_ref().map(Jti::as_str)).collect();
    let reason: Vec<_> = of.clone().map(|record| record.reason.as_deref()).collect();
    let about: Vec<_> = of.clone().map(|record| record.about.as_deref()).collect();
    let note: Vec<_> = of.map(|record| record.note.as_deref()).collect();
    let params = &[
        (&at as _, Type::INT8_ARRAY),
        (&operator as _, Type::TEXT_ARRAY),
        (&from as _, Type::TEXT_ARRAY),
        (&action as _, Type::TEXT_ARRAY),
        (&workspace as _, Type::BYTEA_ARRAY),
        (&jti as _, Type::TEXT_ARRAY),
        (&reason as _, Type::TEXT_ARRAY),
        (&about as _, Type::TEXT_ARRAY),
        (&note as _, Type::TEXT_ARRAY),
    ];
    session.change(AUDIT, params).await.map(|_| ())
}

async fn update(session: &Session, revoked: &Revoked) -> Result<(), Error> {
    if revoked.is_empty() {
        return Ok(());
    }
    let of = revoked.iter();
    let jti: Vec<_> = of.clone().map(|(jti, _)| jti.as_str()).collect();
    let at: Vec<_> = of.clone().map(|(_, one)| one.at.unix()).collect();
    let who: Vec<_> = of.clone().map(|(_, one)| one.by.as_str()).collect();
    let why: Vec<_> = of.map(|(_, one)| one.reason.as_deref()).collect();
    let params = &[
        (&jti as _, Type::TEXT_ARRAY),
        (&at as _, Type::INT8_ARRAY),
        (&who as _, Type::TEXT_ARRAY),
        (&why as _, Type::TEXT_ARRAY),
    ];
    session.change(TOKENS, params).await.map(|_| ())
}

async fn transaction(session: &Session) -> Result<Option<String>, Error> {
    let rows = session.rows(TRANSACTION, &[]).await?;
    Ok(rows.first().and_then(|row| Row::Postgres(row).get(0).ok()).flatten())
}
