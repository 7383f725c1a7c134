//! Receipts: what the authority states when a revocation is in force. They are handed out with the
//! answer and written down after it, so that no revoke waits for a second commit; what a crash takes
//! with it is stated again when somebody asks.

mod again;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_api::receipts::{CountedVerifiers, CutOffVerifier, LogPosition, TokenReceipt};
use nt_revocation::receipt::{self, CutOff, Proven, Receipt, Verifiers};
use nt_revocation::{Entry, Position};
use nt_store::{KeptReceipt, StoreError};
use nt_token::clock::{Clock, Stopwatch};
use nt_token::{Jti, State, TokenRecord, WorkspaceId};

use crate::authority::access::Action;
use crate::authority::error::{Answer, Refusal};
use crate::authority::feed::longest_wait;
use crate::authority::limits::{RECEIPTS_WAITING, RECENT_COMMITS};
use crate::authority::{Authority, Caller};

/// When the latest entries of the log were committed. Told by the store, between the commit and its
/// answer.
pub struct Commits {
    clock: Arc<dyn Clock>,
    /// The first and the last entry of each batch, and when it was committed; oldest first.
    recent: Mutex<VecDeque<(u64, u64, Committed)>>,
}

/// When an entry was committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committed {
    /// For people, in milliseconds since the Unix epoch.
    pub(super) at_ms: u64,
    /// For measuring.
    pub(super) since: Stopwatch,
}

impl Commits {
    /// Nothing was committed yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, recent: Mutex::default() }
    }

    /// Notes that these entries were committed just now.
    pub fn note(&self, entries: &[Entry]) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let committed = Committed { at_ms: self.clock.wall_ms(), since: Stopwatch::start() };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT_COMMITS {
            recent.pop_front();
        }
        recent.push_back((first.seq, last.seq, committed));
    }

    /// The last entry that was committed, 0 if there was none yet.
    pub fn last(&self) -> u64 {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.back().map_or(0, |(_, last, _)| *last)
    }

    /// When this entry was committed, if that is not too long ago to be known.
    pub(super) fn of(&self, seq: u64) -> Option<Committed> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let at = recent.partition_point(|(_, last, _)| *last < seq);
        recent.get(at).filter(|(first, ..)| *first <= seq).map(|(.., committed)| *committed)
    }
}

/// Receipts on their way.
#[derive(Default)]
pub struct Receipts {
    /// Those that were handed out and are still to be written down, by token and entry.
    handed_out: Mutex<BTreeMap<(Jti, u64), KeptReceipt>>,
    /// Revocations whose callers do not wait for them to be in force.
    unstated: Mutex<Vec<Unstated>>,
}

/// A revocation of which nothing can be stated yet.
pub(super) struct Unstated {
    /// What was revoked.
    pub(super) token: TokenRecord,
    /// By which entry.
    pub(super) position: Position,
    /// When that was committed.
    pub(super) committed: Option<Committed>,
}

impl Receipts {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Jti, u64), KeptReceipt>> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unstated(&self) -> MutexGuard<'_, Vec<Unstated>> {
        self.unstated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a receipt stated as soon as that can be. Beyond a limit it is stated when it is asked for.
    pub(super) fn later(&self, revocation: Unstated) {
        let mut unstated = self.unstated();
        if unstated.len() < RECEIPTS_WAITING {
            unstated.push(revocation);
        }
    }

    /// Keeps a receipt to be handed out. Of two for one entry, stated by two who waited for it, the
    /// first counts, and both get that. Beyond a limit they are not kept: they can be stated again.
    fn add(&self, kept: KeptReceipt) -> String {
        let mut waiting = self.waiting();
        let key = (kept.jti.clone(), kept.seq);
        if waiting.len() >= RECEIPTS_WAITING && !waiting.contains_key(&key) {
            return kept.receipt;
        }
        waiting.entry(key).or_insert(kept).receipt.clone()
    }

    /// The first of a token.
    fn first(&self, jti: &Jti) -> Option<String> {
        let waiting = self.waiting();
        let mut from = waiting.range((jti.clone(), 0)..);
        from.next().filter(|((of, _), _)| of == jti).map(|(_, kept)| kept.receipt.clone())
    }
}

impl Authority {
    /// States that a revocation that has just been answered for is in force; nothing where no key signs
    /// at the moment, as whoever asks later has it stated then. It is in force because each node has
    /// applied its entry, and its verifiers have too or ran out of lease. Counted are the verifiers of
    /// this node. Where it is not known any
    /// more when it was committed, nothing is said of how long that took.
    pub(super) fn receipt_now(
        &self,
        token: &TokenRecord,
        position: Position,
        committed: Option<Committed>,
    ) -> Option<String> {
        let verifiers = self.counted(position.seq);
        let Some(Committed { at_ms, since }) = committed else {
            let proven = self.proven_by(position.seq, &verifiers);
            return self.state(
                token,
                position,
                self.clock.wall_ms(),
                None,
                proven,
                Some(verifiers),
            );
        };
        // Not by the wall clock, which may be set meanwhile.
        let waited = since.elapsed();
        self.measured.in_force.observe(waited.as_secs_f64());
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let proven = match self.proven_by(position.seq, &verifiers) {
            // Of whom the process before had admitted nothing is known but that their leases have ended.
            Proven::Acked if self.had_leases_before(since) => Proven::Expired,
            proven => proven,
        };
        self.state(token, position, at_ms, Some(waited_ms), proven, Some(verifiers))
    }

