//! What went wrong with a statement, and what that means for its transaction.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// What a failure means for the transaction that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The statement was refused, and would be again.
    Refused,
    /// The transaction was; another attempt may succeed.
    TryAgain,
    /// The connection is of no use any more.
    Lost,
}

impl Fault {
    pub(super) fn of(error: &Error) -> Self {
        let Some(code) = error.code() else { return Self::Lost };
        let again = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
        ];
        // Plans and names are a connection's: a new one has neither what is stale nor what is missing.
        let lost = [
            SqlState::FEATURE_NOT_SUPPORTED,
            SqlState::INVALID_SQL_STATEMENT_NAME,
            SqlState::DUPLICATE_PSTATEMENT,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        let of_class = |class: &str| code.code().starts_with(class);
        if again.contains(code) {
            Self::TryAgain
        } else if lost.contains(code)
            || ["08", "57P", "58", "XX", "53300"].into_iter().any(of_class)
        {
            Self::Lost
        } else {
            Self::Refused
        }
    }
}

/// A failure as the store tells it.
pub(super) fn told(error: &Error) -> StoreError {
    let Some(db) = error.as_db_error() else {
        return StoreError::Unavailable(with_cause(error));
    };
    let text = format!("{} ({})", db.message(), db.code().code());
    match (db.code(), Fault::of(error)) {
        (&SqlState::DISK_FULL, _) => StoreError::Full,
        (_, Fault::TryAgain | Fault::Lost) => StoreError::Unavailable(text),
        (_, Fault::Refused) => StoreError::Database(text),
    }
}

fn with_cause(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
