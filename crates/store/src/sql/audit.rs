//! The audit log, and the counts of uses and denials.

use std::collections::BTreeSet;

use nt_token::{ClientName, Jti, KeyId, OperatorId, Timestamp, VerifierName, WorkspaceId};

use super::db::{Bind, Db, all, change, one};
use super::row::{Row, address, number, parsed, parsed_or_null, signed, time, workspace_id};
use super::writing::Writing;
use crate::audit::{Act, Action, AuditPage, AuditQuery, AuditRecord, Denial, Visibility, about};
use crate::error::StoreError;
use crate::record::{Person, Role, UseDelta};

/// A page of the audit log.
pub(super) fn page(db: Db<'_>, query: &AuditQuery) -> Result<AuditPage, StoreError> {
    // One more than asked for tells whether there are more.
    let wanted = query.limit as usize + 1;
    let ids = match (&query.visible, &query.jti) {
        (Visibility::Everything, None) => ids(db, "1 = 1", &[], query, wanted)?,
        (Visibility::Everything, Some(jti)) => {
            ids(db, "jti = ?4", &[&jti.as_str()], query, wanted)?
        }
        (Visibility::Of(operator), None) => ids_visible(db, operator, query, wanted)?,
        (Visibility::Of(operator), Some(jti)) => {
            const OF: &str = "jti = ?4 AND (operator = ?5 OR workspace IN
                (SELECT m.workspace FROM members m WHERE m.operator = ?5))";
            ids(db, OF, &[&jti.as_str(), &operator.as_str()], query, wanted)?
        }
    };
    let more = ids.len() == wanted;
    let newest = ids.into_iter().rev().take(query.limit as usize);
    let records = newest.map(|id| record(db, id)).collect::<Result<_, _>>()?;
    Ok(AuditPage { records, more })
}

/// What an operator sees: own deeds, and those in each workspace that the operator is or was a member
/// of. Each part is a short walk along an index of its own, however long the others are.
fn ids_visible(
    db: Db<'_>,
    operator: &OperatorId,
    query: &AuditQuery,
    wanted: usize,
) -> Result<BTreeSet<i64>, StoreError> {
    const WORKSPACES: &str = "SELECT workspace FROM members WHERE operator = ?1";
    let mut newest = ids(db, "operator = ?4", &[&operator.as_str()], query, wanted)?;
    for workspace in all(db, WORKSPACES, &[&operator.as_str()], |row| workspace_id(row, 0))? {
        newest.extend(ids(db, "workspace = ?4", &[workspace.as_bytes()], query, wanted)?);
        while newest.len() > wanted {
            newest.pop_first();
        }
    }
    Ok(newest)
}

/// The numbers of the newest records for which this holds.
fn ids(
    db: Db<'_>,
    holds: &str,
    params: &[&dyn Bind],
    query: &AuditQuery,
    wanted: usize,
) -> Result<BTreeSet<i64>, StoreError> {
    let sql = format!(
        "SELECT id FROM audit WHERE {holds} AND id < ?1 AND at >= ?2 ORDER BY id DESC LIMIT ?3"
    );
    let before = query.before.map_or(i64::MAX, signed);
    let since = query.since.map_or(i64::MIN, Timestamp::unix);
    let wanted = signed(wanted as u64);
    let first: [&dyn Bind; 3] = [&before, &since, &wanted];
    let params: Vec<&dyn Bind> = first.into_iter().chain(params.iter().copied()).collect();
    Ok(all(db, &sql, &params, |row| row.get(0))?.into_iter().collect())
}

fn record(db: Db<'_>, id: i64) -> Result<AuditRecord, StoreError> {
    const SQL: &str = "SELECT a.id, a.at, a.operator, a.came_from, a.action, a.workspace, a.jti,
            a.reason, o.email, a.about, a.note
        FROM audit a LEFT JOIN operators o ON o.id = a.operator WHERE a.id = ?1";
    one(db, SQL, &[&id], read)?.ok_or(StoreError::Corrupt("no audit record"))
}

