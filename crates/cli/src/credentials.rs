//! `credentials.json`: which secrets this machine keeps, by authority. The secrets are in it, or in the
//! OS keyring; then this file says in which item, and is written only when the item is. What they are
//! good for is decided in [`crate::context`]; how a refresh uses its record, in [`crate::refresh`].
//!
//! Members that this version does not know are kept.

use std::collections::{BTreeMap, BTreeSet};

use nt_api::auth::User;
use nt_api::tokens::CreateToken;
use nt_token::{Jti, OperatorId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::client::address::Authority;
use crate::config::Config;
use crate::error::{Code, Error};
use crate::file::Folder;
use crate::held::{self, Held, Place};
use crate::keyring;
use crate::ui;

/// The file's name in the folder.
pub(crate) const FILE: &str = "credentials.json";

type Unknown = serde_json::Map<String, serde_json::Value>;

/// What is in the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    #[serde(default)]
    pub(crate) authorities: BTreeMap<Authority, AtAuthority>,
    /// Items of the keyring that nothing above refers to any more, and that are still to be removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    leaving: BTreeSet<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The secrets for one authority.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AtAuthority {
    /// The operator's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<StoredSession>,
    /// What is kept for each workspace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) workspaces: BTreeMap<WorkspaceId, AtWorkspace>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// An operator's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredSession {
    pub(crate) access_token: Held,
    pub(crate) user: User,
    /// When it began; it is renewed in the second half of its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) began_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    /// What it is renewed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grant: Option<Grant>,
}

/// The identity provider's permission to go on without a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) refresh_token: Held,
    /// After a provider that did not answer: when to ask again, if there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused_until: Option<Timestamp>,
}

/// What is kept for a workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AtWorkspace {
    /// The current token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<CurrentToken>,
    /// A refresh that has begun and is not finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending_refresh: Option<PendingRefresh>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The workspace token that this machine uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CurrentToken {
    pub(crate) token: Held,
    pub(crate) jti: Jti,
    pub(crate) expires_at: Option<Timestamp>,
}

/// A refresh that has begun. It holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PendingRefresh {
    /// Whose request it is: the same request by another operator is another one, and makes another
    /// token.
    pub(crate) operator: OperatorId,
    /// Makes the authority answer a repeated request with the same token.
    pub(crate) idempotency_key: String,
    /// What was, or is about to be, asked for.
    pub(crate) request: CreateToken,
    /// The token to revoke at the end.
    pub(crate) old: Option<Jti>,
    /// The token that was created, once it is stored as the current one.
    pub(crate) created: Option<Jti>,
}

