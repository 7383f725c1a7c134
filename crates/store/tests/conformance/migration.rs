//! A database of an earlier schema: what it holds is there after the migration.

use std::path::Path;

use nt_revocation::{Entry, Fact};
use nt_store::{
    Action, AddedMember, AuditQuery, Belonging, Denial, Identity, Operator, PageRequest, Person,
    PersonKey, Role, Store, TokenFilter, Visibility, Workspace,
};
use nt_token::record::TokenUse;
use nt_token::{
    EntryId, Expiry, Jti, Networks, OperatorId, Place, Scopes, State, Timestamp, TokenRecord,
    WorkspaceId,
};
use refinery::{Migration, Runner};
use rusqlite::{Connection, params};

use crate::world::{Ids, act, database, identity, kid, open, operator};

const V1: &str = include_str!("../../migrations/V1__foundation.sql");

/// Two operators, a live and a deleted workspace, a live and a revoked token.
const DATA: &str = "
    UPDATE meta SET head = 1, issuer = 'https://a.example';
    INSERT INTO operators VALUES ('op_1', 'https://id.example', '1', 'One@example.com', 'One'),
        ('op_2', 'https://id.example', '2', NULL, NULL);
    INSERT INTO sessions VALUES (zeroblob(32), 'op_1', 1000, 9000000000);
    INSERT INTO workspaces VALUES (x'00000000000000000000000000000001', 'op_1', 'live', 'text',
            1000, 'jti_1', 'key', zeroblob(32), NULL, NULL, NULL),
        (x'00000000000000000000000000000002', 'op_1', 'gone', NULL,
            1100, 'jti_2', NULL, zeroblob(32), 1200, 'op_1', 'deletion');
    INSERT INTO members VALUES ('op_1', x'00000000000000000000000000000001', 'owner'),
        ('op_1', x'00000000000000000000000000000002', 'owner');
    INSERT INTO lists VALUES (0, 684, 1024, 2);
    INSERT INTO token_uses VALUES ('jti_1', 7, 1050, '192.0.2.1');
    INSERT INTO token_denials VALUES
        ('jti_3', x'00000000000000000000000000000001', 3, 1041, 1042, NULL);
    INSERT INTO audit VALUES
        (1, 1000, 'op_1', '192.0.2.1', 'workspace.created',
            x'00000000000000000000000000000001', 'jti_1', NULL),
        (2, 1040, 'op_1', NULL, 'token.revoked',
            x'00000000000000000000000000000001', 'jti_3', 'leaked');";

const TOKENS: &str = "INSERT INTO tokens VALUES
    ('jti_1', x'00000000000000000000000000000001', 'op_1', 1000, 4000000000, 0, 'read', 'text', ?1,
        'https://api.example', 0, 0, 3, NULL, NULL, zeroblob(32), NULL, NULL, NULL),
    ('jti_3', x'00000000000000000000000000000001', 'op_1', 1030, 4000000000, 1, 'read write', NULL, ?1,
        'https://api.example', 0, 0, 5, NULL, NULL, zeroblob(32), 1040, 'op_1', 'leaked')";

fn at(unix: i64) -> Timestamp {
    Timestamp::from_unix(unix)
}

fn jti(text: &str) -> Jti {
    text.parse().expect("a JTI")
}

fn one() -> Operator {
    let identity =
        Identity { name: Some("One".to_owned()), ..identity("1", Some("One@example.com")) };
    Operator { id: op("op_1"), identity }
}

fn op(text: &str) -> OperatorId {
    text.parse().expect("an operator's ID")
}

fn live() -> Workspace {
    Workspace {
        id: WorkspaceId::from_bytes(1_u128.to_be_bytes()),
        name: "live".to_owned(),
        description: Some("text".to_owned()),
        created_at: at(1_000),
        organisation: None,
    }
}

/// The tokens, newest first, with the first entry of the log, which revokes the newest.
fn tokens() -> ([TokenRecord; 2], Entry) {
    let first = TokenRecord {
        jti: jti("jti_1"),
        workspace: live().id,
        created_by: op("op_1"),
        created_at: at(1_000),
        expiry: Expiry::At(at(4_000_000_000)),
        scope: "read".parse().expect("a scope"),
        source_networks: Networks::default(),
        description: Some("text".to_owned()),
        kid: kid(),
        audience: "https://api.example".to_owned(),
        rv: 0,
        place: Place { list: 0, idx: 3 },
        state: State::Live,
        used: Some(TokenUse {
            count: 7,
            last_at: at(1_050),
            last_from: Some(std::net::IpAddr::from([192, 0, 2, 1])),
        }),
    };
    let (at, place) = (Timestamp::from_unix(1_040), Place { list: 0, idx: 5 });
    let leaked = TokenRecord {
        jti: jti("jti_3"),
        created_at: Timestamp::from_unix(1_030),
        expiry: Expiry::Never { claimed: Timestamp::from_unix(4_000_000_000) },
        scope: Scopes::default(),
        description: None,
        place,
        state: State::Revoked { at, by: op("op_1"), reason: Some("leaked".to_owned()) },
        used: None,
        ..first.clone()
    };
    let exp = leaked.expiry.claimed();
    let fact = Fact::TokenRevoked { place, jti: leaked.jti.clone(), exp };
    ([leaked, first], Entry { seq: 1, id: EntryId([7; 16]), fact })
}

