//! A cluster does what is said of it.

use nt_postgres_testing::{Cluster, Said, Session};

#[test]
fn a_shared_clusters_databases_are_fresh_and_may_be_copied() {
    let cluster = Cluster::shared().expect("PostgreSQL starts");
    let first = cluster.database().expect("made");
    Session::to(&first).expect("open").ask("CREATE TABLE t AS SELECT 7 AS n").expect("made");
    let copied = cluster.copy_of(&first).expect("made");
    let read = Session::to(&copied).expect("open").ask("SELECT n FROM t").expect("read");
    assert_eq!(read.text(), "7");
    let second = cluster.database().expect("made");
    let error = Session::to(&second).expect("open").ask("SELECT n FROM t").expect_err("no table");
    assert_eq!(error.downcast_ref::<Said>().expect("PostgreSQL says so").code, "42P01");
}

#[test]
fn what_was_committed_survives_a_kill_an_immediate_stop_and_a_restart() {
    let cluster = Cluster::start().expect("PostgreSQL starts");
    assert_eq!(cluster.sql("SHOW fsync").expect("asked"), "on");
    cluster.sql("CREATE TABLE t (n int)").expect("made");
    cluster.sql("INSERT INTO t VALUES (1)").expect("committed");
    cluster.kill().expect("killed");
    assert!(cluster.sql("SELECT 1").is_err(), "nobody answers");
    cluster.start_again().expect("recovers");
    cluster.sql("INSERT INTO t VALUES (2)").expect("committed");
    cluster.stop_immediately().expect("stopped");
    cluster.start_again().expect("recovers");
    cluster.sql("INSERT INTO t VALUES (3)").expect("committed");
    cluster.restart().expect("comes back to its port");
    assert_eq!(cluster.sql("SELECT n FROM t ORDER BY n").expect("read"), "1\n2\n3");
}

#[test]
fn a_frozen_cluster_answers_only_after_it_goes_on() {
    let cluster = Cluster::quick().expect("PostgreSQL starts");
    let mut session = Session::to(&cluster.url("postgres")).expect("open");
    cluster.pause().expect("frozen");
    session.begin("SELECT 1").expect("nobody is told");
    let asked = std::thread::spawn(move || session.finish());
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!asked.is_finished());
    cluster.resume().expect("goes on");
    assert_eq!(asked.join().expect("no panic").expect("an answer").text(), "1");
    cluster.pause().expect("frozen");
    // Its drop ends it all the same.
}

#[test]
fn a_setting_holds_at_once_and_after_a_restart() {
    let cluster = Cluster::quick().expect("PostgreSQL starts");
    cluster.config("work_mem", "123MB").expect("set");
    assert_eq!(cluster.sql("SHOW work_mem").expect("asked"), "123MB");
    cluster.config("max_connections", "37").expect("set");
    let elsewhere = "127.0.0.2".parse().expect("an address");
    cluster.also_listen(elsewhere).expect("comes back");
    let mut there = cluster.address();
    there.set_ip(elsewhere);
    for address in [cluster.address(), there] {
        let mut session = Session::open(address, "postgres").expect("it is trusted");
        assert_eq!(session.ask("SHOW max_connections").expect("asked").text(), "37");
    }
}

#[test]
fn a_dropped_cluster_leaves_nothing() {
    let cluster = Cluster::quick().expect("PostgreSQL starts");
    let (dir, address) = (cluster.dir().to_owned(), cluster.address());
    drop(cluster);
    assert!(!dir.exists() && Session::open(address, "postgres").is_err());
}
