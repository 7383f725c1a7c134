//! `pinned_keys.json`: the public keys that each authority published when somebody signed in there. A
//! receipt is checked with them when nobody can be asked, or nobody is to be believed.

use std::collections::BTreeMap;

use nt_token::KeySet;
use nt_token::jwk::Jwks;
use serde::{Deserialize, Serialize};

use crate::client::address::Authority;
use crate::error::{Code, Error};
use crate::file::Folder;

/// The file's name in the folder.
pub(crate) const FILE: &str = "pinned_keys.json";

/// What is in the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Pinned {
    #[serde(default)]
    authorities: BTreeMap<Authority, Jwks>,
    /// Members that this version does not know are kept.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

/// The keys that are pinned for an authority; nothing where none are.
pub(crate) fn keys_of(folder: &Folder, authority: &Authority) -> Result<Option<KeySet>, Error> {
    let pinned = read(folder)?;
    pinned.authorities.get(authority).map(|jwks| keys(jwks, FILE)).transpose()
}

/// Pins an authority's keys in the place of those of before.
pub(crate) fn pin(folder: &Folder, authority: &Authority, jwks: Jwks) -> Result<(), Error> {
    let _lock = folder.lock(FILE)?;
    let mut pinned = read(folder)?;
    if pinned.authorities.get(authority) == Some(&jwks) {
        return Ok(());
    }
    pinned.authorities.insert(authority.clone(), jwks);
    let text = serde_json::to_string_pretty(&pinned)
        .map_err(|e| Error::failed(format!("Could not write {FILE}: {e}")))?;
    folder.write(FILE, &format!("{text}\n"))
}

/// The keys of a published set, which must have one that can be used.
pub(crate) fn keys(jwks: &Jwks, name: &str) -> Result<KeySet, Error> {
    let keys = KeySet::from_jwks(jwks);
    let keys =
        keys.map_err(|e| Error::failed(format!("The keys in {name} cannot be used: {e}.")))?;
    let mut names = jwks.keys.iter().filter_map(|jwk| jwk.kid.as_deref());
    if names.any(|kid| keys.key(kid).is_some()) {
        return Ok(keys);
    }
    Err(Error::failed(format!("There is no key of an authority in {name}.")))
}

fn read(folder: &Folder) -> Result<Pinned, Error> {
    let Some(text) = folder.read(FILE)? else { return Ok(Pinned::default()) };
    serde_json::from_str(&text).map_err(|e| {
        let path = folder.path(FILE);
        let message = format!("{}, line {}: the file is not as written.", path.display(), e.line());
        Error::new(Code::ConfigInvalid, message)
            .hint("remove the file; ntcli auth login --force makes it anew")
    })
}
