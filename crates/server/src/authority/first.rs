//! Where in the log a token's first revocation is. It never changes once it is there, but finding it
//! means to read all of the log that came after the token.

use std::sync::Arc;

use nt_revocation::Position;
use nt_store::StoreError;
use nt_token::{Jti, TokenRecord};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::authority::error::Answer;
use crate::authority::{Authority, limits};

/// Those that were found, and whose turn it is to read.
pub(super) struct FirstRevocations {
    known: Cache<Jti, Position>,
    turn: Arc<Semaphore>,
}

impl Default for FirstRevocations {
    fn default() -> Self {
        Self { known: Cache::new(limits::FIRST_REVOCATIONS), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl Authority {
    /// The first entry that revokes a token which is revoked. One at a time is looked for, so that
    /// whoever asks for many leaves the store's other readers to everybody else.
    pub(super) async fn first_revocation(&self, token: &TokenRecord) -> Answer<Position> {
        let FirstRevocations { known, turn } = &self.first_revocations;
        if let Some(position) = known.get(&token.jti) {
            return Ok(position);
        }
        let turn = Arc::clone(turn).acquire_owned().await.expect("it is never closed");
        if let Some(position) = known.get(&token.jti) {
            return Ok(position);
        }
        let (store, asked) = (Arc::clone(&self.store), token.clone());
        // On its own: whoever goes away meanwhile does not end the reading, nor the turn.
        let reading = tokio::spawn(async move {
            let found = store.revocation_of(&asked).await;
            drop(turn);
            found
        });
        let found = reading.await.map_err(|_| StoreError::Stopped)??;
        let without = StoreError::Corrupt("a revoked token that the log does not revoke");
        let position = found.ok_or(without)?;
        known.insert(token.jti.clone(), position);
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nt_api::tokens::CreateToken;
    use tokio::time::timeout;

    use crate::authority::tests::World;

    #[tokio::test]
    async fn one_revocation_is_looked_for_at_a_time_and_each_only_once() {
        let world = World::new().await;
        let (owner, _) = world.operator("owner@example.com").await;
        let made = world.workspace(&owner, "production").await;
        let (authority, id) = (&world.authority, made.workspace_id);
        let new = authority.refresh(&owner, id, made.jti.clone(), CreateToken::default(), None);
        let second = new.await.expect("an owner may").new_token.jti;
        authority.revoke(&owner, id, second.clone(), None, None).await.expect("an owner may");
        let ask = |jti| timeout(Duration::from_millis(500), authority.revocation(&owner, id, jti));
        let first = ask(made.jti.clone()).await.expect("nobody reads").expect("revoked");
        let turn = authority.first_revocations.turn.acquire().await.expect("it is never closed");
        let again = ask(made.jti.clone()).await.expect("it is known").expect("revoked");
        assert_eq!(again.position, first.position);
        assert!(ask(second.clone()).await.is_err(), "somebody reads");
        assert!(
            timeout(Duration::from_millis(500), authority.store.token(id, &second)).await.is_ok()
        );
        drop(turn);
        let then = ask(second).await.expect("nobody reads").expect("revoked");
        assert_eq!(then.position.seq, first.position.seq + 1);
    }
}
