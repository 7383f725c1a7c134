//! Receipts of revocations.

use nt_revocation::Position;
use nt_token::{Jti, TokenRecord, WorkspaceId};

use super::state::State;
use crate::receipt::{KeptReceipt, revokes};

impl State {
    /// Keeps receipts. Of two for one entry, the first stays.
    pub(super) fn keep_receipts(&mut self, receipts: Vec<KeptReceipt>) {
        for kept in receipts {
            self.receipts.entry((kept.jti, kept.seq)).or_insert(kept.receipt);
        }
    }

    /// The first receipt of a token.
    pub(super) fn first_receipt(&self, workspace: WorkspaceId, jti: &Jti) -> Option<String> {
        self.tokens.get(jti).filter(|issued| issued.token.workspace == workspace)?;
        let mut receipts = self.receipts.iter().filter(|((of, _), _)| of == jti);
        receipts.next().map(|(_, receipt)| receipt.clone())
    }

    /// The first entry that revokes a token.
    pub(super) fn revocation_of(&self, token: &TokenRecord) -> Option<Position> {
        let mut later = self.log.iter().filter(|entry| entry.seq > token.rv);
        let entry = later.find(|entry| revokes(&entry.fact, token))?;
        Some(Position { seq: entry.seq, entry: entry.id, ..Position::START })
    }
}
