//! What an export holds, and what is not taken for one.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

use nt_revocation::Fact;
use nt_token::EntryId;

use super::tables::TABLES;
use super::{ExportKind, ImportError, Moved};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::store::Store as _;

fn options(directory: &Path) -> SqliteOptions {
    SqliteOptions { database: directory.join("ntd.db"), high_water: directory.join("high-water") }
}

/// An authority with something in each kind of column, in a directory of its own.
async fn authority() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(options(directory.path()), Box::new(|_| ())).expect("opens");
    store.found("https://tokens.example").await.expect("founded");
    for number in 0..450_u32 {
        let id = EntryId(u128::from(number + 1).to_be_bytes());
        let fact = Fact::KeyRevoked { kid: "a-kid".parse().expect("a kid") };
        store.append(vec![(id, fact)]).await.expect("appended");
    }
    store.close().await;
    drop(store);
    let db = rusqlite::Connection::open(directory.path().join("ntd.db")).expect("opens");
    db.execute_batch(
        "INSERT INTO operators VALUES ('op_1', 'https://id.example', '7', NULL, 'Zoë \"Z\"');
         INSERT INTO workspaces VALUES (x'00112233445566778899aabbccddeeff', 'op_1', 'demo', NULL, 1,
            'jti_1', NULL, x'00ff', NULL, NULL, NULL, NULL);
         INSERT INTO lists VALUES (0, 24000, 1024, 1);
         INSERT INTO tokens VALUES ('jti_1', x'00112233445566778899aabbccddeeff', 'op_1', 1, 2, 1,
            'read', NULL, 'kid', 'aud', 0, 0, 5, NULL, NULL, x'', NULL, NULL, NULL, '10.0.0.0/8');",
    )
    .expect("filled");
    directory
}

fn exported(directory: &Path) -> (Moved, Vec<u8>) {
    let mut file = Vec::new();
    let moved = options(directory).export(ExportKind::Move, &mut file).expect("exported");
    (moved, file)
}

fn imported(file: &[u8]) -> Result<(tempfile::TempDir, Moved), ImportError> {
    let directory = tempfile::tempdir().expect("a directory");
    let moved = options(directory.path()).import(&mut Cursor::new(file))?;
    Ok((directory, moved))
}

#[tokio::test]
async fn what_was_exported_is_imported_with_every_position_kept() {
    let from = authority().await;
    let (sent, file) = exported(from.path());
    let (to, received) = imported(&file).expect("imported");
    assert_eq!((&sent, sent.head.seq), (&received, 450));
    let (again, copy) = exported(to.path());
    assert_eq!(again, sent);
    assert_eq!(copy, file, "nothing is lost on the way, and nothing added");
    let store = SqliteStore::open(options(to.path()), Box::new(|_| ())).expect("opens");
    assert_eq!(store.head().await.expect("answers"), sent.head);
    assert_eq!(
        store.found("https://other.example").await.expect("answers").issuer,
        "https://tokens.example"
    );
}

#[tokio::test]
async fn every_column_of_every_table_is_moved() {
    let from = authority().await;
    let db = rusqlite::Connection::open(from.path().join("ntd.db")).expect("opens");
    let mut statement = db
        .prepare(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'
                AND m.name NOT IN ('refinery_schema_history', 'meta', 'nodes')",
        )
        .expect("valid");
    let schema: BTreeSet<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("texts");
    let moved = TABLES.iter().flat_map(|table| {
        table.columns.iter().map(|column| (table.name.to_owned(), (*column).to_owned()))
    });
    assert_eq!(moved.collect::<BTreeSet<_>>(), schema);
}

#[tokio::test]
async fn a_file_that_is_damaged_or_cut_short_or_of_another_kind_is_refused_whole() {
    let from = authority().await;
    let (_, file) = exported(from.path());
    let text = String::from_utf8(file.clone()).expect("text");
    let refused = |text: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = Cursor::new(text.as_bytes());
        let error = options(directory.path()).import(&mut file).expect_err("refused");
        assert!(!directory.path().join("ntd.db").exists(), "nothing is left of it");
        error.to_string()
    };
    assert!(refused("").contains("cut short"));
    assert!(refused("hello\n").contains("no export"));
    assert!(refused(&text.replace("\"ntd_export\":1", "\"ntd_export\":2")).contains("version 2"));
    assert!(refused(&text.replace("jti_1", "jti_2")).contains("checksum"));
    assert!(refused(&text.replacen("\"head\":450", "\"head\":449", 1)).contains("checksum"));
    assert!(refused(&text.replacen("\"seq\",", "", 1)).contains("other columns"));
    for lines in [1, 2, 40, text.lines().count() - 1] {
        let cut: Vec<&str> = text.lines().take(lines).collect();
        assert!(refused(&(cut.join("\n") + "\n")).contains("cut short"), "{lines}");
    }
    assert!(refused(text.trim_end()).contains("cut short"));
}

#[tokio::test]
async fn nothing_is_imported_into_what_is_not_empty_and_nothing_exported_that_runs() {
    let from = authority().await;
    let (_, file) = exported(from.path());
    let again = options(from.path()).import(&mut Cursor::new(&file));
    assert!(matches!(again, Err(ImportError::NotEmpty)));
    let _running = SqliteStore::open(options(from.path()), Box::new(|_| ())).expect("opens");
    let mut sink = Vec::new();
    assert!(options(from.path()).export(ExportKind::Copy, &mut sink).is_err());
    assert!(sink.is_empty());
}

#[tokio::test]
async fn nothing_is_served_from_a_copy_before_it_was_recovered() {
    let from = authority().await;
    let mut file = Vec::new();
    options(from.path()).export(ExportKind::Copy, &mut file).expect("exported");
    let (to, _) = imported(&file).expect("imported");
    let opened = SqliteStore::open(options(to.path()), Box::new(|_| ()));
    assert!(matches!(opened, Err(crate::StoreError::HistoryLost { .. })));
}
