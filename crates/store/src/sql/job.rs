//! What waits for the threads that work: steps for the writer, questions for the readers.

use tokio::sync::oneshot;

use super::db::Db;
use super::revocation::Revocation;
use super::writing::Writing;
use crate::error::StoreError;

/// Work that waits, with its caller.
pub(crate) trait Job<On: ?Sized>: Send {
    /// Does it, and keeps the result for [`Job::answer`]. What was rolled back may be done again.
    fn run(&mut self, on: &mut On) -> Result<(), Failure>;

    /// The revocation of a token that it is, if it is one: many of them can be done together.
    fn revocation(&mut self) -> Option<&mut Revocation> {
        None
    }

    /// Answers whoever waits: with the result, or with why the transaction did not happen.
    fn answer(self: Box<Self>, failure: Option<&Failure>);
}

/// A step that waits for the writer.
pub(crate) type Step = Box<dyn for<'a> Job<Writing<'a>>>;

/// A question that waits for a reader. All that it reads belongs to one moment.
pub(crate) type Question = Box<dyn for<'a> Job<Db<'a>>>;

/// Why a transaction did not happen, or its outcome is not known: the same for each of its steps.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    Full,
    InUse,
    Stopped,
    Database(String),
    Unavailable(String),
    OutcomeUnknown(String),
    InDoubt(String),
}

impl Failure {
    pub(crate) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::InUse => Self::InUse,
            StoreError::Stopped => Self::Stopped,
            StoreError::Unavailable(why) => Self::Unavailable(why.clone()),
            StoreError::OutcomeUnknown(why) => Self::OutcomeUnknown(why.clone()),
            StoreError::HistoryInDoubt(why) => Self::InDoubt(why.clone()),
            other => Self::Database(other.to_string()),
        }
    }

    pub(crate) fn error(&self) -> StoreError {
        match self {
            Self::Full => StoreError::Full,
            Self::InUse => StoreError::InUse,
            Self::Stopped => StoreError::Stopped,
            Self::Unavailable(why) => StoreError::Unavailable(why.clone()),
            Self::OutcomeUnknown(why) => StoreError::OutcomeUnknown(why.clone()),
            Self::InDoubt(why) => StoreError::HistoryInDoubt(why.clone()),
            Self::Database(text) => StoreError::Database(text.clone()),
        }
    }
}

/// Work as a closure, with the caller's end of the line.
pub(crate) struct Waiting<F, T> {
    run: F,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Waiting<F, T> {
    pub(crate) fn new(run: F, caller: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { run, result: None, caller }
    }

    fn send(self, failure: Option<&Failure>) {
        let answer = match (failure, self.result) {
            (Some(failure), _) => Err(failure.error()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Stopped),
        };
        // A caller that went away has its step all the same.
        let _ = self.caller.send(answer);
    }

    pub(crate) fn keep(&mut self, result: Result<T, StoreError>) -> Result<(), Failure> {
        let result = self.result.insert(result);
        result.as_ref().map(|_| ()).map_err(Failure::of)
    }
}

impl<F, T> Job<Writing<'_>> for Waiting<F, T>
where
    F: FnMut(&mut Writing<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, on: &mut Writing<'_>) -> Result<(), Failure> {
        let result = (self.run)(on);
        self.keep(result)
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        self.send(failure);
    }
}

impl<F, T> Job<Db<'_>> for Waiting<F, T>
where
    F: FnMut(Db<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, on: &mut Db<'_>) -> Result<(), Failure> {
        let result = (self.run)(*on);
        self.keep(result)
    }

    fn answer(self: Box<Self>, failure: Option<&Failure>) {
        self.send(failure);
    }
}
