//! How many revokes a second: in the store alone, over HTTP at one node, and spread over three.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use nt_store::{Act, PostgresOptions, PostgresStore, RevokedToken, Store};
use nt_testkit::{Request, World, load};
use nt_token::clock::{Clock as _, Stopwatch, SystemClock};
use nt_token::{EntryId, OperatorId, WorkspaceId};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::bare::Bare;
use super::{Ground, NODES, float};
use crate::compare::{ROUNDS, compare};
use crate::table::{Aim, Table};

const CLIENTS: usize = 64;
const BATCH: i64 = 64;
/// How many revokes a sample has, and how many a sample of one commit each.
const SAMPLE: usize = 3_200;
const SLOW_SAMPLE: i64 = 320;

const BATCHED: &str = "the same rows, bare `tokio-postgres`, 64 tokens a transaction";

pub(crate) fn measure(runtime: &Runtime, table: &mut Table) -> Result<()> {
    let mut ground = Ground::make()?;
    let rounds = ROUNDS + 1;
    let tokens = ground.add_tokens(i64::try_from(5 * SAMPLE * rounds)?)?;
    let mut bare = Bare::open(&ground.copy()?)?;
    let sample = i64::try_from(SAMPLE)?;

    let core = Core::open(&ground, &ground.copy()?, &tokens)?;
    let mut of_core = tokens.chunks(SAMPLE);
    let found = compare(
        || bare.rate(sample, BATCH),
        || {
            let batch = of_core.next().context("tokens for each round")?.to_vec();
            runtime.block_on(core.revoke(batch))
        },
    )?;
    let what = "PostgreSQL: revokes in the store (journal synced), 64 tasks at once";
    table.add(what, BATCHED, "/s", Aim::AtLeast(0.7), &found);
    runtime.block_on(core.store.close());

    let nodes = ground.nodes(NODES)?;
    let mut batches = tokens.chunks(SAMPLE).map(|batch| {
        let request = |jti: &String| {
            Request::new("DELETE", &ground.path(jti)).bearer(&ground.session).render()
        };
        batch.iter().map(request).collect::<Vec<_>>()
    });
    let mut next = || batches.next().context("tokens for each round");
    let found =
        compare(|| bare.rate(sample, BATCH), || runtime.block_on(spread(&nodes[..1], next()?)))?;
    let what = "PostgreSQL, 3 nodes: revokes over HTTP at one, 64 clients";
    table.add(what, BATCHED, "/s", Aim::AtLeast(0.7), &found);
    table.note("the same, as a figure of this machine", found.system, "/s", None);
    let found = compare(|| bare.rate(sample, BATCH), || runtime.block_on(spread(&nodes, next()?)))?;
    let what = "PostgreSQL, 3 nodes: revokes over HTTP at all three, 64 clients";
    table.add(what, BATCHED, "/s", Aim::AtLeast(0.7), &found);
    let found =
        compare(|| bare.rate(SLOW_SAMPLE, 1), || runtime.block_on(spread(&nodes, next()?)))?;
    let what = "PostgreSQL, 3 nodes: the same";
    table.add(what, "the same rows, one commit each, one after the other", "/s", Aim::None, &found);
    Ok(())
}

/// Sends these, spread over the nodes; how many a second.
async fn spread(nodes: &[World], requests: Vec<Vec<u8>>) -> Result<f64> {
    let mut parts = vec![Vec::new(); nodes.len()];
    let total = requests.len();
    for (nth, request) in requests.into_iter().enumerate() {
        parts[nth % nodes.len()].push(request);
    }
    let clients = CLIENTS / nodes.len();
    let mut all = JoinSet::new();
    let watch = Stopwatch::start();
    for (node, part) in nodes.iter().zip(parts) {
        let address = node.address();
        all.spawn(async move { load::each_once(address, clients, Arc::new(part), 200).await });
    }
    while let Some(ended) = all.join_next().await {
        ended.context("a load panicked")??;
    }
    Ok(float(total)? / watch.elapsed().as_secs_f64())
}

/// The store without anything around it.
struct Core {
    store: Arc<PostgresStore>,
    workspace: WorkspaceId,
    operator: OperatorId,
}

impl Core {
    fn open(ground: &Ground, url: &str, tokens: &[String]) -> Result<Self> {
        ensure!(!tokens.is_empty(), "there is something to revoke");
        let journal = ground.cluster.dir().join("core");
        let options = PostgresOptions::new(url, &journal)?;
        let store = Arc::new(PostgresStore::open(options, Box::new(|_| ()))?);
        let workspace = ground.first.workspace.parse()?;
        let operator = OperatorId::mint(SystemClock.wall_ms(), [3; 10]);
        Ok(Self { store, workspace, operator })
    }

    /// Revokes these from 64 tasks; how many a second.
    async fn revoke(&self, tokens: Vec<String>) -> Result<f64> {
        let total = tokens.len();
        let mut parts = vec![Vec::new(); CLIENTS];
        for (nth, jti) in tokens.into_iter().enumerate() {
            parts[nth % CLIENTS].push(jti);
        }
        let mut tasks = JoinSet::new();
        let watch = Stopwatch::start();
        for part in parts {
            let store = Arc::clone(&self.store);
            let (workspace, operator) = (self.workspace, self.operator.clone());
            tasks.spawn(async move {
                for jti in part {
                    let act = Act {
                        operator: operator.clone(),
                        at: SystemClock.now(),
                        from: None,
                        note: None,
                    };
                    let jti: nt_token::Jti = jti.parse()?;
                    let entry = entry_of(&jti);
                    let revoked = store.revoke_token(workspace, jti, entry, None, act).await?;
                    if !matches!(revoked, RevokedToken::Revoked { before: false, .. }) {
                        bail!("a token was not revoked");
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task panicked")??;
        }
        Ok(float(total)? / watch.elapsed().as_secs_f64())
    }
}

/// An identity for the entry that revokes it; spread as one that is drawn.
fn entry_of(jti: &nt_token::Jti) -> EntryId {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jti.as_str().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    EntryId(id)
}
