//! What a command works with: settings, authority, session, workspace. Each is found once, and only
//! when a command asks for it.

use std::cell::OnceCell;

use nt_token::clock::{Clock as _, SystemClock};
use nt_token::{Jti, Timestamp, WorkspaceId};

use crate::claimed::{self, Claimed};
use crate::client::Client;
use crate::client::address::{self, Authority};
use crate::client::calls::Operator;
use crate::config::{AtAuthority, Config};
use crate::credentials::{Credentials, CurrentToken, StoredSession};
use crate::error::{Code, Error};
use crate::file::Folder;
use crate::renewal::{Need, Renewal};
use crate::settings::Settings;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) folder: Folder,
    pub(crate) verbose: bool,
    config: OnceCell<Config>,
    credentials: OnceCell<Credentials>,
    authority: OnceCell<Authority>,
    client: OnceCell<Client>,
}

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    Environment,
    Config,
    Default,
}

/// Which workspace is meant, before the authority is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    Id(WorkspaceId),
    /// A name that this machine does not know, or knows more than once.
    Name(String),
}

impl Context {
    pub(crate) fn new(verbose: bool) -> Result<Self, Error> {
        let settings = Settings::from_environment()?;
        let folder = Folder::new(settings.folder.clone());
        #[cfg(debug_assertions)]
        let folder = folder.crashing_at(settings.crash_at.clone());
        Ok(Self {
            settings,
            folder,
            verbose,
            config: OnceCell::new(),
            credentials: OnceCell::new(),
            authority: OnceCell::new(),
            client: OnceCell::new(),
        })
    }

    /// The configuration as it was when it was first asked for.
    pub(crate) fn config(&self) -> Result<&Config, Error> {
        found_once(&self.config, || Config::read(&self.folder))
    }

    /// The credentials as they were when they were first asked for.
    pub(crate) fn credentials(&self) -> Result<&Credentials, Error> {
        found_once(&self.credentials, || Credentials::read(&self.folder))
    }

    /// The authority, and who says so.
    pub(crate) fn authority_and_source(&self) -> Result<(Authority, Source), Error> {
        if let Some(authority) = &self.settings.authority {
            return Ok((authority.clone(), Source::Environment));
        }
        if let Some(authority) = &self.config()?.authority {
            return Ok((authority.clone(), Source::Config));
        }
        let default = Authority::parse(address::DEFAULT);
        Ok((default.map_err(|e| Error::failed(e.to_string()))?, Source::Default))
    }

    pub(crate) fn authority(&self) -> Result<&Authority, Error> {
        found_once(&self.authority, || Ok(self.authority_and_source()?.0))
    }

    /// What the configuration knows of the authority.
    pub(crate) fn known(&self) -> Result<Option<&AtAuthority>, Error> {
        Ok(self.config()?.at(self.authority()?))
    }

    /// Changes what the configuration knows of the authority.
    pub(crate) fn update_known(&self, change: impl FnOnce(&mut AtAuthority)) -> Result<(), Error> {
        let authority = self.authority()?;
        Config::update(&self.folder, |config| change(config.at_mut(authority)))
    }

    /// Asks the authority. Secrets do not go over a network in the clear unless that was allowed.
    pub(crate) fn client(&self) -> Result<&Client, Error> {
        found_once(&self.client, || {
            let authority = self.authority()?;
            let is_private = authority.is_encrypted() || authority.is_loopback();
            if !is_private && !self.known()?.is_some_and(|at| at.insecure) {
                let message = format!("{authority} is neither encrypted nor on this machine.");
                let hint = format!("ntcli domain set {authority} --insecure");
                return Err(Error::usage(message).hint(hint));
            }
            Ok(Client::new(authority.clone(), self.settings.debug))
        })
    }

    /// The session that is kept here.
    pub(crate) fn kept_session(&self) -> Result<Option<&StoredSession>, Error> {
        let kept = self.credentials()?.at(self.authority()?);
        Ok(kept.and_then(|at| at.session.as_ref()))
    }

