//! Where a secret is: in `credentials.json` itself, or in the OS keyring. Each says so on its own, so
//! that a migration can be interrupted anywhere and every secret is still found.

use std::collections::BTreeSet;

use nt_token::Secret;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::file::Folder;
use crate::keyring;

/// A secret that is kept here: `"wst_…"`, or `{"keyring": "the item's name"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Held {
    /// In the file itself.
    File(Secret),
    /// In an item of the keyring.
    Keyring {
        /// The item's name.
        keyring: String,
    },
}

/// Where secrets are to be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In `credentials.json`.
    #[default]
    File,
    /// In the OS keyring.
    Keyring,
}

impl Held {
    /// The secret; nothing where somebody has removed it from the keyring.
    pub(crate) fn reveal(&self) -> Result<Option<Secret>, Error> {
        match self {
            Self::File(secret) => Ok(Some(secret.clone())),
            Self::Keyring { keyring } => keyring::read(keyring),
        }
    }

    /// The keyring's item, if it is there.
    pub(crate) fn item(&self) -> Option<&str> {
        match self {
            Self::File(_) => None,
            Self::Keyring { keyring } => Some(keyring),
        }
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::File(_) => Place::File,
            Self::Keyring { .. } => Place::Keyring,
        }
    }

    /// Moves a secret from the file to the keyring. It gets an item that no record in the file refers
    /// to yet, so that the file as it is stays right until it is replaced.
    pub(crate) fn move_to_keyring(
        &mut self,
        purpose: &str,
        folder: &Folder,
        taken: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let Self::File(secret) = self else { return Ok(()) };
        let first = format!("{purpose}, {}", folder.display());
        let item = if taken.contains(&first) { other_item(&first) } else { first };
        keyring::write(&item, secret)?;
        *self = Self::Keyring { keyring: item };
        Ok(())
    }

    /// Takes a secret from the keyring into the file. Says whether it was there to be taken.
    pub(crate) fn move_to_file(&mut self) -> Result<bool, Error> {
        let found = self.reveal()?;
        let is_found = found.is_some();
        if let Some(secret) = found {
            *self = Self::File(secret);
        }
        Ok(is_found)
    }
}

/// A secret has two names in turn: the new one is in its item before the old one is given up.
pub(crate) fn other_item(item: &str) -> String {
    const SECOND: &str = " (2)";
    item.strip_suffix(SECOND).map_or_else(|| format!("{item}{SECOND}"), str::to_owned)
}

impl From<Secret> for Held {
    fn from(secret: Secret) -> Self {
        Self::File(secret)
    }
}
