//! How a log is read over the leap that a new epoch makes.

use nt_revocation::{Fact, first_of_epoch};
use nt_token::EntryId;
use rusqlite::{Connection, params};

use super::connection;
use crate::error::StoreError;
use crate::sql::Db;
use crate::sql::log::entries_after;
use crate::sql::row::signed;

fn log(entries: &[(u64, u8, Fact)]) -> Connection {
    let mut db = Connection::open_in_memory().expect("memory");
    connection::migrate(&mut db).expect("tables");
    for (seq, id, fact) in entries {
        let row = params![signed(*seq), [*id; 16], fact.kind(), fact.body()];
        db.execute("INSERT INTO log (seq, id, kind, body) VALUES (?1, ?2, ?3, ?4)", row)
            .expect("written");
    }
    db
}

fn nothing() -> Fact {
    Fact::NodeGone { node: 1, incarnation: 1 }
}

fn began(after: u64, id: u8) -> Fact {
    Fact::EpochBegan { epoch: 2, after, entry: EntryId([id; 16]) }
}

#[test]
fn a_log_is_read_on_into_a_new_epoch_from_wherever_it_is_asked_for() {
    let first = first_of_epoch(2);
    let db = log(&[(1, 1, nothing()), (2, 2, nothing()), (first, 3, began(2, 2))]);
    let numbers = |after| {
        let read = entries_after(Db::Sqlite(&db), after, 9).expect("reads");
        read.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0), [1, 2, first]);
    for after in [2, 3, first - 1] {
        assert_eq!(numbers(after), [first], "{after}");
    }
    assert!(numbers(first).is_empty());
}

#[test]
fn any_other_leap_in_a_log_is_damage() {
    for (seq, id, fact) in [
        (3, 3, began(2, 2)),
        (first_of_epoch(2), 3, nothing()),
        (first_of_epoch(2), 3, began(2, 9)),
        (first_of_epoch(2), 3, began(1, 2)),
        (first_of_epoch(1), 3, began(1, 2)),
        (first_of_epoch(2) + 1, 3, began(2, 2)),
    ] {
        let db = log(&[(1, 1, nothing()), (2, 2, nothing()), (seq, id, fact.clone())]);
        let read = entries_after(Db::Sqlite(&db), 0, 9);
        assert!(matches!(read, Err(StoreError::Corrupt(_))), "{seq} {fact:?}");
    }
    let db = log(&[(1, 1, nothing()), (3, 3, nothing())]);
    assert!(matches!(entries_after(Db::Sqlite(&db), 1, 9), Err(StoreError::Corrupt(_))));
}