/// Puts a database of version 1 in this directory, with the witness of its log's end.
async fn version_1(directory: &Path) {
    let (_, entry) = tokens();
    // The witness's own format is as it was: a store that appended the same entry writes it.
    let store = open(directory).expect("opens");
    store.append(vec![(entry.id, entry.fact.clone())]).await.expect("appended");
    store.close().await;
    drop(store);
    std::fs::remove_file(database(directory)).expect("removed");

    let mut db = Connection::open(database(directory)).expect("opens");
    let first = Migration::unapplied("V1__foundation", V1).expect("a migration");
    Runner::new(&[first]).run(&mut db).expect("migrates");
    db.execute_batch("PRAGMA foreign_keys = ON").expect("set");
    db.execute_batch(DATA).expect("filled");
    db.execute(TOKENS, [kid().as_str()]).expect("filled");
    let Entry { id, fact, .. } = entry;
    db.execute("INSERT INTO log VALUES (1, ?1, ?2, ?3)", params![id.0, fact.kind(), fact.body()])
        .expect("filled");
}

#[tokio::test]
async fn a_database_of_version_1_keeps_its_tokens_log_members_and_audit() {
    let directory = tempfile::tempdir().expect("a directory");
    version_1(directory.path()).await;
    // The second time there is nothing left to do.
    for _ in 0..2 {
        let store = open(directory.path()).expect("opens");
        let (expected, entry) = tokens();
        assert_eq!(store.entries_after(0, 9).await.expect("answers"), [entry]);
        assert_eq!(store.head().await.expect("answers").seq, 1);
        let founded = store.found("https://b.example").await.expect("answers");
        assert_eq!(founded.issuer, "https://a.example");

        let page = store.tokens(live().id, TokenFilter::All, PageRequest::default()).await;
        let found = page.expect("answers").tokens;
        let email = Some("One@example.com".to_owned());
        assert_eq!(found, expected.map(|token| (token, email.clone())));
        let denials = store.denials(Visibility::Of(op("op_1")), None, None, 9).await;
        let denied = Denial {
            jti: jti("jti_3"),
            workspace: live().id,
            count: 3,
            first_at: at(1_041),
            last_at: at(1_042),
            last_from: None,
        };
        assert_eq!(denials.expect("answers"), [denied]);

        let theirs = store.workspaces(&op("op_1")).await.expect("answers");
        assert_eq!(theirs.len(), 1);
        assert_eq!((&theirs[0].workspace, theirs[0].role), (&live(), Role::Owner));
        let owner =
            Belonging { person: Person::Operator(one()), role: Role::Owner, since: at(1_000) };
        assert_eq!(store.members(live().id).await.expect("answers"), [owner]);
        let gone = WorkspaceId::from_bytes(2_u128.to_be_bytes());
        let deletion = store.deletion(gone, &op("op_1"), "deletion").await.expect("answers");
        assert_eq!(deletion, Some(at(1_200)));

        let visible = Visibility::Of(op("op_1"));
        let query = AuditQuery { visible, jti: None, since: None, before: None, limit: 9 };
        let audit = store.audit(query).await.expect("answers").records;
        let told: Vec<_> =
            audit.iter().map(|r| (r.id, r.action, r.act.at, r.reason.as_deref())).collect();
        let expected = [
            (2, Action::TokenRevoked, at(1_040), Some("leaked")),
            (1, Action::WorkspaceCreated, at(1_000), None),
        ];
        assert_eq!(told, expected);
        assert!(audit.iter().all(|record| record.about.is_none() && record.act.note.is_none()));
        store.close().await;
    }
}

#[tokio::test]
async fn after_the_migration_people_sign_in_again_and_everything_new_works() {
    let directory = tempfile::tempdir().expect("a directory");
    version_1(directory.path()).await;
    let store = open(directory.path()).expect("opens");
    let ids = Ids::default();
    assert!(store.live_sessions(at(0)).await.expect("answers").is_empty());
    let session = ids.session(one().identity, operator(9), 0);
    let opened = store.open_session(session).await.expect("opened");
    assert_eq!(opened.operator, one(), "the operator of before");

    let step = act(&op("op_1"), 1);
    let who = PersonKey::Operator(op("op_2"));
    let added = store.add_member(live().id, who.clone(), Role::Owner, step.clone()).await;
    assert!(matches!(added, Ok(AddedMember::Added(_))), "{added:?}");
    let who = PersonKey::Email("one@example.com".to_owned());
    let entry = Some(ids.entry());
    let removed = store.remove_member(live().id, who, Role::Owner, entry, step).await;
    let removed = format!("{removed:?}");
    assert!(removed.ends_with("revoked: 1 })"), "{removed}");
    let (token, _) = store.token(live().id, &jti("jti_1")).await.expect("answers").expect("there");
    assert!(matches!(token.state, State::Revoked { .. }));
    assert_eq!(store.head().await.expect("answers").seq, 2);
}
