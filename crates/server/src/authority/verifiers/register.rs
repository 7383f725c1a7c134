//! The register where several nodes share it: whoever connects is looked up in the store, and what
//! other nodes changed is read again and again. Alone, the register in memory is the truth.

use std::collections::HashSet;
use std::time::Duration;

use nt_store::{Sharing, Store, StoreError};
use nt_token::{Secret, VerifierId};
use tokio::time::{MissedTickBehavior, interval};

use super::{VerifierIdentity, Verifiers};
use crate::authority::Authority;
use crate::authority::entropy::credential_hash;

/// How often the register is read: a verifier that was removed at another node is dismissed that much
/// later.
const EVERY: Duration = Duration::from_secs(1);

impl Verifiers {
    /// Whose credential this is, by the register as it is now.
    pub async fn authenticate_now(
        &self,
        store: &dyn Store,
        credential: &Secret,
    ) -> Result<Option<VerifierIdentity>, StoreError> {
        if store.sharing() == Sharing::Alone {
            return Ok(self.authenticate(credential));
        }
        let hash = credential_hash(credential.expose());
        let Some(kept) = store.verifier(hash).await? else { return Ok(None) };
        let identity = VerifierIdentity { id: kept.id, name: kept.name };
        // It has a name from now on, and its session is not taken for one of a verifier that was
        // removed. Where it was removed just now, the next look says so.
        self.insert(hash, identity.clone());
        Ok(Some(identity))
    }

    /// Takes over what other nodes changed. Those that came while the store was asked stay until the
    /// next time: the answer may be older than they are.
    pub(in crate::authority) fn take_over(
        &self,
        before: &HashSet<VerifierId>,
        kept: Vec<nt_store::Verifier>,
    ) {
        let there: HashSet<VerifierId> = kept.iter().map(|kept| kept.id.clone()).collect();
        self.remove_those(|known| before.contains(&known.id) && !there.contains(&known.id));
        for nt_store::Verifier { id, name, hash, .. } in kept {
            self.insert(hash, VerifierIdentity { id, name });
        }
    }
}

impl Authority {
    /// Follows the register for as long as this is wanted, where other nodes change it.
    pub async fn keep_following_the_register(&self) {
        if self.store.sharing() == Sharing::Alone {
            return;
        }
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let _changing = self.verifiers.changing.lock().await;
            if let Err(error) = self.follow_the_register().await {
                tracing::warn!(%error, "the register of verifiers could not be read");
            }
        }
    }

    /// Reads it once, where other nodes change it. While it is not changed here.
    pub(in crate::authority) async fn follow_the_register(&self) -> Result<(), StoreError> {
        if self.store.sharing() == Sharing::Alone {
            return Ok(());
        }
        let registered =
            self.verifiers.registered().values().map(|known| known.id.clone()).collect();
        let kept = self.store.verifiers().await?;
        self.verifiers.take_over(&registered, kept);
        Ok(())
    }
}