    /// Whether leases of the process before could still run when this was committed.
    fn had_leases_before(&self, committed: Stopwatch) -> bool {
        self.leases_before.is_some_and(|began| {
            began.elapsed().saturating_sub(committed.elapsed()) < longest_wait()
        })
    }

    /// States what has come into force although nobody waited for it.
    pub(super) fn state_what_is_in_force(&self) {
        if self.serving().is_err() {
            return;
        }
        let complete = *self.in_force_to().borrow();
        let mut unstated = self.receipts.unstated();
        let (now, later) = unstated.drain(..).partition(|waiting| waiting.position.seq <= complete);
        *unstated = later;
        drop(unstated);
        let now: Vec<Unstated> = now;
        for Unstated { token, position, committed } in now {
            self.receipt_now(&token, position, committed);
        }
    }

    /// Does so from now on, whenever something comes into force.
    pub async fn keep_stating(&self) {
        let mut complete = self.in_force_to();
        while complete.changed().await.is_ok() {
            self.state_what_is_in_force();
        }
    }

    /// States that a revocation of earlier is in force. That is so: the whole log was applied before
    /// the first request was answered, and the verifiers were waited for. Which of them there were
    /// then is not known any more.
    fn receipt_later(&self, token: &TokenRecord, position: Position) -> Option<String> {
        let seconds = token.state.revoked_at().map_or(0, nt_token::Timestamp::unix);
        let committed = u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
        self.state(token, position, committed, None, Proven::Expired, None)
    }

    fn state(
        &self,
        token: &TokenRecord,
        position: Position,
        committed_at_ms: u64,
        waited_ms: Option<u64>,
        proven: Proven,
        verifiers: Option<Verifiers>,
    ) -> Option<String> {
        let in_force_at_ms = waited_ms
            .map_or_else(|| self.clock.wall_ms(), |waited| committed_at_ms.saturating_add(waited));
        let iat = self.clock.now();
        let stated = Receipt {
            iss: self.expected.issuer.clone(),
            iat,
            jti: token.jti.clone(),
            workspace_id: token.workspace,
            position,
            committed_at_ms,
            in_force_at_ms,
            waited_ms,
            proven,
            nodes: self.nodes_at(position.seq),
            verifiers,
        };
        let receipt = receipt::sign(&stated, &self.keys.now().active()?.key);
        let (jti, seq) = (token.jti.clone(), position.seq);
        Some(self.receipts.add(KeptReceipt { jti, seq, receipt, at: iat }))
    }

    /// The receipt of a revoked token: the first that was handed out, else a new one.
    pub async fn receipt(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        jti: Jti,
    ) -> Answer<TokenReceipt> {
        self.permitted(caller, workspace, Action::See).await?;
        let Some((token, _)) = self.store.token(workspace, &jti).await? else {
            return Err(Refusal::NoToken(jti).into());
        };
        if token.state == State::Live {
            return Err(Refusal::NotRevoked(jti).into());
        }
        let receipt = match self.kept_receipt(workspace, &jti).await? {
            Some(receipt) => receipt,
            None => self.state_again(&token).await?,
        };
        shown(receipt).ok_or_else(|| StoreError::Corrupt("a receipt").into())
    }

    /// The receipt that was handed out first, if there is one. Whoever has a receipt has been told that
    /// the revocation is in force.
    pub(super) async fn kept_receipt(
        &self,
        workspace: WorkspaceId,
        jti: &Jti,
    ) -> Answer<Option<String>> {
        self.state_what_is_in_force();
        // The database first: a receipt that waits may be that of a later revocation. Then what
        // waits, which is in the database by now if it was not there a moment ago.
        let kept = self.store.receipt(workspace, jti).await?;
        if let Some(receipt) = kept.or_else(|| self.receipts.first(jti)) {
            return Ok(Some(receipt));
        }
        Ok(self.store.receipt(workspace, jti).await?)
    }

    /// Writes down the receipts that were handed out. They stay at hand until they are written, so
    /// that there is always one that shows them; what cannot be written now is tried again.
    pub(super) async fn write_receipts(&self) {
        let written: Vec<KeptReceipt> = self.receipts.waiting().values().cloned().collect();
        if written.is_empty() {
            return;
        }
        if let Err(error) = self.store.keep_receipts(written.clone()).await {
            tracing::warn!(%error, "receipts could not be written down");
            return;
        }
        let mut waiting = self.receipts.waiting();
        for KeptReceipt { jti, seq, .. } in written {
            waiting.remove(&(jti, seq));
        }
    }
}

/// A receipt, and what it states, in the words of the API.
fn shown(receipt: String) -> Option<TokenReceipt> {
    let stated = receipt::read_unverified(&receipt).ok()?;
    let Position { epoch, seq, entry } = stated.position;
    let cut_off = |CutOff { name, silent_for_ms }| CutOffVerifier { name, silent_for_ms };
    let proven = match stated.proven {
        Proven::Acked => "acked",
        Proven::Expired => "expired",
    };
    Some(TokenReceipt {
        jti: stated.jti,
        workspace_id: stated.workspace_id,
        receipt,
        iss: stated.iss,
        iat: stated.iat,
        position: LogPosition { epoch, seq, entry_id: entry.to_string() },
        committed_at_ms: stated.committed_at_ms,
        in_force_at_ms: stated.in_force_at_ms,
        waited_ms: stated.waited_ms,
        proven: proven.to_owned(),
        nodes: stated.nodes,
        verifiers: stated.verifiers.map(|counted| CountedVerifiers {
            acknowledged: counted.acknowledged,
            cut_off: counted.cut_off.into_iter().map(cut_off).collect(),
        }),
    })
}
