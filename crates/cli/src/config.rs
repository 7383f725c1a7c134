//! `config.toml`: which authority, which workspace, and what is known of workspaces. No secrets.
//!
//! ```toml
//! authority = "https://auth.example.com"
//! secrets = "keyring"
//!
//! [authorities."https://auth.example.com"]
//! active = "6f0b7c52-…"
//!
//! [authorities."https://auth.example.com".workspaces.6f0b7c52-…]
//! name = "my-workspace"
//! ```
//!
//! Keys that this version does not know are kept.

use std::collections::BTreeMap;

use nt_token::WorkspaceId;
use serde::{Deserialize, Serialize};

use crate::client::address::Authority;
use crate::error::{Code, Error};
use crate::file::Folder;
use crate::held::Place;

/// The file's name in the folder.
pub(crate) const FILE: &str = "config.toml";

/// What is in the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// The authority that was set; the default one where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<Authority>,
    /// Where secrets are kept, once that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secrets: Option<Place>,
    /// What is known of each authority.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) authorities: BTreeMap<Authority, AtAuthority>,
    #[serde(flatten)]
    unknown: toml::Table,
}

/// What is known of an authority.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AtAuthority {
    /// Whether plain http to it was allowed although it is not on this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
    /// The active workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) active: Option<WorkspaceId>,
    /// The workspaces that this machine has seen there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) workspaces: BTreeMap<WorkspaceId, KnownWorkspace>,
    #[serde(flatten)]
    unknown: toml::Table,
}

/// A workspace that this machine has seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KnownWorkspace {
    /// Its name when it was last seen.
    pub(crate) name: String,
    #[serde(flatten)]
    unknown: toml::Table,
}

impl KnownWorkspace {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), unknown: toml::Table::new() }
    }
}

impl Config {
    /// Reads the file; the defaults where there is none. A file that cannot be understood is an
    /// error, and stays as it is.
    pub(crate) fn read(folder: &Folder) -> Result<Self, Error> {
        folder.read(FILE)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(folder, &text))
    }

    /// Changes the file. What another process wrote meanwhile is not lost: the file is read again
    /// under its lock.
    pub(crate) fn update(folder: &Folder, change: impl FnOnce(&mut Self)) -> Result<(), Error> {
        let _lock = folder.lock(FILE)?;
        let before = Self::read(folder)?;
        let mut after = before.clone();
        change(&mut after);
        after.authorities.retain(|_, at| *at != AtAuthority::default());
        if after == before {
            return Ok(());
        }
        folder.write(FILE, &after.to_toml()?)
    }

    /// What is known of an authority.
    pub(crate) fn at(&self, authority: &Authority) -> Option<&AtAuthority> {
        self.authorities.get(authority)
    }

    /// What is known of an authority, to be changed.
    pub(crate) fn at_mut(&mut self, authority: &Authority) -> &mut AtAuthority {
        self.authorities.entry(authority.clone()).or_default()
    }

    pub(crate) fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|e| Error::failed(format!("Could not write {FILE}: {e}")))
    }

    fn parse(folder: &Folder, text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            let path = folder.path(FILE);
            let message = format!("{}, line {line}: {}", path.display(), e.message());
            Error::new(Code::ConfigInvalid, message)
                .hint("mend the file, or remove it with: ntcli config reset")
        })
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().expect("a temporary directory");
        let folder = Folder::new(root.path().to_owned());
        (root, folder)
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let (root, folder) = folder();
        let text = "theme = \"dark\"\n\n[authorities.\"https://a.example\"]\ncolour = 3\n\n[other]\nx = 1\n";
        std::fs::write(root.path().join(FILE), text).expect("is writable");
        let authority = Authority::parse("https://a.example").expect("well-formed");
        let workspace = WorkspaceId::mint([1; 16]);
        Config::update(&folder, |config| {
            config.authority = Some(authority.clone());
            let at = config.at_mut(&authority);
            at.active = Some(workspace);
            at.workspaces.insert(workspace, KnownWorkspace::named("one"));
        })
        .expect("is writable");
        let written = std::fs::read_to_string(root.path().join(FILE)).expect("is there");
        for kept in ["theme = \"dark\"", "colour = 3", "[other]", "x = 1", "name = \"one\""] {
            assert!(written.contains(kept), "{kept} in {written}");
        }
        let read = Config::read(&folder).expect("well-formed");
        assert_eq!(read.at(&authority).and_then(|at| at.active), Some(workspace));
    }

    #[test]
    fn a_file_that_is_wrong_is_named_with_its_line_and_kept() {
        let (root, folder) = folder();
        for (text, line) in [
            ("authority = \"https://a.example\"\n\n= x\n", 3),
            ("\nauthority = 5\n", 2),
            ("\n\n[authorities.\"https://a.example\"]\nactive = \"x\"\n", 4),
        ] {
            std::fs::write(root.path().join(FILE), text).expect("is writable");
            let error = Config::update(&folder, |config| config.authority = None)
                .expect_err("it is no configuration");
            assert_eq!(error.code, Code::ConfigInvalid);
            assert!(error.message.contains(&format!("line {line}:")), "{}", error.message);
            let kept = std::fs::read_to_string(root.path().join(FILE)).expect("is there");
            assert_eq!(kept, text);
        }
    }
}
