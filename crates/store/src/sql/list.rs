//! The lists of places, as they are published.

use super::db::{Db, all};
use super::row::number;
use crate::error::StoreError;
use crate::list::{KnownList, ListedPlaces};

/// All lists, by number. What a recovery leaves out has no places.
pub(super) fn known(db: Db<'_>) -> Result<Vec<KnownList>, StoreError> {
    const SQL: &str =
        "SELECT list, bucket, capacity, issued FROM lists WHERE capacity > 0 ORDER BY list";
    all(db, SQL, &[], |row| {
        Ok(KnownList {
            number: number(row, 0)?,
            bucket: row.get(1)?,
            capacity: number(row, 2)?,
            issued: number(row, 3)?,
        })
    })
}

/// Which places of a list do not count. A token's record says so itself, but for those of a deleted
/// workspace, which nobody writes to one by one, and one that a node had signed by a key of whose
/// revocation it had not heard yet.
pub(super) fn places(db: Db<'_>, list: &KnownList) -> Result<ListedPlaces, StoreError> {
    const REVOKED: &str = "SELECT idx FROM tokens WHERE list = ?1 AND (revoked_at IS NOT NULL
        OR workspace IN (SELECT id FROM workspaces WHERE deleted_at IS NOT NULL)
        OR kid IN (SELECT kid FROM signing_keys WHERE state = 'revoked'))";
    const LIVE: &str = "SELECT idx FROM tokens WHERE list = ?1 AND revoked_at IS NULL
        AND workspace NOT IN (SELECT id FROM workspaces WHERE deleted_at IS NOT NULL)
        AND kid NOT IN (SELECT kid FROM signing_keys WHERE state = 'revoked')";
    let read = |sql| all(db, sql, &[&list.number], |row| number(row, 0));
    if list.was_closed() {
        Ok(ListedPlaces::LiveOnly(read(LIVE)?))
    } else {
        Ok(ListedPlaces::Revoked(read(REVOKED)?))
    }
}
