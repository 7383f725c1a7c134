//! When there is no answer.

use nt_revocation::entry::UnknownEntry;
use nt_token::EntryId;

/// The store could not answer. A "no" is never one of these: it is an answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is behind what this authority has answered for, or is another one.
    #[error(
        "the database ends at log position {database}, but this authority has answered for \
         position {witness}: an older copy was put back, or the file is another authority's"
    )]
    HistoryLost {
        /// Where the database ends.
        database: String,
        /// What the high-water file says.
        witness: String,
    },
    /// The high-water file cannot be read as one.
    #[error("the high-water file {0} is damaged")]
    HighWater(std::path::PathBuf),
    /// The journal has nothing that the database has.
    #[error(
        "the journal in {0} is of another authority than the database: this is the data directory of \
         another one, or the database was put back from before everything that the journal has"
    )]
    AnothersJournal(std::path::PathBuf),
    /// A file of the journal is damaged where it had been complete.
    #[error("the journal's file {0} is damaged")]
    Journal(std::path::PathBuf),
    /// While running, the database turned out to be another one than this authority has answered
    /// from, or to have lost a part of it. Nothing more is said until it was opened anew.
    #[error("the database is not the one that this authority has answered from: {0}")]
    HistoryInDoubt(String),
    /// The database cannot be reached, or did not answer in time; nothing was changed.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The connection was lost, or the replica's answer was not waited for, at the moment of the
    /// commit. The same step may be taken again.
    #[error("whether the step was taken is not known: {0}")]
    OutcomeUnknown(String),
    /// The database may lose what it has acknowledged, and nobody has allowed that.
    #[error("the database may lose what it has acknowledged: {0}")]
    Unsafe(String),
    /// The database's URL cannot be used.
    #[error("the database's URL: {0}")]
    Url(String),
    /// Written by a later version, or damaged.
    #[error(transparent)]
    UnknownEntry(#[from] UnknownEntry),
    /// A row cannot be read as what it should be.
    #[error("the database holds {0} that cannot be read")]
    Corrupt(&'static str),
    /// Written by a later version of this program.
    #[error(
        "the database's schema has version {found}, but this program knows only {known}: it was \
         written by a later version"
    )]
    LaterSchema {
        /// What the database has.
        found: u64,
        /// What is known here.
        known: u64,
    },
    /// A step came with the identity of an entry that says something else.
    #[error("the log has another entry under the id {0}")]
    EntryReused(EntryId),
    /// The system gave no random numbers.
    #[error("no random numbers to be had")]
    Entropy,
    /// No room to write; nothing was changed.
    #[error("no space left to write")]
    Full,
    /// The database is in use by another process.
    #[error("the database is in use by another process")]
    InUse,
    /// The store is shutting down or has stopped after an error that leaves its state in doubt.
    #[error("the store has stopped")]
    Stopped,
    /// The database's own error.
    #[error("database: {0}")]
    Database(String),
    /// A file beside the database.
    #[error("{what}: {source}")]
    File {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
