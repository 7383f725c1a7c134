//! What nodes tell each other, and when one of them answers a revoke.

use nt_revocation::Position;
use nt_revocation::protocol::{Event, Lengths, Member, Membership, Revoke, Rules};

use super::known::{behind, find};
use super::life::{Bug, Kind, Life};
use super::network::Message;
use super::node::Seat;
use super::transactions::Answer;

impl<R: Rules> Life<R> {
    pub(super) fn report(&mut self, member: Member, seq: u64) {
        let Some(process) = self.process(member) else { return };
        let Some(last) = behind(&process.log, seq).checked_sub(1) else { return };
        let upto = process.log[last].at;
        self.node_ack(Self::row(member), member, upto);
        for to in (0..self.nodes.len()).filter(|to| *to != Self::row(member)) {
            self.post(Message::NodeAck { to, member, upto });
        }
    }

    /// A report counts for this very entry: under its number, another history has another.
    pub(super) fn node_ack(&mut self, to: usize, member: Member, upto: Position) {
        let Some(process) = self.nodes[to].process.as_mut() else { return };
        let (by_number, me) = (self.bug == Bug::NumberIsIdentity, process.me);
        let same = find(&process.log, upto.seq) == Some(upto);
        if process.history.heard(upto).is_err() && !by_number {
            self.unlink(me);
        } else if same || by_number {
            self.advance(to, |_| Event::NodeAck { member, seq: upto.seq });
        }
    }

    pub(super) fn committed(&mut self, by: Member, id: u64, answer: Answer, warned: bool) {
        let now = self.nodes[Self::row(by)].host.now().mono;
        let unsure = warned && self.bug != Bug::WarningIsSuccess;
        let Some(process) = self.process(by) else { return };
        match answer {
            Answer::Moved => process.link = None,
            Answer::Done(seq) if !unsure => {
                // A doubled answer is one answer.
                let known = process.appends.iter().position(|append| append.id == id);
                if let Some(append) = known.map(|at| process.appends.swap_remove(at)) {
                    process.committed.insert(seq, append.token);
                    let revoke = Revoke::new(seq, now, &process.members, &Lengths::default());
                    process.revokes.push(revoke);
                }
            }
            Answer::Done(_) | Answer::Refused => {}
        }
    }

    pub(super) fn advance(&mut self, i: usize, event: impl Fn(&Membership<R>) -> Event<'_, R>) {
        let Seat { host, process: Some(process), journal, .. } = &mut self.nodes[i] else { return };
        let (now, members) = (host.now().mono, &process.members);
        let unkept = self.kind == Kind::Sole || self.bug == Bug::AnswerBeforeJournal;
        let (tokens, figures, dead) = (&mut self.tokens, &mut self.figures, &mut self.dead);
        process.revokes.retain_mut(|revoke| {
            let in_force = revoke.step(now, event(members)).is_some();
            let seq = revoke.seq();
            let answered = in_force && (unkept || journal.keeps(seq));
            if let (true, Some(token)) = (answered, process.committed.get(&seq)) {
                tokens[*token].answered = true;
                dead.insert(*token);
                figures.answered += 1;
            }
            !answered
        });
    }
}
