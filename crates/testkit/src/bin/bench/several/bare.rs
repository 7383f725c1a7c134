//! A bare client of PostgreSQL: the rows of revocations, and nothing else that the authority does.

use anyhow::{Context as _, Result, ensure};
use nt_token::clock::Stopwatch;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use tokio_stream::StreamExt as _;

use super::{float, jti};

/// Odd: different numbers have different products, in no order.
const SPREAD: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;

/// A connection that is driven by whoever waits for an answer.
pub(super) struct Plain {
    // Declared before the runtime that its task lives in.
    client: Client,
    runtime: Runtime,
}

impl Plain {
    pub(super) fn open(url: &str) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        // Where it breaks, whoever asks next is told.
        drop(runtime.spawn(async { drop(connection.await) }));
        Ok(Self { client, runtime })
    }

    /// Runs statements.
    pub(super) fn run(&self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.batch_execute(sql)).with_context(|| sql.to_owned())
    }

    /// The one number that is asked for.
    pub(super) fn number(&self, sql: &str) -> Result<i64> {
        let row = self.runtime.block_on(self.client.query_one(sql, &[]));
        Ok(row.with_context(|| sql.to_owned())?.get(0))
    }

    /// The lines of a text that is answered, a plan for example.
    pub(super) fn text(&self, sql: &str) -> Result<String> {
        let rows = self.runtime.block_on(self.client.query(sql, &[]));
        let rows = rows.with_context(|| sql.to_owned())?;
        Ok(rows.iter().map(|row| row.get::<_, String>(0) + "\n").collect())
    }

    /// Reads the whole log as it comes; how many bytes its bodies have.
    pub(super) fn read_log(&self) -> Result<usize> {
        const SQL: &str = "SELECT seq, id, kind, body FROM log ORDER BY seq";
        self.runtime.block_on(async {
            let rows = self.client.query_raw(SQL, std::iter::empty::<i64>()).await?;
            tokio::pin!(rows);
            let mut bytes = 0;
            while let Some(row) = rows.next().await {
                let row = row?;
                let (_seq, _kind): (i64, i64) = (row.get(0), row.get(2));
                bytes += row.get::<_, &[u8]>(1).len() + row.get::<_, &[u8]>(3).len();
            }
            Ok(bytes)
        })
    }
}

/// Revokes tokens as barely as can be: an entry, an audit record, the token's row changed; all in one
/// transaction whose statements are sent at once.
pub(super) struct Bare {
    plain: Plain,
    log: Statement,
    audit: Statement,
    tokens: Statement,
    workspace: Vec<u8>,
    operator: String,
    /// The next token, and the next number in the log and in the audit log.
    token: i64,
    seq: i64,
    record: i64,
}

impl Bare {
    /// In a database that nobody else writes to, from this token on.
    pub(super) fn open(url: &str) -> Result<Self> {
        const LOG: &str =
            "INSERT INTO log (seq, id, kind, body) SELECT new.seq, new.id, 1, new.body
            FROM unnest($1::BIGINT[], $2::BYTEA[], $3::BYTEA[]) AS new (seq, id, body)";
        const AUDIT: &str = "INSERT INTO audit (id, at, operator, action, workspace, jti)
            SELECT new.id, 1764000000, $1::TEXT, 'token.revoked', $2::BYTEA, new.jti
            FROM unnest($3::BIGINT[], $4::TEXT[]) AS new (id, jti)";
        const TOKENS: &str = "UPDATE tokens SET revoked_at = 1764000000, revoked_by = $1
            FROM unnest($2::TEXT[]) AS new (jti)
            WHERE tokens.jti = new.jti AND tokens.revoked_at IS NULL";
        let plain = Plain::open(url)?;
        let prepare = |sql| plain.runtime.block_on(plain.client.prepare(sql));
        let (log, audit, tokens) = (prepare(LOG)?, prepare(AUDIT)?, prepare(TOKENS)?);
        let who = plain.client.query_one("SELECT workspace, created_by FROM tokens LIMIT 1", &[]);
        let who = plain.runtime.block_on(who)?;
        let (workspace, operator) = (who.get(0), who.get(1));
        let seq = plain.number("SELECT head + 1 FROM meta")?;
        let record = plain.number("SELECT COALESCE(MAX(id), 0) + 1 FROM audit")?;
        Ok(Self { plain, log, audit, tokens, workspace, operator, token: 1, seq, record })
    }

    /// Revokes the next so many in one transaction.
    pub(super) fn commit(&mut self, count: i64) -> Result<()> {
        let jtis: Vec<String> = (self.token..self.token + count).map(jti).collect();
        let seqs: Vec<i64> = (self.seq..self.seq + count).collect();
        let records: Vec<i64> = (self.record..self.record + count).collect();
        let spread = |seq: &i64| u128::from(seq.cast_unsigned()).wrapping_mul(SPREAD);
        let ids: Vec<Vec<u8>> = seqs.iter().map(|seq| spread(seq).to_be_bytes().to_vec()).collect();
        // As long as an entry's: the place, the end, the token's identifier.
        let bodies = vec![vec![7_u8; 46]; jtis.len()];
        (self.token, self.seq, self.record) =
            (self.token + count, self.seq + count, self.record + count);
        let client = &self.plain.client;
        let log: [&(dyn ToSql + Sync); 3] = [&seqs, &ids, &bodies];
        let audit: [&(dyn ToSql + Sync); 4] = [&self.operator, &self.workspace, &records, &jtis];
        let tokens: [&(dyn ToSql + Sync); 2] = [&self.operator, &jtis];
        let ((), inserted, _, revoked, ()) = self.plain.runtime.block_on(async {
            tokio::try_join!(
                biased;
                client.batch_execute("BEGIN"),
                client.execute(&self.log, &log),
                client.execute(&self.audit, &audit),
                client.execute(&self.tokens, &tokens),
                client.batch_execute("COMMIT"),
            )
        })?;
        ensure!(
            i128::from(inserted) == i128::from(count) && revoked == inserted,
            "all are revoked"
        );
        Ok(())
    }

    /// How many are revoked a second, so many in each transaction.
    pub(super) fn rate(&mut self, count: i64, batch: i64) -> Result<f64> {
        let watch = Stopwatch::start();
        for _ in 0..count / batch {
            self.commit(batch)?;
        }
        let done = usize::try_from(count / batch * batch)?;
        Ok(float(done)? / watch.elapsed().as_secs_f64())
    }
}
