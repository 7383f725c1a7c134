//! Drives [`Waits`]: whoever waits for an entry is woken when that is in force at every node, and
//! nobody else is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nt_revocation::Entry;
use nt_revocation::protocol::{Lengths, Member, Mono};
use nt_token::EntryId;
use nt_token::clock::Stopwatch;
use tokio::sync::{Notify, oneshot, watch};

use super::reports::{Report, Reports};
use super::waits::{Settled, Waits};

/// What is in force at every node, as far as this one knows.
pub struct Everywhere {
    lengths: Lengths,
    began: Stopwatch,
    inner: Mutex<Inner>,
    in_force: watch::Sender<u64>,
    /// There is a deadline where there was none.
    changed: Notify,
}

struct Inner {
    waits: Waits,
    reports: Reports,
    /// By the entry that they wait for.
    waiting: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Everywhere {
    /// Nothing is known yet.
    pub fn new(lengths: Lengths) -> Self {
        let inner = Inner {
            waits: Waits::new(lengths),
            reports: Reports::default(),
            waiting: BTreeMap::new(),
        };
        Self {
            lengths,
            began: Stopwatch::start(),
            inner: Mutex::new(inner),
            in_force: watch::Sender::new(0),
            changed: Notify::new(),
        }
    }

    /// How long leases last.
    pub fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// By the clock of those who wait.
    pub fn now(&self) -> Mono {
        Mono(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The last entry that is in force at every node, with all before it.
    pub fn in_force(&self) -> watch::Receiver<u64> {
        self.in_force.subscribe()
    }

    /// Takes in what was read of the log at the start.
    pub fn replay(&self, entries: &[Entry]) {
        self.lock().reports.note(entries);
        self.step(|waits, now| waits.replay(now, entries));
    }

    /// All that there was is read.
    pub fn replayed(&self, head: u64) {
        self.step(|waits, now| waits.replayed(now, head));
    }

    /// Takes in entries, after their commit.
    pub fn note(&self, entries: &[Entry]) {
        let count = self.lock().reports.note(entries);
        self.step(|waits, now| {
            waits.note(now, entries);
            for Report { member, seq, .. } in count {
                waits.complete(now, member, seq);
            }
        });
    }

    /// A node reports by itself up to where everything is complete there. Counts where it is of this log.
    pub fn reported(&self, report: Report) {
        if self.lock().reports.counts(report) {
            self.complete(report.member, report.seq);
        }
    }

    /// Which entry has this number, if that is not too long ago to be known.
    pub fn entry_at(&self, seq: u64) -> Option<EntryId> {
        self.lock().reports.entry_at(seq)
    }

    /// Everything up to here is complete at a node, by what this one or the database knows.
    pub fn complete(&self, member: Member, seq: u64) {
        self.step(|waits, now| waits.complete(now, member, seq));
    }

    /// How this entry came into force, if that is not too long ago to be known.
    pub fn settled(&self, seq: u64) -> Option<Settled> {
        self.lock().waits.settled(seq)
    }

    /// Which nodes an entry waits for.
    pub fn waiting_for(&self, seq: u64) -> Vec<Member> {
        self.lock().waits.waiting_for(seq)
    }

    /// How many nodes could have granted a lease that still runs.
    pub fn members(&self) -> usize {
        self.lock().waits.members().members().count()
    }

    /// The fenced nodes none of whose leases can run any more.
    pub fn ended(&self) -> Vec<Member> {
        let now = self.now();
        self.lock().waits.members().ended(now, &self.lengths)
    }

    /// Waits until this entry is in force at every node. Bounded, once the entry is known here: a node
    /// that says nothing is waited for until no lease of before can run.
    pub async fn wait(&self, seq: u64) {
        let (done, wait) = oneshot::channel();
        {
            let mut inner = self.lock();
            if seq <= inner.waits.in_force() {
                return;
            }
            inner.waiting.entry(seq).or_default().push(done);
        }
        if wait.await.is_err() {
            // This is gone, and with it whoever could know.
            std::future::pending::<()>().await;
        }
    }

    /// Looks at the deadlines when they are due, for as long as this is wanted.
    pub async fn keep_time(&self) {
        loop {
            self.step(Waits::tick);
            let (now, next) = (self.now(), self.lock().waits.next_deadline());
            let wait = next.map_or(Duration::from_mins(1), |at| at.since(now));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock is read under the lock: steps must not see time go backwards.
    fn step(&self, step: impl FnOnce(&mut Waits, Mono)) {
        let mut inner = self.lock();
        let waited = inner.waits.next_deadline().is_some();
        step(&mut inner.waits, self.now());
        let (in_force, waits) = (inner.waits.in_force(), inner.waits.next_deadline().is_some());
        let later = inner.waiting.split_off(&in_force.saturating_add(1));
        let done = std::mem::replace(&mut inner.waiting, later);
        drop(inner);
        if waits && !waited {
            self.changed.notify_one();
        }
        // Before those that waited are woken: they may look.
        self.in_force.send_if_modified(|known| {
            let is_more = *known < in_force;
            *known = (*known).max(in_force);
            is_more
        });
        for waiting in done.into_values().flatten() {
            let _whoever_waited_is_gone = waiting.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use nt_revocation::Fact;
    use nt_revocation::protocol::{Incarnation, NodeId};
    use nt_token::EntryId;
    use tokio::time::timeout;

    use super::*;
    use crate::authority::cluster::tests::short;

    const A: Member = Member { node: NodeId(1), incarnation: Incarnation(1) };

    fn entry(seq: u64) -> Entry {
        let fact = match seq {
            1 => Fact::NodeJoined { node: 1, incarnation: 1 },
            _ => Fact::KeyRevoked { kid: "k".parse().expect("a key's identifier") },
        };
        Entry { seq, id: EntryId([0; 16]), fact }
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_the_last_report_or_by_time() {
        let everywhere = Arc::new(Everywhere::new(short()));
        let driven = Arc::clone(&everywhere);
        let keeping = tokio::spawn(async move { driven.keep_time().await });
        everywhere.note(&[entry(1)]);
        everywhere.complete(A, 1);
        everywhere.wait(1).await;
        everywhere.note(&[entry(2)]);
        let (waiting, began) = (everywhere.wait(2), Stopwatch::start());
        assert!(timeout(Duration::from_millis(20), waiting).await.is_err());
        everywhere.complete(A, 2);
        everywhere.wait(2).await;
        assert!(began.elapsed() < short().node);

        everywhere.note(&[entry(3)]);
        everywhere.wait(3).await;
        assert!(began.elapsed() >= short().floor(), "nobody reported");
        assert_eq!(*everywhere.in_force().borrow(), 3);
        keeping.abort();
    }

    #[tokio::test]
    async fn an_entry_that_is_not_known_here_yet_is_waited_for_too() {
        let everywhere = Everywhere::new(short());
        let waiting = everywhere.wait(1);
        let known = async {
            tokio::task::yield_now().await;
            everywhere.note(&[entry(1)]);
            everywhere.complete(A, 1);
        };
        timeout(Duration::from_secs(5), async { tokio::join!(waiting, known) })
            .await
            .expect("it came");
    }
}
