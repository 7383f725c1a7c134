//! What a node does by itself: it looks at its database, tails the log, asks, reports, suspects others,
//! and ends.

use nt_revocation::protocol::{
    Change, Event, History, Input, Lengths, Member, Proof, Rules, Verdict,
};

use super::known::{behind, find};
use super::life::{Bug, Kind, Life, PROMPT_MS, Token};
use super::network::Message;
use super::transactions::Append;

/// How a node stands to a server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Same,
    Recovered,
}

impl<R: Rules> Life<R> {
    /// A server that answers, if there is one: mostly the right one.
    pub(super) fn reach(&mut self) -> Option<u64> {
        if self.closed() {
            return None;
        }
        let wrong = self.dice.once_in(6);
        match &self.db.zombie {
            Some(zombie) if wrong => Some(zombie.id),
            _ => (self.t >= self.db.down_until).then_some(self.db.primary.id),
        }
    }

    /// Judges a server; nothing for one that is not followed.
    pub(super) fn settle(&mut self, server: u64, history: &History) -> Option<Stand> {
        let t = self.t;
        let mut look = self.db.server(server, t)?.look(history.witness());
        if self.bug == Bug::NumberIsIdentity {
            look.at_witness = look.at_witness.map(|_| history.witness());
        }
        match history.judge(&look) {
            Verdict::Follow => Some(Stand::Same),
            Verdict::Promoted(lineage) => self.record(server, lineage).then_some(Stand::Same),
            Verdict::LaterEpoch(_) => Some(Stand::Recovered),
            Verdict::Quarantine(_) => {
                self.alarm();
                None
            }
        }
    }

    /// From here on it has no connection that it has judged.
    pub(super) fn unlink(&mut self, member: Member) {
        if let Some(process) = self.process(member) {
            process.link = None;
        }
    }

    /// Connects anew where it has to.
    fn link(&mut self, me: Member) {
        let (t, closed) = (self.t, self.closed());
        let Some(link) = self.process(me).map(|process| process.link) else { return };
        if link.is_some_and(|server| !closed && self.db.server(server, t).is_some()) {
            return;
        }
        self.unlink(me);
        if !self.dice.once_in(10) {
            return;
        }
        let Some(server) = self.reach() else { return };
        let Some(history) = self.process(me).map(|process| process.history) else { return };
        let heard = self.figures.quarantined;
        match self.settle(server, &history) {
            Some(Stand::Same) => {
                if let Some(process) = self.process(me) {
                    process.link = Some(server);
                }
            }
            Some(Stand::Recovered) => self.stop(Self::row(me)),
            None if self.figures.quarantined > heard => self.tell(me, Input::RenewalRefused),
            None => {}
        }
    }

    pub(super) fn run_node(&mut self, i: usize) {
        if self.nodes[i].host.stands_until(self.t).is_some() {
            return;
        }
        let Some(me) = self.nodes[i].process.as_ref().map(|process| process.me) else {
            if self.t >= self.nodes[i].start_at {
                self.start(i);
            }
            return;
        };
        let crash = if self.bug == Bug::Restless { 250 } else { 1_500 };
        if self.turbulent() && self.dice.once_in(crash) {
            self.crash(i);
            return;
        }
        if self.turbulent() && self.dice.once_in(1_500) {
            self.tell(me, Input::Leave);
        }
        self.link(me);
        self.ask(me);
        if self.turbulent() && self.dice.once_in(300) {
            // A stream that the node gives up; whoever was at its other end does not know.
            let which = usize::try_from(self.dice.below(4)).expect("few");
            let session =
                self.nodes[i].process.as_ref().and_then(|p| p.sessions.iter().rev().nth(which));
            if let Some((session, _)) = session.copied() {
                self.tell(me, Input::Disconnected(session));
            }
        }
        if self.dice.once_in(10) {
            let complete = self.nodes[i].process.as_ref().map_or(0, |p| p.machine.complete());
            self.report(me, complete);
        }
        let far_behind = |life: &mut Self| life.owed(me) > 20;
        while (far_behind(self) || self.dice.below(4) > 0) && self.apply_next(me) {}
        let syncs = match self.bug {
            Bug::AnswerBeforeJournal => 500,
            Bug::EpochReplaces => 60,
            _ if self.turbulent() => 15,
            _ => 3,
        };
        if self.dice.once_in(syncs) {
            self.nodes[i].journal.sync();
        }
        self.judge(me);
        self.tell(me, Input::Tick);
        self.advance(i, |_| Event::Tick);
    }

