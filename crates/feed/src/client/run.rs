//! Following an authority of one node or several, for as long as it is wanted.

mod trouble;

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::{StreamExt as _, StreamMap, StreamNotifyClose};
use tonic::Status;

use super::current::Current;
use super::known::{Known, LinkId, Says};
use super::links::{Links, Stage};
use super::rounds::Rounds;
use super::session::{Answers, Ended, Heard, Line, Since, connect, lost};
use super::{CONNECT_WITHIN, Follower, RELEASE_WITHIN, RETRY_EACH, Told, Way};
use crate::proto::{FromAuthority, from_authority};

/// Nothing is looked at for longer than this.
const LOOK_EACH: Duration = Duration::from_mins(1);

pub(super) struct Run {
    nodes: Vec<Node>,
    follower: Follower,
    known: Known,
    current: Current,
    links: Links,
    answers: StreamMap<LinkId, StreamNotifyClose<Answers>>,
    attempt: Option<Attempt>,
    numbered: u64,
    rounds: Rounds,
    /// What is known is to be asked for anew.
    anew: bool,
    misfits: u32,
}

struct Node {
    way: Way,
    told: Told,
}

struct Attempt {
    node: usize,
    id: LinkId,
    line: Line,
    answers: Pin<Box<dyn Future<Output = Result<Answers, Ended>> + Send>>,
}

/// What happens next.
enum Step {
    Heard(LinkId, Option<Result<FromAuthority, Status>>),
    Connected(Result<Answers, Ended>),
    Renew,
    Drained(nt_revocation::Position),
    Look,
}

impl Run {
    /// Begins with this node of these.
    pub(super) fn new(
        ways: Vec<Way>,
        first: usize,
        follower: Follower,
        known: Known,
        current: Current,
    ) -> Self {
        let node = |way| Node { way, told: Told::default() };
        let rounds = Rounds::new(ways.len(), first, Instant::now());
        Self {
            nodes: ways.into_iter().map(node).collect(),
            follower,
            known,
            current,
            links: Links::default(),
            answers: StreamMap::new(),
            attempt: None,
            numbered: 0,
            rounds,
            anew: false,
            misfits: 0,
        }
    }

    pub(super) async fn run(mut self, mut wanted: watch::Receiver<bool>) {
        loop {
            self.look();
            self.seek();
            let look = self.next_look();
            let renew = self.known.renews_in().unwrap_or(LOOK_EACH);
            let step = tokio::select! {
                _ = wanted.wait_for(|wanted| !wanted) => break,
                Some((id, answer)) = self.answers.next() => Step::Heard(id, answer),
                answers = connected(&mut self.attempt) => Step::Connected(answers),
                () = sleep(renew) => Step::Renew,
                upto = self.known.drained() => Step::Drained(upto),
                () = sleep_until(look) => Step::Look,
            };
            match step {
                Step::Heard(id, answer) => self.hear(id, answer),
                Step::Connected(answers) => self.connected(answers),
                Step::Renew => {
                    let says = self.known.tick();
                    self.tell(says);
                }
                Step::Drained(upto) => {
                    let says = self.known.acknowledge(upto);
                    self.tell(says);
                }
                Step::Look => {}
            }
        }
        self.stop().await;
    }

    /// Ends the lease, says so, and waits for the nodes to end the streams. Where it cannot be said, they
    /// wait for the lease's end.
    async fn stop(mut self) {
        let says = self.known.leave();
        self.tell(says);
        // The lines end with the links, each behind its release.
        drop(self.links);
        let ended = async { while self.answers.next().await.is_some() {} };
        let _in_time = timeout(RELEASE_WITHIN, ended).await;
    }

    fn lease(&self) -> Duration {
        self.known.lease_length()
    }

    /// Ends what has been silent for too long.
    fn look(&mut self) {
        for id in self.links.overdue(Instant::now(), self.lease()) {
            self.ended(id, lost("no sign of life"));
        }
    }