    /// Asks in the name of the operator, with the session that the environment gives or that is kept
    /// here; the latter is renewed where that is due. A workspace token is refused before anything is
    /// sent; the purpose is what it is refused for.
    pub(crate) fn operator(&self, purpose: &'static str) -> Result<Operator<'_>, Error> {
        match &self.settings.session_token {
            Some(given) if given.expose().starts_with(claimed::PREFIX) => {
                Err(Error::operator_needed(purpose))
            }
            Some(given) => Ok(self.client()?.operator(given.clone(), purpose)),
            None => match self.kept_operator(purpose)? {
                Some(operator) => Ok(operator),
                None if self.settings.workspace_token.is_some() => {
                    Err(Error::operator_needed(purpose))
                }
                None => Err(Error::not_signed_in()),
            },
        }
    }

    /// Whether there is a session to ask with, or a workspace token in its place.
    pub(crate) fn has_session(&self) -> Result<bool, Error> {
        Ok(self.settings.session_token.is_some() || self.kept_session()?.is_some())
    }

    /// Asks with the session that is kept here, renewed where that is due; nothing where there is none.
    pub(crate) fn kept_operator(
        &self,
        purpose: &'static str,
    ) -> Result<Option<Operator<'_>>, Error> {
        let Some(kept) = self.kept_session()? else { return Ok(None) };
        let (folder, authority, client) = (&self.folder, self.authority()?, self.client()?);
        let renewal = Renewal { folder, authority, client, known: kept.clone() };
        let renewed = if renewal.is_due(now()) { renewal.run(Need::Due)? } else { None };
        if let Some(session) = renewed {
            return Ok(Some(client.operator(session, purpose)));
        }
        let session = kept.access_token.reveal()?;
        Ok(session.map(|session| client.operator(session, purpose).renewed_by(renewal)))
    }

    /// Which workspace is meant: the argument's, else the environment's, else the active one. The
    /// authority is not asked.
    pub(crate) fn choose(&self, argument: Option<&str>) -> Result<Chosen, Error> {
        if let Some(text) = argument.or(self.settings.workspace.as_deref()) {
            return self.choose_named(text);
        }
        let active = self.known()?.and_then(|at| at.active);
        active.map(Chosen::Id).ok_or_else(|| {
            Error::new(Code::NoWorkspaceSelected, "No workspace selected")
                .hint("ntcli workspace switch <name>")
        })
    }

    /// Which workspace a name or UUID means, as far as this machine knows.
    pub(crate) fn choose_named(&self, text: &str) -> Result<Chosen, Error> {
        if let Ok(id) = text.parse() {
            return Ok(Chosen::Id(id));
        }
        let known = self.known()?.into_iter().flat_map(|at| &at.workspaces);
        let mut ids = known.filter(|(_, known)| known.name == text).map(|(id, _)| *id);
        Ok(match (ids.next(), ids.next()) {
            (Some(id), None) => Chosen::Id(id),
            _ => Chosen::Name(text.to_owned()),
        })
    }

    /// The workspace that is meant, in one go.
    pub(crate) fn workspace(
        &self,
        argument: Option<&str>,
        operator: &Operator<'_>,
    ) -> Result<WorkspaceId, Error> {
        self.choose(argument)?.resolve(operator)
    }

    /// The workspace token that is kept here for a workspace.
    pub(crate) fn kept_token(&self, id: WorkspaceId) -> Result<Option<&CurrentToken>, Error> {
        let kept = self.credentials()?.workspace(self.authority()?, id);
        Ok(kept.and_then(|workspace| workspace.current.as_ref()))
    }

    /// The JTI of the current token of a workspace: the environment's if it is of that workspace,
    /// else the one that is kept here.
    pub(crate) fn current_jti(&self, id: WorkspaceId) -> Result<Option<Jti>, Error> {
        let given = self.settings.workspace_token.as_ref().and_then(Claimed::by);
        match given.filter(|claimed| claimed.workspace == id) {
            Some(claimed) => Ok(Some(claimed.jti)),
            None => Ok(self.kept_token(id)?.map(|token| token.jti.clone())),
        }
    }

    /// What a workspace is called here: its name where it is known.
    pub(crate) fn name_of(&self, id: WorkspaceId) -> Result<String, Error> {
        let known = self.known()?.and_then(|at| at.workspaces.get(&id));
        Ok(known.map_or_else(|| id.to_string(), |known| known.name.clone()))
    }
}

impl Chosen {
    /// The workspace that is meant; a name that this machine does not know is looked up.
    pub(crate) fn resolve(self, operator: &Operator<'_>) -> Result<WorkspaceId, Error> {
        let name = match self {
            Self::Id(id) => return Ok(id),
            Self::Name(name) => name,
        };
        let all = operator.workspaces()?.workspaces;
        let ids: Vec<_> = all.iter().filter(|w| w.workspace_name == name).collect();
        match ids.as_slice() {
            [one] => Ok(one.workspace_id),
            [] => Err(Error::new(Code::WorkspaceNotFound, format!("Workspace '{name}' not found"))
                .hint("ntcli workspace list")),
            several => {
                let ids: Vec<_> = several.iter().map(|w| w.workspace_id.to_string()).collect();
                let message = format!("Workspace name '{name}' is ambiguous: {}", ids.join(", "));
                Err(Error::new(Code::AmbiguousWorkspace, message).hint("use the UUID"))
            }
        }
    }
}

/// The time, as this machine knows it.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

fn found_once<T>(cell: &OnceCell<T>, find: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(found) = cell.get() {
        return Ok(found);
    }
    let found = find()?;
    Ok(cell.get_or_init(|| found))
}
