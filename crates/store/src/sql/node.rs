//! The nodes of the authority.

use nt_revocation::Fact;
use nt_revocation::entry::ProofOfDeath;
use nt_revocation::protocol::{Incarnation, Member, NodeId};
use nt_token::EntryId;

use super::db::{Bind, Db, all, change, first};
use super::row::{Row, number, signed, time};
use super::writing::Writing;
use crate::error::StoreError;
use crate::node::{End, Home, KnownNode, NewNode, Renewal, Renewed, Standing};

/// Those that are not gone.
pub(crate) fn list(db: Db<'_>) -> Result<Vec<KnownNode>, StoreError> {
    const SQL: &str = "SELECT node, incarnation, address, home, version, state, renewals, acked,
            last_seen
        FROM nodes WHERE state <> 'gone' ORDER BY node, incarnation";
    let mut nodes = all(db, SQL, &[], node)?;
    // The database's numbers have a sign.
    nodes.sort_by_key(|node| node.member);
    Ok(nodes)
}

fn node(row: Row<'_>) -> Result<KnownNode, StoreError> {
    let state: String = row.get(5)?;
    let standing = match state.as_str() {
        "active" => Standing::Active,
        "fenced" => Standing::Fenced,
        _ => return Err(StoreError::Corrupt("a node's state")),
    };
    Ok(KnownNode {
        member: Member {
            node: NodeId(row.get::<i64>(0)?.cast_unsigned()),
            incarnation: Incarnation(row.get::<i64>(1)?.cast_unsigned()),
        },
        address: row.get(2)?,
        home: Home(row.get(3)?),
        version: row.get(4)?,
        standing,
        renewals: number(row, 6)?,
        acked: number(row, 7)?,
        last_seen: time(row, 8)?,
    })
}

fn key(member: Member) -> (i64, i64) {
    (member.node.0.cast_signed(), member.incarnation.0.cast_signed())
}

impl Writing<'_> {
    pub(super) fn join(&mut self, new: &NewNode, entry: EntryId) -> Result<u64, StoreError> {
        const SQL: &str = "INSERT INTO nodes (node, incarnation, address, home, version, state,
                renewals, acked, last_seen)
            VALUES (?1, ?2, ?3, ?4, ?5, 'active', 0, 0, ?6)";
        const OTHER: &str = "SELECT 1 FROM nodes WHERE node = ?1 AND state = 'active'";
        let (node, incarnation) = key(new.member);
        if first(self.db, OTHER, &[&node], |_| Ok(Some(())))?.is_some() {
            return Err(StoreError::Database("another life of this node goes on".to_owned()));
        }
        let params: &[&dyn Bind] =
            &[&node, &incarnation, &new.address, &new.home.0, &new.version, &new.at.unix()];
        change(self.db, SQL, params)?;
        let Member { node, incarnation } = new.member;
        self.append(entry, Fact::NodeJoined { node: node.0, incarnation: incarnation.0 })
    }

    pub(super) fn renew(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        const SQL: &str = "UPDATE nodes SET renewals = renewals + 1, acked = ?4, last_seen = ?5
            WHERE node = ?1 AND incarnation = ?2 AND state = 'active' AND renewals = ?3";
        let (node, incarnation) = key(renewal.member);
        let (renewals, acked) = (signed(renewal.renewals), signed(renewal.acked));
        let params: &[&dyn Bind] = &[&node, &incarnation, &renewals, &acked, &renewal.at.unix()];
        if change(self.db, SQL, params)? == 0 {
            return Ok(Renewed::Refused);
        }
        Ok(Renewed::Granted { head: self.head.seq })
    }

    pub(super) fn fence(
        &mut self,
        member: Member,
        proof: ProofOfDeath,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        const SQL: &str = "UPDATE nodes SET state = 'fenced'
            WHERE node = ?1 AND incarnation = ?2 AND state = 'active'";
        let (node, incarnation) = key(member);
        if change(self.db, SQL, &[&node, &incarnation])? == 0 {
            return Ok(None);
        }
        let Member { node, incarnation } = member;
        let fact = Fact::NodeFenced { node: node.0, incarnation: incarnation.0, proof };
        self.append(entry, fact).map(Some)
    }

    pub(super) fn gone(
        &mut self,
        member: Member,
        end: End,
        entry: EntryId,
    ) -> Result<Option<u64>, StoreError> {
        const SQL: &str = "UPDATE nodes SET state = 'gone'
            WHERE node = ?1 AND incarnation = ?2 AND state = ?3";
        let from = match end {
            End::Left => "active",
            End::RanOut => "fenced",
        };
        let (node, incarnation) = key(member);
        if change(self.db, SQL, &[&node, &incarnation, &from])? == 0 {
            return Ok(None);
        }
        let Member { node, incarnation } = member;
        let fact = Fact::NodeGone { node: node.0, incarnation: incarnation.0 };
        self.append(entry, fact).map(Some)
    }
}
