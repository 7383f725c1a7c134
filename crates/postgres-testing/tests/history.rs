//! How a history is lost, shown with the real thing: what the product must survive.

use nt_postgres_testing::{Backup, Bouncer, Cluster, Commit, Dump, Replicated, Said, Session};

const MAKE: &str = "CREATE TABLE t (n int)";
const READ: &str = "SELECT n FROM t ORDER BY n";

fn insert(n: u32) -> String {
    format!("INSERT INTO t VALUES ({n})")
}

#[test]
fn a_cancelled_synchronous_wait_warns_and_the_row_is_there_for_all_to_see() {
    let pair = Replicated::start(Commit::Synchronous).expect("they start");
    let primary = pair.primary();
    primary.sql(MAKE).expect("made");
    pair.cut().expect("cut");
    let mut session = Session::to(&primary.url("postgres")).expect("open");
    session.begin(&insert(1)).expect("sent");
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while primary.sql(cancel).expect("asked").is_empty() {}
    let answer = session.finish().expect("a success, says PostgreSQL");
    assert_eq!(answer.notices.first().expect("a warning").code, "01000");
    assert_eq!(primary.sql(READ).expect("read"), "1");
    pair.promote().expect("promoted");
    assert_eq!(pair.standby().sql(READ).expect("read"), "", "and then it is gone");
}

#[test]
fn a_synchronous_promotion_loses_nothing_and_begins_a_timeline_that_is_known_at_once() {
    let pair = Replicated::start(Commit::Synchronous).expect("they start");
    pair.primary().sql(MAKE).expect("made");
    pair.primary().sql(&insert(1)).expect("committed");
    assert_eq!(pair.primary().timeline().expect("known"), 1);
    pair.primary().kill().expect("killed");
    pair.promote().expect("promoted");
    assert_eq!(pair.standby().timeline().expect("known"), 2);
    pair.standby().sql(&insert(2)).expect("committed");
    assert_eq!(pair.standby().sql(READ).expect("read"), "1\n2");
}

#[test]
fn an_asynchronous_promotion_loses_a_commit_while_the_old_primary_goes_on() {
    let pair = Replicated::start(Commit::Asynchronous).expect("they start");
    pair.primary().sql(MAKE).expect("made");
    pair.cut().expect("cut");
    pair.heal().expect("healed");
    pair.until_equal().expect("it follows");
    assert_eq!(pair.standby().sql(READ).expect("the table is there"), "");
    pair.cut().expect("cut");
    pair.primary().sql(&insert(1)).expect("committed and answered");
    pair.promote().expect("promoted");
    pair.standby().sql(&insert(2)).expect("committed");
    pair.primary().sql(&insert(3)).expect("the zombie commits too");
    assert_eq!(pair.standby().sql(READ).expect("read"), "2");
    assert_eq!(pair.primary().sql(READ).expect("read"), "1\n3");
}

#[test]
fn a_restored_copy_lacks_what_came_later_and_nothing_else_tells() {
    let cluster = Cluster::quick().expect("it starts");
    let identity = "SELECT system_identifier FROM pg_control_system()";
    let before = cluster.sql(identity).expect("known");
    cluster.sql(MAKE).expect("made");
    cluster.sql(&insert(1)).expect("committed");
    let backup = Backup::of(&cluster).expect("copied");
    cluster.sql(&insert(2)).expect("committed");
    let old = backup.start().expect("another, from the copy");
    assert_eq!(old.sql(READ).expect("read"), "1");
    cluster.return_to(&backup).expect("in its place");
    assert_eq!(cluster.sql(READ).expect("read"), "1");
    for one in [&cluster, &old] {
        assert_eq!(one.timeline().expect("known"), 1);
        assert_eq!(one.sql(identity).expect("known"), before);
    }
    old.stop().expect("stopped");
    let cold = Backup::of(&old).expect("copied while it is stopped").start().expect("starts");
    assert_eq!(cold.sql(READ).expect("read"), "1");
}

#[test]
fn a_dump_brings_the_contents_into_another_database() {
    let cluster = Cluster::shared().expect("it starts");
    let (from, to) = (cluster.database().expect("made"), cluster.database().expect("made"));
    let mut session = Session::to(&from).expect("open");
    session.ask(&format!("{MAKE}; {}", insert(1))).expect("committed");
    let dump = Dump::of(&from).expect("dumped");
    session.ask(&insert(2)).expect("committed");
    dump.restore(&to).expect("restored");
    assert_eq!(Session::to(&to).expect("open").ask(READ).expect("read").text(), "1");
}

#[test]
fn behind_the_bouncer_a_session_is_shared_by_transaction() {
    let cluster = Cluster::shared().expect("it starts");
    let database = cluster.database().expect("made");
    let bouncer = Bouncer::start(cluster).expect("it starts");
    let url = bouncer.through(&database).expect("a URL");
    let mut first = Session::to(&url).expect("open");
    let mut second = Session::to(&url).expect("open");
    let pid = "SELECT pg_backend_pid()";
    let one = first.ask(pid).expect("asked").text();
    assert_eq!(second.ask(pid).expect("asked").text(), one, "two clients, one server");
    first.ask("PREPARE named AS SELECT 1").expect("prepared");
    first.ask("BEGIN").expect("holds it now");
    let error = second.ask("EXECUTE named").expect_err("another server");
    assert_eq!(error.downcast_ref::<Said>().expect("PostgreSQL says so").code, "26000");
}
