//! Replacing the current token so that no instant is left at which a kill would lose something:
//! neither is this machine ever without the token it last stored, nor is a live token forgotten.
//!
//! ```text
//! GET the old token's record: the new one may be used for the same, or less
//!             before-pending                    nothing has happened
//! record the intent, with its Idempotency-Key
//!             after-pending                     the next run asks for the same token
//! POST create
//!             after-create                      the same: the authority answers with that token
//! store the new token, keep the old JTI         (one write; where a keyring is used, it has the token
//!             keyring-written                   in an item of its own before, and loses the old
//!             file-written                      token's after)
//!             after-store                       the next run revokes the old one
//! DELETE the old token
//!             after-revoke                      the same: a repeated revoke is none
//! clear the record
//!             after-clear                       done
//! ```
//!
//! The names are those of the steps at which a debug build can be told to abort
//! (`NTCLI_TEST_CRASH_AT`). A lock per workspace keeps two refreshes apart. A record is finished by the
//! operator who began it: the authority tells operators' requests apart, and would create a second
//! token for another one.

use nt_api::tokens::{CreateToken, Token};
use nt_api::{ErrorCode, IsoTime};
use nt_token::{Jti, Networks, OperatorId, Timestamp, TokenStatus, WorkspaceId};

use crate::client::address::Authority;
use crate::client::calls::Operator;
use crate::client::idempotency_key;
use crate::context::Context;
use crate::credentials::{AtWorkspace, Credentials, CurrentToken, PendingRefresh};
use crate::error::{Code, Error};
use crate::file::Folder;
use crate::ui;

/// A finished refresh.
#[derive(Debug)]
pub(crate) struct Refreshed {
    /// The new current token.
    pub(crate) jti: Jti,
    /// When it ends.
    pub(crate) expires_at: Option<Timestamp>,
    /// The token that it replaced, if there was one.
    pub(crate) old: Option<Replaced>,
}

/// A token that was replaced.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) jti: Jti,
    /// When it was revoked; unknown where the authority no longer knows the token.
    pub(crate) revoked_at: Option<IsoTime>,
}

/// The refresh of one workspace's token.
pub(crate) struct Refresh<'a> {
    context: &'a Context,
    folder: &'a Folder,
    authority: &'a Authority,
    operator: &'a Operator<'a>,
    workspace: WorkspaceId,
}

impl<'a> Refresh<'a> {
    pub(crate) fn new(
        context: &'a Context,
        operator: &'a Operator<'a>,
        workspace: WorkspaceId,
    ) -> Result<Self, Error> {
        Ok(Self {
            context,
            folder: &context.folder,
            authority: context.authority()?,
            operator,
            workspace,
        })
    }

    /// Finishes what an earlier run began, and does what is wanted now unless that is the same.
    pub(crate) fn run(&self, wanted: CreateToken) -> Result<Refreshed, Error> {
        let _lock = self.folder.lock(&format!("refresh-{}", self.workspace))?;
        let me = self.me()?;
        if let Some(pending) = self.kept()?.pending_refresh {
            if pending.operator != me {
                return Err(begun_by_another(&pending));
            }
            ui::warning("a refresh was interrupted; it is finished now.");
            let is_wanted = pending.request == like(wanted.clone(), &pending.request);
            match self.finish(pending) {
                Ok(done) if is_wanted && self.is_good(&done.jti)? => return Ok(done),
                // The interrupted request was one that is refused: nothing is left of it.
                Err(error) if error.code == Code::InvalidRequest => {}
                outcome => drop(outcome?),
            }
        }
        self.finish(self.begin(self.restricted(wanted)?, me)?)
    }

    /// The request for a token that may be used as the current one may, or for less.
    fn restricted(&self, wanted: CreateToken) -> Result<CreateToken, Error> {
        let Some(current) = self.kept()?.current else { return Ok(wanted) };
        let old = match self.operator.token(self.workspace, &current.jti) {
            Ok(old) => old,
            Err(error) if error.refusal() == Some(ErrorCode::TokenNotFound) => return Ok(wanted),
            Err(error) => return Err(error.into()),
        };
        let Token { scope, source_networks, .. } = old;
        let old = CreateToken { scope, source_networks, ..CreateToken::default() };
        let wanted = like(wanted, &old);
        let networks = |of: &CreateToken| of.source_networks.join(" ").parse::<Networks>();
        let is_within = wanted.scope.iter().all(|scope| old.scope.contains(scope))
            && matches!((networks(&wanted), networks(&old)), (Ok(new), Ok(old)) if new.within(&old));
        if is_within { Ok(wanted) } else { Err(wider(&current.jti)) }
    }

    /// Records what is about to be done.
    fn begin(&self, request: CreateToken, operator: OperatorId) -> Result<PendingRefresh, Error> {
        self.folder.reached("before-pending");
        let idempotency_key = idempotency_key()?;
        let pending = self.change(|kept| {
            let old = kept.current.as_ref().map(|current| current.jti.clone());
            let pending = PendingRefresh { operator, idempotency_key, request, old, created: None };
            kept.pending_refresh = Some(pending.clone());
            pending
        })?;
        self.folder.reached("after-pending");
        Ok(pending)
    }

