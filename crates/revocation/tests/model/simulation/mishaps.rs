//! What happens to the database.

use nt_revocation::Position;
use nt_revocation::protocol::{Failover, Rules};

use super::database::Waiting;
use super::life::{Bug, Kind, Life};
use super::network::Message;

/// Until when: after it there is time for a recovery before everything must run again.
const MISHAPS_MS: u64 = 40_000;

/// How rare what happens is, in steps; the last three are per promotion.
struct Weather {
    cancelled: u64,
    promoted: u64,
    put_back: u64,
    power_fails: u64,
    disk_lost: u64,
    led: u64,
}

const NEVER: u64 = u64::MAX;

impl Weather {
    const ALL: Self = Self {
        cancelled: 20,
        promoted: 1_200,
        put_back: 2_500,
        power_fails: 5,
        disk_lost: 20,
        led: 2,
    };

    /// A control has the weather in which it shows soon.
    const fn of(bug: Bug) -> Self {
        match bug {
            Bug::RenewalByRead => Self {
                cancelled: NEVER,
                promoted: 800,
                put_back: NEVER,
                power_fails: NEVER,
                disk_lost: NEVER,
                ..Self::ALL
            },
            Bug::EpochReplaces => Self {
                promoted: 500,
                put_back: NEVER,
                power_fails: 1,
                disk_lost: NEVER,
                ..Self::ALL
            },
            Bug::NumberIsIdentity => {
                Self { promoted: 600, put_back: NEVER, power_fails: NEVER, ..Self::ALL }
            }
            Bug::TailUnchecked => {
                Self { promoted: 400, put_back: NEVER, power_fails: NEVER, led: 1, ..Self::ALL }
            }
            _ => Self::ALL,
        }
    }
}

impl<R: Rules> Life<R> {
    pub(super) fn mishap(&mut self) {
        let t = self.t;
        if t >= self.db.zombie_until {
            self.db.zombie = None;
        }
        if t >= MISHAPS_MS || self.operator.busy() {
            return;
        }
        let weather = Weather::of(self.bug);
        if self.dice.once_in(300) {
            self.db.cut_until = t + self.dice.below(4_000);
        }
        if self.dice.once_in(weather.cancelled) {
            self.cancel();
        }
        if self.dice.once_in(300) {
            let copy = self.db.primary.disk.clone();
            self.db.copies.push(copy);
        }
        if self.dice.once_in(1_500) {
            self.db.restart();
            self.db.down_until = t + self.dice.below(1_500);
            self.figures.restarts += 1;
        }
        if self.dice.once_in(weather.promoted) {
            self.promote();
        } else if self.dice.once_in(weather.put_back) {
            self.put_back();
        }
    }

    /// Somebody cancels the wait for the standby: the transaction is visible, and perhaps not safe.
    fn cancel(&mut self) {
        if !self.db.synchronous {
            return;
        }
        let which = self.dice.once_in(2);
        let zombie = self.db.zombie.as_mut().filter(|_| which);
        let server = zombie.unwrap_or(&mut self.db.primary);
        let Some(waiting) = server.waiting.pop_front() else { return };
        for write in &waiting.writes {
            server.disk.write(*write);
        }
        self.figures.cancelled += 1;
        let answer = match waiting.answer {
            Message::Committed { by, id, answer, .. } => {
                Message::Committed { by, id, answer, warned: true }
            }
            // A renewal with a warning counts as none.
            _ => return,
        };
        self.visible(Waiting { answer, ..waiting });
    }

    /// The standby is promoted. Nodes may be led to it without noticing, by a pooler.
    fn promote(&mut self) {
        let before = self.db.primary.id;
        let goes_on = self.dice.once_in(2);
        self.db.promote(goes_on);
        self.db.zombie_until = self.t + self.dice.below(20_000);
        self.db.down_until = self.t + self.dice.below(2_000);
        self.db.cut_until = self.t;
        self.figures.promoted += 1;
        let after = self.db.primary.id;
        let weather = Weather::of(self.bug);
        let power_fails = self.dice.once_in(weather.power_fails);
        for i in 0..self.nodes.len() {
            if power_fails || self.dice.once_in(8) {
                self.crash(i);
            }
            // A disk that is lost after an old copy was put back takes the witness with it.
            if self.dice.once_in(weather.disk_lost) && !self.db.old {
                self.crash(i);
                self.nodes[i].journal.wipe();
            }
            let led = self.dice.once_in(weather.led);
            if let Some(process) = self.nodes[i].process.as_mut()
                && process.link == Some(before)
                && led
            {
                process.link = Some(after);
            }
        }
    }

    /// An old copy is put back, on the same timeline: nothing but a witness can tell. Only where
    /// every node is one; whoever has seen nothing since the copy was made cannot know.
    fn put_back(&mut self) {
        let order = |at: Position| (at.epoch, at.seq);
        let known = self.nodes.iter().map(|seat| order(seat.journal.witness())).min();
        let copies = self.db.copies.iter();
        let before: Vec<_> = copies.filter(|copy| Some(order(copy.head())) < known).collect();
        let which = usize::try_from(self.dice.below(before.len().max(1) as u64)).expect("few");
        let copy = before.get(which).copied();
        let Some(copy) = copy.cloned() else { return };
        let lineage = copy.recorded;
        self.db.replace(lineage, copy);
        self.db.zombie = None;
        self.db.old = true;
        self.db.down_until = self.t + self.dice.below(5_000);
        self.figures.put_back += 1;
    }

    /// Whether a promotion here loses what was answered.
    pub(super) fn failover(&self) -> Failover {
        match self.kind {
            _ if self.bug == Bug::LossyFollowed => Failover::Lossless,
            Kind::Replicated(failover) => failover,
            Kind::Leased | Kind::Sole => Failover::Lossless,
        }
    }
}