impl Credentials {
    /// Reads the file; nothing is known where there is none. A file that cannot be understood is
    /// an error, and stays as it is.
    pub(crate) fn read(folder: &Folder) -> Result<Self, Error> {
        let Some(text) = folder.read(FILE)? else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|e| {
            // The parser's own text may quote what it found: a secret. Only the place is told.
            let path = folder.path(FILE);
            let kind =
                if e.is_syntax() || e.is_eof() { "is not JSON" } else { "is not as written" };
            let message = format!("{}, line {}: the file {kind}.", path.display(), e.line());
            Error::new(Code::ConfigInvalid, message)
                .hint("mend the file, or remove it with: ntcli config reset")
        })
    }

    /// Changes the file, and returns when the change is on the disk. What another process wrote
    /// meanwhile is not lost: the file is read again under its lock.
    pub(crate) fn update<T>(
        folder: &Folder,
        change: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, Error> {
        let _lock = folder.lock(FILE)?;
        let before = Self::read(folder)?;
        let mut after = before.clone();
        let result = change(&mut after);
        for at in after.authorities.values_mut() {
            at.workspaces.retain(|_, kept| *kept != AtWorkspace::default());
        }
        after.authorities.retain(|_, at| *at != AtAuthority::default());
        if after != before || !before.leaving.is_empty() {
            if Config::read(folder)?.secrets == Some(Place::Keyring) {
                after.move_to_keyring(folder, &before.items())?;
            }
            after.replace(before, folder)?;
        }
        Ok(result)
    }

    /// Moves all secrets. The new place is written and read back before the old one is cleared;
    /// interrupted anywhere, it can be run again. Returns how many secrets were moved.
    pub(crate) fn relocate(folder: &Folder, place: Place) -> Result<usize, Error> {
        let _lock = folder.lock(FILE)?;
        let before = Self::read(folder)?;
        let mut after = before.clone();
        match place {
            Place::Keyring => after.move_to_keyring(folder, &before.items())?,
            Place::File => after.move_to_file()?,
        }
        if after == before {
            return Ok(0);
        }
        let (old, new) = (before.items().len(), after.items().len());
        after.replace(before, folder)?;
        Ok(old.abs_diff(new))
    }

    /// Writes the file in the place of the one that says `before`, then removes the keyring's items that
    /// are not in it any more. The file names them until they are gone: the next run removes what an
    /// interrupted one left.
    fn replace(mut self, mut before: Self, folder: &Folder) -> Result<(), Error> {
        let (mut old, new) = (before.items(), self.items());
        let is_moving = old != new;
        old.append(&mut before.leaving);
        // The other name may have got a secret by a run that was interrupted before it wrote the file.
        let others: Vec<_> = old.difference(&new).map(|item| held::other_item(item)).collect();
        old.extend(others);
        self.leaving = old.difference(&new).cloned().collect();
        if is_moving {
            folder.reached("keyring-written");
        }
        self.write(folder)?;
        if is_moving {
            folder.reached("file-written");
        }
        if self.leaving.is_empty() {
            return Ok(());
        }
        self.leaving.retain(|item| !forget(item));
        self.write(folder)
    }

    /// Writes the file and reads it back.
    fn write(&self, folder: &Folder) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::failed(format!("Could not write {FILE}: {e}")))?;
        folder.write(FILE, &text)?;
        if Self::read(folder)? == *self {
            return Ok(());
        }
        Err(Error::failed(format!("{} is not as it was written.", folder.path(FILE).display())))
    }

    fn move_to_keyring(&mut self, folder: &Folder, taken: &BTreeSet<String>) -> Result<(), Error> {
        self.secrets_mut()
            .into_iter()
            .try_for_each(|(purpose, held)| held.move_to_keyring(&purpose, folder, taken))
    }

    fn move_to_file(&mut self) -> Result<(), Error> {
        for (purpose, held) in self.secrets_mut() {
            if !held.move_to_file()? {
                ui::warning(&format!("the keyring no longer has the secret: {purpose}."));
            }
        }
        Ok(())
    }

    /// The keyring's items that the file refers to.
    pub(crate) fn items(&self) -> BTreeSet<String> {
        let sessions = self.authorities.values().filter_map(|at| at.session.as_ref());
        let sessions = sessions.flat_map(|session| {
            let grant = session.grant.as_ref().map(|grant| &grant.refresh_token);
            [Some(&session.access_token), grant]
        });
        let workspaces = self.authorities.values().flat_map(|at| at.workspaces.values());
        let tokens = workspaces.map(|kept| kept.current.as_ref().map(|current| &current.token));
        sessions.chain(tokens).flatten().filter_map(Held::item).map(str::to_owned).collect()
    }

    /// Removes all items of the keyring: the file is about to be removed.
    pub(crate) fn clear_keyring(&self) {
        for item in self.items().union(&self.leaving) {
            forget(item);
        }
    }

    /// Every secret, with what it is for.
    fn secrets_mut(&mut self) -> Vec<(String, &mut Held)> {
        let mut all = Vec::new();
        for (authority, at) in &mut self.authorities {
            if let Some(session) = &mut at.session {
                all.push((format!("session at {authority}"), &mut session.access_token));
                if let Some(grant) = &mut session.grant {
                    all.push((format!("sign-in for {authority}"), &mut grant.refresh_token));
                }
            }
            for (id, workspace) in &mut at.workspaces {
                if let Some(current) = &mut workspace.current {
                    all.push((format!("token of {id} at {authority}"), &mut current.token));
                }
            }
        }
        all
    }

    /// What is kept for an authority.
    pub(crate) fn at(&self, authority: &Authority) -> Option<&AtAuthority> {
        self.authorities.get(authority)
    }

    /// What is kept for an authority, to be changed.
    pub(crate) fn at_mut(&mut self, authority: &Authority) -> &mut AtAuthority {
        self.authorities.entry(authority.clone()).or_default()
    }

    /// What is kept for a workspace.
    pub(crate) fn workspace(&self, at: &Authority, id: WorkspaceId) -> Option<&AtWorkspace> {
        self.at(at)?.workspaces.get(&id)
    }

    /// What is kept for a workspace, to be changed.
    pub(crate) fn workspace_mut(&mut self, at: &Authority, id: WorkspaceId) -> &mut AtWorkspace {
        self.at_mut(at).workspaces.entry(id).or_default()
    }

    /// How many sessions and how many workspace tokens are kept.
    pub(crate) fn count(&self) -> (usize, usize) {
        let sessions = self.authorities.values().filter(|at| at.session.is_some()).count();
        let workspaces = self.authorities.values().flat_map(|at| at.workspaces.values());
        (sessions, workspaces.filter(|workspace| workspace.current.is_some()).count())
    }
}

/// Removes an item that nothing refers to any more, and says whether it is gone. That it stays is told;
/// what was to be done is done.
fn forget(item: &str) -> bool {
    let removed = keyring::remove(item);
    if let Err(error) = &removed {
        ui::warning(&format!("'{item}' stays in the keyring. {}", error.message));
    }
    removed.is_ok()
}

#[cfg(test)]
mod tests {
    use nt_token::Secret;

    use super::*;
    use crate::config::tests::folder;

    #[test]
    fn a_current_token_is_kept_per_authority_and_workspace() {
        let (_root, folder) = folder();
        let here = Authority::parse("https://a.example").expect("well-formed");
        let there = Authority::parse("https://b.example").expect("well-formed");
        let workspace = WorkspaceId::mint([3; 16]);
        let current = CurrentToken {
            token: Secret::from("wst_x".to_owned()).into(),
            jti: "jti_a".parse().expect("well-formed"),
            expires_at: None,
        };
        Credentials::update(&folder, |all| {
            all.workspace_mut(&here, workspace).current = Some(current.clone());
        })
        .expect("is writable");
        let read = Credentials::read(&folder).expect("well-formed");
        assert_eq!(read.workspace(&here, workspace).and_then(|w| w.current.clone()), Some(current));
        assert_eq!(read.workspace(&there, workspace), None);
        assert_eq!(read.count(), (0, 1));
    }

    #[test]
    fn a_file_that_is_wrong_is_named_without_its_content_and_kept() {
        let (root, folder) = folder();
        let text = "{\n\"authorities\": \"wst_secret\"\n}";
        std::fs::write(root.path().join(FILE), text).expect("is writable");
        let error = Credentials::update(&folder, |_| ()).expect_err("it is not as written");
        assert!(error.message.contains("line 2"), "{}", error.message);
        assert!(!error.message.contains("wst_secret"), "{}", error.message);
        let kept = std::fs::read_to_string(root.path().join(FILE)).expect("is there");
        assert_eq!(kept, text);
    }
}
