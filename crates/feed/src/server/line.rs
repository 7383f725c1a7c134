//! The way to a verifier: a queue that nobody waits for.

use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tonic::Status;

use crate::proto::{self, FromAuthority, from_authority};

/// A session's queue holds this many messages. Whoever lets it fill is cut off: the session gets no
/// more leases and delays a revocation by what is left of its last one.
pub const QUEUE: usize = 256;

pub(super) type Outbox = Sender<Result<FromAuthority, Status>>;

/// What is told to one verifier. Its session ends when this is dropped.
pub(super) struct Line {
    outbox: Outbox,
    /// The session waits for the other half to end.
    _open: oneshot::Sender<()>,
    /// Whether anything was said since the last heartbeat.
    spoken: bool,
}

/// The queue is full, or nobody takes from it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotTaken;

impl Line {
    pub(super) fn new(outbox: Outbox, open: oneshot::Sender<()>) -> Self {
        Self { outbox, _open: open, spoken: false }
    }

    /// The queue itself, for what may wait for it.
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    pub(super) fn say(&mut self, message: FromAuthority) -> Result<(), NotTaken> {
        self.spoken = true;
        self.outbox.try_send(Ok(message)).map_err(|_full_or_gone| NotTaken)
    }

    /// A sign of life, if there was none otherwise since the last: so there is one at least in every
    /// other interval, and a verifier whose renewals are answered costs no more than that.
    pub(super) fn beat(&mut self, beat: proto::Heartbeat) {
        if !std::mem::take(&mut self.spoken) {
            // A full queue has enough signs of life in it.
            let _full_or_gone =
                self.outbox.try_send(Ok(from_authority::Message::Heartbeat(beat).into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn a_heartbeat_goes_to_those_that_were_told_nothing_since_the_last() {
        let (outbox, mut told) = mpsc::channel(QUEUE);
        let mut line = Line::new(outbox, oneshot::channel().0);
        let beat = proto::Heartbeat { head: 7 };
        let grant = from_authority::Message::Grant(proto::Grant::default());
        let mut heard = || {
            let message = told.try_recv().ok()?.expect("a message").message;
            Some(matches!(message, Some(from_authority::Message::Heartbeat(_))))
        };
        line.beat(beat);
        assert_eq!((heard(), heard()), (Some(true), None));
        line.say(grant.into()).expect("there is room");
        line.beat(beat);
        assert_eq!((heard(), heard()), (Some(false), None), "the grant was sign enough");
        line.beat(beat);
        assert_eq!((heard(), heard()), (Some(true), None));
    }
}
