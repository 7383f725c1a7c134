//! Whether the store may still say anything.

use std::fmt::Display;

use nt_revocation::Position;
use tokio::sync::watch;

use crate::error::StoreError;

/// How the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// It answers, whenever the database does.
    #[default]
    Sound,
    /// What this process believes about its own disk cannot be trusted any more.
    Stopped,
    /// The database is another one than was answered from, or has lost a part of it; why.
    InDoubt(String),
    /// It was in doubt, and an operator has recovered the database; where its log ends. Only a new
    /// start goes on there.
    Recovered(Position),
}

/// Shared by the threads of a store. A store that is not sound never becomes so again: only a new
/// start looks at everything anew.
#[derive(Debug)]
pub(super) struct Health(watch::Sender<Condition>);

impl Health {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Condition::Sound))
    }

    pub(super) fn watch(&self) -> watch::Receiver<Condition> {
        self.0.subscribe()
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.0.borrow() {
            Condition::Sound => Ok(()),
            Condition::Stopped => Err(StoreError::Stopped),
            Condition::InDoubt(why) => Err(StoreError::HistoryInDoubt(why.clone())),
            Condition::Recovered(_) => {
                Err(StoreError::HistoryInDoubt("it was recovered: start anew".to_owned()))
            }
        }
    }

    /// Where the log ends since it was recovered.
    pub(super) fn recovered(&self) -> Option<Position> {
        match *self.0.borrow() {
            Condition::Recovered(head) => Some(head),
            _ => None,
        }
    }

    /// Takes note that a database in doubt was recovered.
    pub(super) fn was_recovered(&self, head: Position) {
        self.0.send_if_modified(|now| {
            let was_in_doubt = matches!(now, Condition::InDoubt(_));
            if was_in_doubt {
                *now = Condition::Recovered(head);
            }
            was_in_doubt
        });
    }

    /// Whether nothing can be believed of the disk any more.
    pub(super) fn has_stopped(&self) -> bool {
        *self.0.borrow() == Condition::Stopped
    }

    /// Whether the database is not believed any more.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(&*self.0.borrow(), Condition::InDoubt(_))
    }

    pub(super) fn stop(&self, doing: &str, error: &dyn Display) {
        if self.fall(Condition::Stopped) {
            tracing::error!(%error, "the store stops: {doing} failed, and its state is in doubt");
        }
    }

    /// Looks at why something was not answered: a doubt is one for everybody.
    pub(super) fn consider(&self, error: &StoreError) {
        let why = match error {
            StoreError::HistoryInDoubt(why) => why.clone(),
            // Of an entry that cannot be read nobody knows what it revokes.
            StoreError::UnknownEntry(unknown) => unknown.to_string(),
            _ => return,
        };
        if self.fall(Condition::InDoubt(why.clone())) {
            tracing::error!(why, "the database is not the one that was answered from");
        }
    }

    fn fall(&self, to: Condition) -> bool {
        self.0.send_if_modified(|now| {
            let falls = *now == Condition::Sound;
            if falls {
                *now = to;
            }
            falls
        })
    }
}