fn read(row: Row<'_>) -> Result<AuditRecord, StoreError> {
    let action: String = row.get(4)?;
    let action = Action::ALL.into_iter().find(|known| known.name() == action);
    let act = Act {
        operator: parsed(row, 2, "an operator's ID")?,
        at: time(row, 1)?,
        from: parsed_or_null(row, 3, "an address")?,
        note: row.get(10)?,
    };
    Ok(AuditRecord {
        id: number(row, 0)?,
        act,
        email: row.get(8)?,
        action: action.ok_or(StoreError::Corrupt("an audited action"))?,
        workspace: row.get::<Option<[u8; 16]>>(5)?.map(WorkspaceId::from_bytes),
        jti: parsed_or_null(row, 6, "a token's JTI")?,
        about: row.get(9)?,
        reason: row.get(7)?,
    })
}

/// Attempts with revoked tokens, the latest first.
pub(super) fn denials(
    db: Db<'_>,
    visible: &Visibility,
    jti: Option<&Jti>,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<Denial>, StoreError> {
    let mut params: Vec<&dyn Bind> = Vec::new();
    let since = since.map_or(i64::MIN, Timestamp::unix);
    params.extend([&since as &dyn Bind, &limit]);
    let of = match visible {
        Visibility::Everything => None,
        Visibility::Of(operator) => Some(operator.as_str()),
    };
    let jti = jti.map(Jti::as_str);
    let mut sql = "SELECT jti, workspace, count, first_at, last_at, last_from FROM token_denials
        WHERE last_at >= ?1"
        .to_owned();
    if let Some(of) = &of {
        params.push(of);
        sql += " AND workspace IN (SELECT workspace FROM members WHERE operator = ?3)";
    }
    if let Some(jti) = &jti {
        params.push(jti);
        sql += if of.is_some() { " AND jti = ?4" } else { " AND jti = ?3" };
    }
    sql += " ORDER BY last_at DESC, jti DESC LIMIT ?2";
    all(db, &sql, &params, denial)
}

fn denial(row: Row<'_>) -> Result<Denial, StoreError> {
    Ok(Denial {
        jti: parsed(row, 0, "a token's JTI")?,
        workspace: workspace_id(row, 1)?,
        count: number(row, 2)?,
        first_at: time(row, 3)?,
        last_at: time(row, 4)?,
        last_from: parsed_or_null(row, 5, "an address")?,
    })
}

/// A record that waits to be written.
pub(crate) struct Record {
    pub(crate) at: i64,
    pub(crate) operator: OperatorId,
    pub(crate) came_from: Option<String>,
    pub(crate) action: Action,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) jti: Option<Jti>,
    pub(crate) reason: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) note: Option<String>,
}

/// Writes records, numbered in this order after those that are there.
pub(super) fn write(db: Db<'_>, records: &[Record]) -> Result<(), StoreError> {
    const LAST: &str = "SELECT COALESCE(MAX(id), 0) FROM audit";
    const SQL: &str = "INSERT INTO audit
            (at, operator, came_from, action, workspace, jti, reason, about, note, id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    // SQLite numbers by itself. Writers come one after the other, so the next number is free.
    let mut id: Option<i64> = match db {
        Db::Postgres(_) if !records.is_empty() => one(db, LAST, &[], |row| row.get(0))?,
        Db::Postgres(_) | Db::Sqlite(_) => None,
    };
    for record in records {
        id = id.map(|id| id + 1);
        let params: &[&dyn Bind] = &[
            &record.at,
            &record.operator.as_str(),
            &record.came_from,
            &record.action.name(),
            &record.workspace.as_ref().map(WorkspaceId::as_bytes),
            &record.jti.as_ref().map(Jti::as_str),
            &record.reason,
            &record.about,
            &record.note,
            &id,
        ];
        change(db, SQL, params)?;
    }
    Ok(())
}

/// What a record says beside the circumstances.
struct What<'a> {
    action: Action,
    workspace: Option<WorkspaceId>,
    jti: Option<&'a Jti>,
    about: Option<&'a str>,
    reason: Option<&'a str>,
}