    /// Does what is recorded and not yet done.
    fn finish(&self, pending: PendingRefresh) -> Result<Refreshed, Error> {
        let (jti, expires_at) = match pending.created.clone() {
            Some(jti) => {
                let current = self.kept()?.current.filter(|current| current.jti == jti);
                (jti, current.and_then(|current| current.expires_at))
            }
            None => self.create(&pending)?,
        };
        let old = match pending.old {
            // A token never replaces itself.
            Some(old) if old != jti => Some(self.revoke(old, &jti)?),
            _ => None,
        };
        self.folder.reached("after-revoke");
        self.change(|kept| kept.pending_refresh = None)?;
        self.folder.reached("after-clear");
        Ok(Refreshed { jti, expires_at, old })
    }

    /// Creates the token, or gets it again, and stores it.
    fn create(&self, pending: &PendingRefresh) -> Result<(Jti, Option<Timestamp>), Error> {
        let key = &pending.idempotency_key;
        let answer = self.operator.create_token(self.workspace, &pending.request, key);
        if let Err(error) = &answer
            && error.refusal() == Some(ErrorCode::InvalidRequest)
        {
            // Not even an earlier run can have had a token for a request that is refused as such.
            // Any other failure leaves that open, and the record in its place.
            self.change(|kept| kept.pending_refresh = None)?;
        }
        let created = answer?;
        self.folder.reached("after-create");
        let expires_at = created.expires_at.map(|at| at.0);
        let jti = created.jti;
        self.change(|kept| {
            let token = created.access_token.into();
            kept.current = Some(CurrentToken { token, jti: jti.clone(), expires_at });
            if let Some(pending) = &mut kept.pending_refresh {
                pending.created = Some(jti.clone());
            }
        })?;
        self.folder.reached("after-store");
        Ok((jti, expires_at))
    }

    fn revoke(&self, old: Jti, new: &Jti) -> Result<Replaced, Error> {
        match self.operator.revoke(self.workspace, &old, Some("refreshed")) {
            Ok(revoked) if revoked.status == "revoked" => {
                Ok(Replaced { jti: old, revoked_at: Some(revoked.revoked_at) })
            }
            Ok(_) => Err(unfinished(new, &old, Code::Revoking, "it is still being revoked")),
            Err(error) if error.refusal() == Some(ErrorCode::TokenNotFound) => {
                Ok(Replaced { jti: old, revoked_at: None })
            }
            Err(error) => {
                let error = Error::from(error);
                Err(unfinished(new, &old, error.code, &error.message))
            }
        }
    }

    /// Whether a token that an earlier run created can still be used, and is still the current one.
    fn is_good(&self, jti: &Jti) -> Result<bool, Error> {
        let is_current = self.kept()?.current.is_some_and(|current| current.jti == *jti);
        if !is_current {
            return Ok(false);
        }
        match self.operator.token(self.workspace, jti) {
            Ok(token) => Ok(token.status == TokenStatus::Active),
            Err(error) if error.refusal() == Some(ErrorCode::TokenNotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Who asks. The one whom the environment's session belongs to is known to the authority alone.
    fn me(&self) -> Result<OperatorId, Error> {
        let kept = self.context.kept_session()?;
        match kept.filter(|_| self.context.settings.session_token.is_none()) {
            Some(session) => Ok(session.user.id.clone()),
            None => Ok(self.operator.session()?.user.id),
        }
    }

    fn kept(&self) -> Result<AtWorkspace, Error> {
        let all = Credentials::read(self.folder)?;
        Ok(all.workspace(self.authority, self.workspace).cloned().unwrap_or_default())
    }

    fn change<T>(&self, change: impl FnOnce(&mut AtWorkspace) -> T) -> Result<T, Error> {
        Credentials::update(self.folder, |all| {
            change(all.workspace_mut(self.authority, self.workspace))
        })
    }
}

/// Forgets a refresh that was interrupted. Returns what was known of it.
pub(crate) fn abandon(
    context: &Context,
    workspace: WorkspaceId,
) -> Result<Option<PendingRefresh>, Error> {
    let _lock = context.folder.lock(&format!("refresh-{workspace}"))?;
    let authority = context.authority()?;
    Credentials::update(&context.folder, |all| {
        all.workspace_mut(authority, workspace).pending_refresh.take()
    })
}

/// What is wanted; where it says nothing of scopes or networks, as here.
fn like(wanted: CreateToken, old: &CreateToken) -> CreateToken {
    let kept = |wanted: Vec<String>, old: &[String]| {
        if wanted.is_empty() { old.to_vec() } else { wanted }
    };
    CreateToken {
        scope: kept(wanted.scope, &old.scope),
        source_networks: kept(wanted.source_networks, &old.source_networks),
        ..wanted
    }
}

fn wider(current: &Jti) -> Error {
    let message = format!("A refreshed token may do no more than the current one ({current})");
    Error::usage(message).hint("ntcli token create makes a token of any scope")
}

fn begun_by_another(pending: &PendingRefresh) -> Error {
    let message =
        format!("A refresh that {} began was interrupted and is not finished.", pending.operator);
    Error::new(Code::RefreshOfAnother, message).hint(
        "sign in as that operator and run ntcli token refresh, or give it up with: \
         ntcli token refresh --abandon",
    )
}

fn unfinished(new: &Jti, old: &Jti, code: Code, why: &str) -> Error {
    let message =
        format!("The new token ({new}) is stored, but the old one ({old}) is not revoked: {why}");
    Error::new(code, message).hint("run ntcli token refresh again to finish")
}
