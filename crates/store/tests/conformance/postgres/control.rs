//! The negative control: the log that this one is not. Numbers from a sequence become visible out of
//! order, and whoever follows them by the last number seen loses an entry for good.

use nt_postgres_testing::Session;
use nt_store::Store;

use super::{Node, fact};
use crate::world::fresh_database;

#[tokio::test]
async fn a_follower_of_a_sequence_loses_an_entry_and_one_of_the_log_does_not() {
    let url = fresh_database();
    let node = Node::open(&url);
    let mut reader = Session::to(&url).expect("connects");
    reader.ask("CREATE TABLE naive (seq BIGSERIAL PRIMARY KEY)").expect("made");

    // Two writers of the sequence: the first to take a number is the last to commit.
    let mut slow = Session::to(&url).expect("connects");
    slow.ask("BEGIN; INSERT INTO naive DEFAULT VALUES").expect("number 1");
    let mut quick = Session::to(&url).expect("connects");
    quick.ask("INSERT INTO naive DEFAULT VALUES").expect("number 2");
    let mut last = 0;
    let mut seen = Vec::new();
    let mut follow = |last: &mut i64, seen: &mut Vec<i64>| {
        let sql = format!("SELECT seq FROM naive WHERE seq > {last} ORDER BY seq");
        for row in reader.ask(&sql).expect("answers").rows {
            let seq = row[0].as_deref().expect("a number").parse().expect("a number");
            seen.push(seq);
            *last = seq;
        }
    };
    follow(&mut last, &mut seen);
    slow.ask("COMMIT").expect("committed");
    follow(&mut last, &mut seen);
    assert_eq!(seen, [2], "the control loses number 1");

    // Two writers of the log, of which one stands still under the lock as long as it may.
    slow.ask("BEGIN; SELECT * FROM meta FOR UPDATE").expect("locked");
    let waits = std::sync::Arc::clone(&node.store);
    let step = tokio::spawn(async move { waits.append(vec![fact(1)]).await });
    let id = "decode(repeat('ab', 16), 'hex')";
    let body = "(SELECT substr(decode(repeat('00', 16), 'hex'), 1, 16))";
    slow.ask(&format!(
        "UPDATE meta SET head = head + 1; INSERT INTO log SELECT head, {id}, {}, {body} FROM meta",
        fact(1).1.kind()
    ))
    .expect("number 1");
    slow.ask("COMMIT").expect("committed");
    let end = step.await.expect("no panic").expect("appended");
    assert_eq!(end.seq, 2, "numbered behind what was committed before");
    node.until_told(2).await;
    assert_eq!(node.told(), node.log().await, "nothing is lost");
}
