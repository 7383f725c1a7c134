//! Through PgBouncer, which gives each transaction whichever connection is free.

use std::sync::Arc;

use nt_postgres_testing::{Bouncer, Cluster};
use nt_store::{RevokedToken, Store};
use tokio::task::JoinSet;

use super::{Node, is_dense, revoke, workspace};
use crate::world::Ids;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_behind_a_pooler_make_one_dense_log_and_each_is_told_all_of_it() {
    let cluster = Cluster::shared().expect("starts");
    let bouncer = Bouncer::start(cluster).expect("starts");
    let url = bouncer.through(&cluster.database().expect("a database")).expect("a URL");
    let url = format!("{url}?pooling=transaction");
    let nodes = [Node::open(&url), Node::open(&url)];
    let ids = Arc::new(Ids::default());
    let mut tasks = JoinSet::new();
    for node in &nodes {
        for _ in 0..6 {
            let (store, ids) = (Arc::clone(&node.store), Arc::clone(&ids));
            tasks.spawn(async move {
                for _ in 0..5 {
                    let (_, token) = workspace(&*store, &ids).await;
                    let answer = revoke(&*store, &token, ids.entry()).await;
                    assert!(matches!(answer, Ok(RevokedToken::Revoked { .. })), "{answer:?}");
                    store
                        .tokens(
                            token.workspace,
                            nt_store::TokenFilter::All,
                            nt_store::PageRequest::default(),
                        )
                        .await
                        .expect("answers");
                }
            });
        }
    }
    tasks.join_all().await;
    let log = nodes[0].log().await;
    assert_eq!(log.len(), 60);
    assert!(is_dense(&log));
    for node in &nodes {
        node.until_told(log.len()).await;
        assert_eq!(node.told(), log);
    }
}
