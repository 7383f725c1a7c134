//! A node's sessions, with what is asked of them after every step at hand: who may still accept, who
//! of those is least far, whose lease ends next. No step walks over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::time::Mono;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) acked: u64,
    pub(super) deadline: Option<Mono>,
    pub(super) connected: bool,
}

impl Session {
    pub(super) fn may_accept(&self, now: Mono) -> bool {
        self.deadline.is_some_and(|deadline| now < deadline)
    }
}

/// All sessions. The three orders beside `all` follow from it and from the time of the last
/// [`Self::look`], which every step ends with.
#[derive(Debug, Clone)]
pub(super) struct Sessions<V: Ord + Copy> {
    all: BTreeMap<V, Session>,
    /// Those that may still accept, by what they have acknowledged.
    owing: BTreeSet<(u64, V)>,
    /// The same, by when they no longer may.
    ends: BTreeSet<(Mono, V)>,
    /// Those without a connection, by the end of their lease.
    gone: BTreeSet<(Mono, V)>,
}

impl<V: Ord + Copy> Sessions<V> {
    pub(super) fn new() -> Self {
        let (owing, ends, gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        Self { all: BTreeMap::new(), owing, ends, gone }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (V, &Session)> {
        self.all.iter().map(|(id, session)| (*id, session))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: V) -> Option<&Session> {
        self.all.get(&id)
    }

    /// What the session that may still accept and is least far has acknowledged.
    pub(super) fn least_acked(&self) -> Option<u64> {
        self.owing.first().map(|(acked, _)| *acked)
    }

    /// When a lease ends next.
    pub(super) fn next_end(&self, now: Mono) -> Option<Mono> {
        self.ends.iter().map(|(end, _)| *end).find(|end| *end > now)
    }

    /// Whose leases have ended since the last look.
    pub(super) fn run_out(&self, now: Mono) -> impl Iterator<Item = (V, &Session)> {
        let ended = self.ends.iter().take_while(move |(end, _)| *end <= now);
        ended.filter_map(|(_, id)| Some((*id, self.all.get(id)?)))
    }

    /// Takes the time into account: those whose lease has ended owe nothing, and those that are gone
    /// for so long after it are forgotten.
    pub(super) fn look(&mut self, now: Mono, remembered: Duration) {
        while let Some((end, id)) = self.ends.first().copied().filter(|(end, _)| *end <= now) {
            self.ends.remove(&(end, id));
            if let Some(session) = self.all.get(&id) {
                self.owing.remove(&(session.acked, id));
            }
        }
        let over = |(end, _): &(Mono, V)| end.after(remembered) <= now;
        while let Some((_, id)) = self.gone.first().copied().filter(over) {
            self.remove(id);
        }
    }

    /// Puts a session in the place of what is known of it. One that has neither a connection nor
    /// ever had a lease is not kept.
    pub(super) fn put(&mut self, now: Mono, id: V, session: Session) {
        self.remove(id);
        if let Some(end) = session.deadline {
            if session.may_accept(now) {
                self.owing.insert((session.acked, id));
                self.ends.insert((end, id));
            }
            if !session.connected {
                self.gone.insert((end, id));
            }
        } else if !session.connected {
            return;
        }
        self.all.insert(id, session);
    }

    /// Changes a session, if it is known.
    pub(super) fn change(&mut self, now: Mono, id: V, change: impl FnOnce(&mut Session)) {
        if let Some(mut session) = self.all.get(&id).cloned() {
            change(&mut session);
            self.put(now, id, session);
        }
    }

    pub(super) fn remove(&mut self, id: V) {
        if let Some(session) = self.all.remove(&id) {
            self.owing.remove(&(session.acked, id));
            if let Some(end) = session.deadline {
                self.ends.remove(&(end, id));
                self.gone.remove(&(end, id));
            }
        }
    }
}

/// The orders are no state of their own: two that know the same sessions are the same.
impl<V: Ord + Copy> PartialEq for Sessions<V> {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl<V: Ord + Copy> Eq for Sessions<V> {}

impl<V: Ord + Copy + Hash> Hash for Sessions<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.all.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REMEMBERED: Duration = Duration::from_nanos(7);

    proptest! {
        #[test]
        fn the_orders_say_what_a_walk_over_all_sessions_would(
            steps in prop::collection::vec((0_u8..5, 0_u8..4, 0_u64..5, 0_u64..9), 0..80)
        ) {
            let (mut now, mut known) = (Mono(0), Sessions::<u8>::new());
            for (step, id, acked, length) in steps {
                let before: Vec<u8> =
                    known.iter().filter(|(_, s)| s.may_accept(now)).map(|(id, _)| id).collect();
                now.0 += length / 4;
                let over = |id: &u8| known.get(*id).is_some_and(|s| !s.may_accept(now));
                let mut ended: Vec<u8> = before.into_iter().filter(over).collect();
                let mut run_out: Vec<u8> = known.run_out(now).map(|(id, _)| id).collect();
                ended.sort_unstable();
                run_out.sort_unstable();
                prop_assert_eq!(run_out, ended);
                match step {
                    0 => {
                        let deadline = known.get(id).and_then(|s| s.deadline);
                        known.put(now, id, Session { acked, deadline, connected: true });
                    }
                    1 => known.change(now, id, |s| {
                        s.deadline = s.deadline.max(Some(Mono(now.0 + length)));
                    }),
                    2 => known.change(now, id, |s| s.acked = s.acked.max(acked)),
                    3 => known.change(now, id, |s| s.connected = false),
                    _ => known.remove(id),
                }
                known.look(now, REMEMBERED);
                let live = || known.iter().filter(|(_, s)| s.may_accept(now)).map(|(_, s)| s);
                prop_assert_eq!(known.least_acked(), live().map(|s| s.acked).min());
                prop_assert_eq!(known.next_end(now), live().filter_map(|s| s.deadline).min());
                let kept = |s: &Session| s.connected
                    || s.deadline.is_some_and(|end| now < end.after(REMEMBERED));
                prop_assert!(known.iter().all(|(_, s)| kept(s)));
            }
        }
    }
}