    /// When there is something to do though nothing happens.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let link = self.links.next_look(now, self.lease());
        link.into_iter().chain(self.rounds.begins(now)).min().unwrap_or(now + LOOK_EACH)
    }

    /// Tries another node, if no link can be relied on; else none is needed.
    fn seek(&mut self) {
        let now = Instant::now();
        if self.links.can_be_relied_on(now, self.lease()) {
            self.attempt = None;
            return;
        }
        if self.attempt.is_some() {
            return;
        }
        let links = &self.links;
        let Some(node) = self.rounds.next(now, |node| links.has_node(node)) else { return };
        self.numbered += 1;
        let position = if std::mem::take(&mut self.anew) { None } else { self.known.position() };
        let since = Since { position, witness: self.known.witness() };
        // One that is silent must not cost the time in which another could be reached.
        let within = if self.rounds.is_quick() { self.lease() / 4 } else { CONNECT_WITHIN };
        let (line, answers) = connect(&self.nodes[node].way, &self.follower, since, within);
        let id = LinkId(self.numbered);
        self.attempt = Some(Attempt { node, id, line, answers: Box::pin(answers) });
    }

    fn connected(&mut self, answers: Result<Answers, Ended>) {
        let Some(Attempt { node, id, line, .. }) = self.attempt.take() else { return };
        match answers {
            Ok(answers) => {
                self.links.open(id, node, line, Instant::now());
                self.answers.insert(id, StreamNotifyClose::new(answers));
            }
            Err(ended) => self.failed(node, ended),
        }
    }

    fn hear(&mut self, id: LinkId, answer: Option<Result<FromAuthority, Status>>) {
        let Some(link) = self.links.get_mut(id) else { return };
        let message = match answer {
            Some(Ok(FromAuthority { message: Some(message) })) => message,
            Some(Ok(_)) => return self.ended(id, lost("a message that is not known here")),
            Some(Err(status)) => return self.ended(id, status.into()),
            None => return self.ended(id, lost("the authority ended the stream")),
        };
        if matches!(link.stage, Stage::Released { .. }) {
            return;
        }
        let is_first = link.stage == Stage::Greeting;
        if is_first != matches!(message, from_authority::Message::Welcome(_)) {
            return self.ended(id, lost("a message that does not belong here"));
        }
        let (heard, says) = match link.line.hear(&mut self.known, id, message) {
            Ok(heard) => heard,
            Err(ended) => return self.ended(id, ended),
        };
        // After it was taken in: what takes long to apply is no silence of the authority.
        let now = Instant::now();
        link.heard = now;
        match heard {
            Heard::Welcome => link.stage = Stage::Followed,
            Heard::Leaving => link.stage = Stage::Leaving,
            Heard::Snapshot | Heard::Grant | Heard::Other => {}
        }
        if heard != Heard::Other {
            link.good = now;
        }
        let node = link.node;
        let of_use = heard == Heard::Grant && link.stage == Stage::Followed && self.known.holds(id);
        // More than once: a node that grants and goes away at once is no better than none.
        let lasting = now >= link.opened + RETRY_EACH;
        if is_first {
            self.nodes[node].told.forget();
        }
        self.tell(says);
        if of_use {
            if lasting {
                self.rounds.succeeded();
            }
            self.current.set(node);
            self.follow_alone(id);
        }
    }

    /// This node grants and stays: no other is needed. Those that are released go on until they are
    /// told.
    fn follow_alone(&mut self, id: LinkId) {
        self.attempt = None;
        for greeting in self.links.greeting(id) {
            // It was granted nothing and asked for nothing.
            self.links.remove(greeting);
            self.answers.remove(&greeting);
        }
        let says = self.known.move_to(id);
        if !says.is_empty() {
            tracing::info!("another node of the authority is followed from now on");
        }
        self.tell(says);
    }

    fn tell(&mut self, says: Says) {
        for (id, ended) in self.links.tell(says, Instant::now() + RELEASE_WITHIN) {
            self.ended(id, ended);
        }
    }

    fn ended(&mut self, id: LinkId, ended: Ended) {
        self.answers.remove(&id);
        let Some(link) = self.links.remove(id) else { return };
        self.known.broke(id);
        match (link.stage, ended) {
            (Stage::Released { .. }, _) => {}
            (Stage::Greeting, Ended::Lost(why)) => self.failed(link.node, Ended::Unreached(why)),
            (_, ended) => self.failed(link.node, ended),
        }
    }
}

/// Waits for a connection that is being made; for ever if none is.
async fn connected(attempt: &mut Option<Attempt>) -> Result<Answers, Ended> {
    match attempt {
        Some(attempt) => attempt.answers.as_mut().await,
        None => std::future::pending().await,
    }
}
