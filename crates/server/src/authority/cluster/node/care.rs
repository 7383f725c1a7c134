//! What a node does for the others, and what becomes of it when it cannot rely on what it knows.

use std::time::Duration;

use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::Member;
use nt_store::End;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{Ending, Node};
use crate::authority::cluster::join::{answer_within, shown};
use crate::authority::cluster::suspicion::Suspicion;
use crate::authority::entropy::entry_id;

impl Node {
    /// Looks after the others: who is suspected, and who is gone.
    pub(super) async fn watch(&self) {
        let lengths = self.lengths();
        let mut suspicion = Suspicion::new(lengths);
        let mut due = interval(Suspicion::looks_each(&lengths));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            let Ok(Ok(nodes)) = timeout(answer_within(&lengths), self.store.nodes()).await else {
                // The lease says that the database gives no answer.
                continue;
            };
            for known in &nodes {
                self.everywhere.complete(known.member, known.acked);
            }
            let suspected = suspicion.look(self.everywhere.now(), self.me(), &nodes);
            self.nodes.send_replace(nodes);
            if !self.feed.serves() {
                continue;
            }
            for member in suspected {
                self.fence(member).await;
            }
            for member in self.everywhere.ended() {
                self.declare_gone(member).await;
            }
        }
    }

    async fn fence(&self, member: Member) {
        let fenced = async { self.store.fence(member, ProofOfDeath::None, entry_id()?).await };
        match fenced.await {
            Ok(Some(seq)) => tracing::warn!(
                node = %shown(member), seq,
                "a node that does not renew its lease is fenced: revokes wait for it a little longer"
            ),
            // Another was faster.
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a node could not be fenced: it is tried again"),
        }
    }

    async fn declare_gone(&self, member: Member) {
        let gone = async { self.store.gone(member, End::RanOut, entry_id()?).await };
        match gone.await {
            Ok(Some(seq)) => tracing::info!(
                node = %shown(member), seq, "a fenced node is gone: no revoke waits for it any more"
            ),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a node could not be declared gone"),
        }
    }

    /// Says loudly that nothing is said, for as long as that is so. A database that was recovered ends
    /// this process: one that starts anew reads it from the beginning.
    pub(super) async fn mind_doubt(&self) {
        /// How often it is said.
        const SAID_EACH: u32 = 60;
        self.doubt.begun().await;
        self.feed.renewal_refused();
        let mut seconds = 0_u32;
        loop {
            if let Ok(Ok(head)) = timeout(answer_within(&self.lengths()), self.store.head()).await
                && head.epoch > self.epoch
            {
                tracing::warn!(epoch = head.epoch, "the database was recovered: this process ends");
                self.ending.send_replace(Some(Ending::Anew));
                return;
            }
            if seconds.is_multiple_of(SAID_EACH) {
                let why = self.doubt.why().unwrap_or_default();
                tracing::error!(why, "QUARANTINE: this node says nothing and grants nothing");
            }
            seconds = seconds.wrapping_add(1);
            sleep(Duration::from_secs(1)).await;
        }
    }
}