    /// Sends what it wants of the database.
    fn ask(&mut self, me: Member) {
        if self.dice.once_in(60) {
            self.revoke_something(me);
        }
        let asks = self.kind != Kind::Sole && self.dice.once_in(60);
        let (t, anchor) = (self.t, self.nodes[Self::row(me)].host.now().boot);
        let Some(process) = self.process(me) else { return };
        let (epoch, Some(server)) = (process.epoch, process.link) else { return };
        let due = process.appends.iter_mut().filter(|append| append.again_at <= t);
        let due: Vec<Append> = due
            .map(|append| {
                append.again_at = t + 300;
                *append
            })
            .collect();
        if asks {
            self.post(Message::Ask { by: me, server, anchor, epoch });
        }
        for append in due {
            self.post(Message::Append { by: me, server, append, epoch });
        }
    }

    /// A revoke of a token: a new one, or one that is dying or dead already.
    fn revoke_something(&mut self, by: Member) {
        let last = self.tokens.len() - 1;
        let token = if self.dice.once_in(4) { last.saturating_sub(1) } else { last };
        if token == last {
            self.tokens.push(Token::default());
        }
        if self.recovered() {
            self.prompt.push((token, self.t + PROMPT_MS));
        }
        self.ids += 1;
        let append = Append { id: self.ids, token, again_at: 0 };
        if let Some(process) = self.process(by) {
            process.appends.push(append);
        }
    }

    /// How many entries it has not applied, by the server that it reads from.
    fn owed(&mut self, me: Member) -> usize {
        let t = self.t;
        let Some(process) = self.process(me) else { return 0 };
        let (seq, Some(link)) = (process.known.at.seq, process.link) else { return 0 };
        let server = self.db.server(link, t);
        server.map_or(0, |server| server.disk.log.len() - behind(&server.disk.log, seq))
    }

    /// Tails the log; whether there was something.
    fn apply_next(&mut self, me: Member) -> bool {
        let (t, now) = (self.t, self.nodes[Self::row(me)].host.now().mono);
        let unchecked = matches!(self.bug, Bug::NumberIsIdentity | Bug::TailUnchecked);
        let Some(process) = self.process(me) else { return false };
        let (known, epoch, Some(link)) = (process.known.at, process.epoch, process.link) else {
            return false;
        };
        let Some(server) = self.db.server(link, t) else { return false };
        let log = &server.disk.log;
        let follows = known.seq == 0 || find(log, known.seq) == Some(known);
        let row = log.get(behind(log, known.seq)).copied();
        if !unchecked && (!follows || server.disk.epoch != epoch) {
            self.unlink(me);
            return false;
        }
        let Some(row) = row else { return false };
        let (seq, change) = (row.at.seq, row.fact.change());
        self.nodes[Self::row(me)].journal.push(row);
        let Some(process) = self.process(me) else { return false };
        process.members.apply(seq, now, change);
        process.log.push(row);
        process.known.apply(&row);
        let sessions = process.sessions.clone();
        if process.history.heard(row.at).is_err() && !unchecked {
            self.unlink(me);
        }
        self.tell(me, Input::Applied(seq));
        for (session, v) in sessions {
            if self.verifiers[v].hears(session) {
                self.post(Message::Entry { v, session, row });
            }
        }
        self.advance(Self::row(me), |members| Event::Folded(members));
        if let Some(Change::Gone(member)) = change {
            self.advance(Self::row(me), |_| Event::NodeGone(member));
        }
        true
    }

    /// Suspects somebody, rightly or not, and declares gone whose leases are over.
    fn judge(&mut self, me: Member) {
        let now = self.nodes[Self::row(me)].host.now().mono;
        let suspects = self.turbulent() && self.dice.once_in(1_000);
        let (which, caught_up) = (self.dice.below(3), self.owed(me) == 0);
        let Some(process) = self.process(me) else { return };
        let Some(link) = process.link else { return };
        let suspect = {
            let mut others = process.members.members().filter(|member| *member != me);
            others.nth(usize::try_from(which).expect("few")).filter(|_| suspects)
        };
        let ended = process.members.ended(now, &Lengths::default());
        if let Some(member) = suspect {
            self.change(link, &[Change::Fenced(member, Proof::Suspected)]);
        }
        for member in ended.into_iter().filter(|member| caught_up && *member != me) {
            self.change(link, &[Change::Gone(member)]);
        }
    }
}
