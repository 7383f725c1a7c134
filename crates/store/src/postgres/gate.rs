//! Whether a database loses nothing of what it has acknowledged.

use std::fmt;

use super::link::Link;
use super::options::Gate;
use crate::error::StoreError;
use crate::sql::row::Row;

/// Why a database may lose what it has acknowledged, or cannot be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern {
    /// It is a replica.
    InRecovery,
    /// It does not wait for its disk.
    NoFsync,
    /// A torn page after a crash is not repaired.
    NoFullPageWrites,
    /// Standbys follow it, and none is waited for: one that is promoted lacks the latest commits.
    NobodyIsWaitedFor {
        /// How many follow.
        standbys: i64,
    },
    /// Standbys are named to be waited for, but by default commits do not wait for their disks.
    CommitsDoNotWait {
        /// What `synchronous_commit` is.
        setting: String,
    },
}

impl Concern {
    /// Whether it matters with this one machine alone.
    fn is_allowed_by(&self, gate: Gate) -> bool {
        match (gate, self) {
            (Gate::Safe, _)
            | (_, Self::InRecovery)
            | (Gate::AllowLossyFailover, Self::NoFsync | Self::NoFullPageWrites) => false,
            (Gate::AllowLossyFailover | Gate::AllowLoss, _) => true,
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InRecovery => f.write_str("it is in recovery: a replica takes no writes"),
            Self::NoFsync => f.write_str("fsync is off"),
            Self::NoFullPageWrites => f.write_str("full_page_writes is off"),
            Self::NobodyIsWaitedFor { standbys } => write!(
                f,
                "{standbys} standbys follow it, but synchronous_standby_names is empty: a fail-over \
                 loses what they have not got yet"
            ),
            Self::CommitsDoNotWait { setting } => {
                write!(f, "synchronous_commit is {setting}, which waits for no standby's disk")
            }
        }
    }
}

/// Looks at the database's settings.
pub(super) fn concerns(link: &Link) -> Result<Vec<Concern>, StoreError> {
    const SQL: &str = "SELECT pg_is_in_recovery(), current_setting('fsync'),
        current_setting('full_page_writes'), current_setting('synchronous_standby_names'),
        current_setting('synchronous_commit'),
        (SELECT COUNT(*) FROM pg_stat_replication WHERE COALESCE(state, '') <> 'backup')";
    let rows = link.rows(SQL, &[])?;
    let row = Row::Postgres(rows.first().ok_or(StoreError::Corrupt("no answer"))?);
    let setting = |column| row.get::<String>(column);
    let mut found = Vec::new();
    if row.get(0)? {
        found.push(Concern::InRecovery);
    }
    if setting(1)? == "off" {
        found.push(Concern::NoFsync);
    }
    if setting(2)? == "off" {
        found.push(Concern::NoFullPageWrites);
    }
    let (named, waits, standbys) = (setting(3)?, setting(4)?, row.get(5)?);
    if named.trim().is_empty() {
        if standbys > 0 {
            found.push(Concern::NobodyIsWaitedFor { standbys });
        }
    } else if !["on", "remote_apply"].contains(&waits.as_str()) {
        found.push(Concern::CommitsDoNotWait { setting: waits });
    }
    Ok(found)
}

/// Refuses a database that is not safe enough.
pub(super) fn pass(link: &Link, gate: Gate) -> Result<(), StoreError> {
    let refused: Vec<_> = concerns(link)?
        .into_iter()
        .filter(|concern| !concern.is_allowed_by(gate))
        .map(|concern| concern.to_string())
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(StoreError::Unsafe(refused.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lossy_failover_can_be_allowed_and_a_replica_cannot() {
        let nobody = Concern::NobodyIsWaitedFor { standbys: 2 };
        assert!(!nobody.is_allowed_by(Gate::Safe));
        assert!(nobody.is_allowed_by(Gate::AllowLossyFailover));
        assert!(!Concern::NoFsync.is_allowed_by(Gate::AllowLossyFailover));
        assert!(Concern::NoFsync.is_allowed_by(Gate::AllowLoss));
        assert!(!Concern::InRecovery.is_allowed_by(Gate::AllowLoss));
    }
}
