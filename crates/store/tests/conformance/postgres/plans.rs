//! How PostgreSQL serves the pages of a long list.

use nt_postgres_testing::Session;

use super::Node;
use crate::world::fresh_database;

const FILL: &str = "INSERT INTO workspaces (id, owner, name, created_at, first_token, request_digest)
        SELECT decode(md5(n::text), 'hex'), 'op_1', 'demo ' || n, 1, 'jti_0', '' FROM generate_series(0, 9) n;
    INSERT INTO lists VALUES (0, 1, 1048576, 100000);
    INSERT INTO tokens SELECT 'jti_' || n, decode(md5((n % 10)::text), 'hex'), 'op_1',
        1000000 + n / 3, 2000000 + n, false, 'read', NULL, 'kid', 'audience', 0, 0, n, NULL, NULL, '',
        CASE WHEN n % 10 <> 3 THEN 1500000 END, 'op_1', NULL FROM generate_series(0, 99999) n;
    ANALYZE";

/// The statement of a page as `sql::token` builds it, as a prepared statement's generic plan.
fn page(filter: &str, after: &str) -> String {
    format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE page (bytea, bigint, bigint, bigint, text) AS
         SELECT * FROM issued_tokens WHERE workspace = $1 AND {filter} AND {after}
         ORDER BY created_at DESC, jti DESC LIMIT $2;
         EXPLAIN EXECUTE page (decode(md5('3'), 'hex'), 21, 2050000, 1020000, 'jti_9');
         DEALLOCATE page"
    )
}

#[tokio::test]
async fn a_page_of_a_long_list_is_served_by_the_index_without_sorting() {
    let url = fresh_database();
    Node::open(&url).close().await;
    let mut session = Session::to(&url).expect("connects");
    session.ask(FILL).expect("filled");
    let unused = "CAST($3 AS BIGINT) IS NULL";
    for filter in [
        "revoked_at IS NULL AND expires_at > $3".to_owned(),
        "revoked_at IS NULL AND expires_at <= $3".to_owned(),
        format!("revoked_at IS NOT NULL AND {unused}"),
        unused.to_owned(),
    ] {
        for after in [
            "(created_at, jti) < ($4, $5)",
            "CAST($4 AS BIGINT) IS NULL AND CAST($5 AS TEXT) IS NULL",
        ] {
            let answer = session.ask(&page(&filter, after)).expect("a plan");
            let lines: Vec<_> = answer.rows.into_iter().flatten().flatten().collect();
            let plan = lines.join("\n");
            let revoked = filter.starts_with("revoked_at IS NOT NULL");
            let index = if revoked { "tokens_revoked" } else { "tokens_by_workspace" };
            assert!(plan.contains(&format!("Index Scan using {index}")), "{filter}: {plan}");
            assert!(!plan.contains("Sort"), "{filter}: {plan}");
            assert!(!plan.contains("Seq Scan on tokens"), "{filter}: {plan}");
            if after.starts_with('(') {
                assert!(plan.contains("ROW(created_at, jti) <"), "{plan}");
            }
        }
    }
}
