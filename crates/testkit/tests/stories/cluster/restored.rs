//! An old backup takes the database's place.

use std::fs;

use anyhow::Result;
use nt_postgres_testing::{Backup, Cluster};
use nt_testkit::Nodes;
use nt_testkit::nodes::{Database, Follower, Wires};
use nt_testkit::operator::Issued;

use super::{NODES, assert_all_refuse, fleet, tokens, until_all};

/// An authority whose backup lacks a revocation: of the second token of the two.
fn with_old_backup(cluster: &Cluster) -> Result<(Nodes, Vec<Follower>, Vec<Issued>, Backup)> {
    let nodes = Nodes::start(NODES, Database::Cluster(cluster), Wires::Proxies)?;
    let followers = fleet(&nodes, 3)?;
    let made = tokens(&nodes, 2)?;
    until_all(&followers, &made[1].token, 200)?;
    let backup = Backup::of(cluster)?;
    nodes.owners()[2].revoke(&made[1].workspace, &made[1].jti)?;
    until_all(&followers, &made[1].token, 401)?;
    Ok((nodes, followers, made, backup))
}

#[test]
fn an_old_backup_under_nodes_and_verifiers_that_run_is_refused_by_all_of_them() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let (mut nodes, followers, made, backup) = with_old_backup(&cluster)?;
        cluster.return_to(&backup)?;
        assert_all_refuse(&nodes, &followers, &made[0], &made[1])?;
        for node in &mut nodes.nodes {
            node.world.launch()?;
        }
        assert_all_refuse(&nodes, &followers, &made[0], &made[1])
    })()
    .expect("the story holds");
}

#[test]
fn an_old_backup_is_refused_where_only_verifiers_remember_what_it_lacks() {
    (|| -> Result<()> {
        let cluster = Cluster::start()?;
        let (mut nodes, followers, made, backup) = with_old_backup(&cluster)?;
        for node in &mut nodes.nodes {
            node.world.kill9()?;
            fs::remove_dir_all(node.world.data_dir())?;
        }
        cluster.return_to(&backup)?;
        for node in &mut nodes.nodes {
            node.world.launch()?;
        }
        // Nodes that know nothing may take the backup for the truth: who remembers must not.
        let refuses = |token: &str, wanted: &[u16]| {
            let says = |follower: &Follower| super::said(&follower.service, token);
            followers
                .iter()
                .all(|follower| says(follower).is_none_or(|said| wanted.contains(&said)))
        };
        for _ in 0..80 {
            assert!(refuses(&made[1].token, &[401, 503]), "a revoked token is accepted again");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert!(refuses(&made[0].token, &[503]), "a verifier accepts who cannot know");
        Ok(())
    })()
    .expect("the story holds");
}
