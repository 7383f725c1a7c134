//! How SQLite serves the pages of a long list: by the index, without sorting.

use nt_token::Timestamp;
use rusqlite::Connection;

use super::connection;
use crate::record::{PageRequest, TokenFilter};
use crate::sql::Db;
use crate::sql::token::{page, page_sql};

/// The plan of a statement, a line a step.
fn plan(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("valid");
    let mut rows = statement.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a plan") {
        lines.push(row.get::<_, String>(3).expect("a text"));
    }
    lines.join("\n")
}

/// A database with a workspace of 100,000 tokens, 9 in 10 of them revoked.
fn large() -> Connection {
    const FILL: &str = "
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 99999)
        INSERT INTO tokens SELECT 'jti_' || n, x'00112233445566778899aabbccddeeff', 'op_1',
            1000000 + n / 3, 2000000 + n, 0, 'read', NULL, 'kid', 'audience', 0, 0, n, NULL,
            NULL, zeroblob(32), CASE WHEN n % 10 THEN 1500000 END, 'op_1', NULL, '' FROM n;
        ANALYZE;";
    let mut db = Connection::open_in_memory().expect("opens");
    connection::migrate(&mut db).expect("migrates");
    db.execute_batch(
        "INSERT INTO workspaces (id, owner, name, created_at, first_token, request_digest)
         VALUES (x'00112233445566778899aabbccddeeff', 'op_1', 'demo', 1, 'jti_0', x'00');
         INSERT INTO lists VALUES (0, 1, 1048576, 100000);",
    )
    .expect("filled");
    db.execute_batch(FILL).expect("filled");
    db
}

#[test]
fn a_page_of_a_long_list_is_served_by_the_index_without_sorting() {
    let db = large();
    let now = Timestamp::from_unix(2_050_000);
    for filter in [
        TokenFilter::All,
        TokenFilter::Active(now),
        TokenFilter::Expired(now),
        TokenFilter::Revoked,
    ] {
        for after in [false, true] {
            let plan = plan(&db, &page_sql(filter, after));
            let index = "USING INDEX tokens_by_workspace (workspace=?";
            assert!(plan.contains(index), "{filter:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
            assert!(!plan.contains("SCAN"), "{filter:?}: {plan}");
        }
        let seek = plan(&db, &page_sql(filter, true));
        assert!(seek.contains("(workspace=? AND (created_at,jti)<(?,?))"), "{seek}");
    }
}

#[test]
fn the_pages_of_a_long_list_are_all_of_it() {
    let db = large();
    let workspace = "00112233-4455-6677-8899-aabbccddeeff".parse().expect("a workspace");
    let (mut after, mut seen) = (None, 0);
    loop {
        let request = PageRequest { limit: Some(9_999), after };
        let filter = TokenFilter::Active(Timestamp::from_unix(0));
        let page = page(Db::Sqlite(&db), workspace, filter, &request).expect("reads");
        seen += page.tokens.len();
        after = page.tokens.last().map(|(last, _)| (last.created_at, last.jti.clone()));
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, 10_000);
}
