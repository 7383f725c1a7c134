//! How a node begins a life: what becomes of its earlier ones, and its entry in the log.

use std::sync::Arc;
use std::time::Duration;

use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::time::kappa;
use nt_revocation::protocol::{Lengths, Member};
use nt_store::{KnownNode, NewNode, Standing, Store, StoreError};
use nt_token::clock::{Clock, Stopwatch};

use super::identity::Identity;
use super::suspicion::Suspicion;
use crate::authority::entropy::entry_id;

/// Why a node does not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process runs as this node.
    #[error(
        "another process runs as this node (it is reached at {address}): this data directory is a \
         copy of its. Remove the file 'node' from the copy, and it takes part as a node of its own"
    )]
    Copy {
        /// Where the other one is reached.
        address: String,
    },
}

/// A node about to join.
pub struct Joining {
    /// Where the nodes are known.
    pub store: Arc<dyn Store>,
    /// Which of its lives begins.
    pub identity: Identity,
    /// Where other nodes reach it.
    pub address: String,
    /// How long leases last.
    pub lengths: Lengths,
    /// When it joins.
    pub clock: Arc<dyn Clock>,
}

impl Joining {
    /// Joins; answers the number of the log's entry. The lease comes after it, once that is applied.
    pub async fn join(&self) -> Result<u64, JoinError> {
        let me = self.identity.member;
        // Again, for as long as there is one: while one is watched, another may have begun.
        while let Some(earlier) = self.earlier().await?.first() {
            // Whoever holds the lock of the same home knows that the process before has ended.
            let proof = if earlier.home == self.identity.home {
                ProofOfDeath::LockTaken
            } else {
                self.watch(earlier).await?;
                ProofOfDeath::None
            };
            self.store.fence(earlier.member, proof, entry_id()?).await?;
            tracing::info!(?proof, "an earlier life of this node is fenced");
        }
        let new = NewNode {
            member: me,
            address: self.address.clone(),
            home: self.identity.home,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            at: self.clock.now(),
        };
        let seq = self.store.join(new, entry_id()?).await?;
        tracing::info!(node = %shown(me), address = self.address, seq, "this node has joined");
        Ok(seq)
    }

    /// The earlier lives of this node that the database still grants leases to.
    async fn earlier(&self) -> Result<Vec<KnownNode>, StoreError> {
        let mut nodes = self.store.nodes().await?;
        let me = self.identity.member;
        nodes.retain(|known| {
            known.member.node == me.node && known.member != me && known.standing == Standing::Active
        });
        Ok(nodes)
    }

    /// Looks whether an earlier life goes on elsewhere. Where its renewals stand still for longer than
    /// its lease lasts, it does not.
    async fn watch(&self, earlier: &KnownNode) -> Result<(), JoinError> {
        let wait = kappa(self.lengths.node);
        tracing::warn!(
            wait_ms = wait.as_millis(),
            "this node ran elsewhere before, or until the machine was started anew: it is looked \
             whether it still does"
        );
        let began = Stopwatch::start();
        while began.elapsed() < wait {
            tokio::time::sleep(Suspicion::looks_each(&self.lengths)).await;
            let nodes = self.earlier().await?;
            let Some(now) = nodes.iter().find(|known| known.member == earlier.member) else {
                return Ok(());
            };
            if now.renewals != earlier.renewals {
                return Err(JoinError::Copy { address: earlier.address.clone() });
            }
        }
        Ok(())
    }
}

/// A node as logs and listings name it.
pub fn shown(member: Member) -> String {
    format!("{:016x}", member.node.0)
}

/// How long the database has for an answer to a renewal: after that the next one is of more use.
pub(super) fn answer_within(lengths: &Lengths) -> Duration {
    lengths.node / 2
}