impl Writing<'_> {
    /// Leaves an audit record.
    pub(crate) fn audit(
        &mut self,
        act: &Act,
        action: Action,
        workspace: Option<WorkspaceId>,
        jti: Option<&Jti>,
        reason: Option<&str>,
    ) {
        self.write_down(act, &What { action, workspace, jti, about: None, reason });
    }

    /// Leaves an audit record about somebody who belongs to a workspace.
    pub(super) fn audit_member(
        &mut self,
        act: &Act,
        action: Action,
        workspace: WorkspaceId,
        person: &Person,
        role: Role,
    ) {
        let (workspace, about) = (Some(workspace), Some(about(person)));
        self.write_down(
            act,
            &What { action, workspace, jti: None, about, reason: Some(role.name()) },
        );
    }

    /// Leaves an audit record about a verifier.
    pub(super) fn audit_verifier(&mut self, act: &Act, action: Action, name: &VerifierName) {
        let about = Some(name.as_str());
        self.write_down(act, &What { action, workspace: None, jti: None, about, reason: None });
    }

    /// Leaves an audit record about a client.
    pub(super) fn audit_client(
        &mut self,
        act: &Act,
        action: Action,
        name: &ClientName,
        workspace: Option<WorkspaceId>,
        reason: Option<&str>,
    ) {
        let about = Some(name.as_str());
        self.write_down(act, &What { action, workspace, jti: None, about, reason });
    }

    /// Writes an audit record about a signing key.
    pub(super) fn audit_key(&mut self, act: &Act, action: Action, kid: &KeyId) {
        let about = Some(kid.as_str());
        self.write_down(act, &What { action, workspace: None, jti: None, about, reason: None });
    }

    /// Keeps the record until the steps have run.
    fn write_down(&mut self, act: &Act, what: &What<'_>) {
        self.records.push(Record {
            at: act.at.unix(),
            operator: act.operator.clone(),
            came_from: address(act.from),
            action: what.action,
            workspace: what.workspace,
            jti: what.jti.cloned(),
            reason: what.reason.map(str::to_owned),
            about: what.about.map(str::to_owned),
            note: act.note.clone(),
        });
    }

    pub(super) fn count(
        &mut self,
        uses: &[UseDelta],
        denials: &[Denial],
    ) -> Result<(), StoreError> {
        uses.iter().try_for_each(|delta| self.count_use(delta))?;
        denials.iter().try_for_each(|delta| self.count_denial(delta))
    }

    /// Deltas may come late and out of order: the last use is the one with the latest time. A known
    /// address is worth more than none.
    fn count_use(&mut self, delta: &UseDelta) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO token_uses (jti, count, last_at, last_from)
            VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (jti) DO UPDATE SET count = token_uses.count + excluded.count,
                last_from = CASE WHEN excluded.last_at >= token_uses.last_at
                    THEN COALESCE(excluded.last_from, token_uses.last_from)
                    ELSE COALESCE(token_uses.last_from, excluded.last_from) END,
                last_at = CASE WHEN excluded.last_at >= token_uses.last_at
                    THEN excluded.last_at ELSE token_uses.last_at END";
        let UseDelta { jti, count, last_at, last_from } = delta;
        let params: &[&dyn Bind] =
            &[&jti.as_str(), &signed(*count), &last_at.unix(), &address(*last_from)];
        change(self.db, SQL, params)?;
        Ok(())
    }

    fn count_denial(&mut self, delta: &Denial) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO token_denials
                (jti, workspace, count, first_at, last_at, last_from)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (jti) DO UPDATE SET count = token_denials.count + excluded.count,
                first_at = CASE WHEN excluded.first_at < token_denials.first_at
                    THEN excluded.first_at ELSE token_denials.first_at END,
                last_from = CASE WHEN excluded.last_at >= token_denials.last_at
                    THEN COALESCE(excluded.last_from, token_denials.last_from)
                    ELSE COALESCE(token_denials.last_from, excluded.last_from) END,
                last_at = CASE WHEN excluded.last_at >= token_denials.last_at
                    THEN excluded.last_at ELSE token_denials.last_at END";
        let params: &[&dyn Bind] = &[
            &delta.jti.as_str(),
            delta.workspace.as_bytes(),
            &signed(delta.count),
            &delta.first_at.unix(),
            &delta.last_at.unix(),
            &address(delta.last_from),
        ];
        change(self.db, SQL, params)?;
        Ok(())
    }
}
