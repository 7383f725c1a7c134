//! What sweeps the log's past: once a month it states a horizon, behind which all tokens have ended, so
//! that the revocation sets do not grow for ever.
//!
//! A horizon cannot be taken back, and a clock that is wrong would take good tokens with it. So it
//! stays a day behind, is stated only where something is forgotten by it, and only when the clock says
//! the same in two looks an hour apart. Records, receipts and the log itself stay.

#[cfg(test)]
mod tests;

use nt_revocation::Fact;
use nt_store::{StoreError, forgettable};
use nt_token::Timestamp;

use crate::authority::Authority;
use crate::authority::entropy::entry_id;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub struct Janitor {
    seen: Option<Timestamp>,
}

impl Janitor {
    /// Looks once; answers the horizon that was stated, if one was.
    pub async fn sweep(&mut self, authority: &Authority) -> Result<Option<Timestamp>, StoreError> {
        let through = forgettable(authority.clock.now());
        // Whichever of the two was said by a clock that ran ahead is not stated.
        let through = self.seen.replace(through).map(|before| before.min(through));
        let useful = |through: &Timestamp| authority.set.would_forget(*through);
        let Some(through) = through.filter(useful) else { return Ok(None) };
        authority.store.append(vec![(entry_id()?, Fact::Horizon { through })]).await?;
        tracing::info!(%through, "tokens that ended long ago are forgotten where tokens are checked");
        Ok(Some(through))
    }
}
