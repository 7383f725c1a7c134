//! What standard clients ask for: whether a token is good (RFC 7662), and to revoke one (RFC 7009). Who
//! may do it with which token; how it is said on the wire is not here.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use nt_store::{Act, Client};
use nt_token::{ClientRight, Secret, WorkspaceId};

use crate::authority::error::{Answer, Error, Refusal};
use crate::authority::revoke::Taking;
use crate::authority::seen::Seen;
use crate::authority::{Authority, Caller, Demand, NotAccepted, VerifiedToken, limits};

/// How somebody says at the OAuth endpoints who asks.
#[derive(Debug, Clone)]
pub enum Presented {
    /// With an operator's session.
    Session(Secret),
    /// As a client.
    Client {
        /// Its name.
        id: String,
        /// What it proves that with.
        secret: Secret,
    },
}

/// Who asks at the OAuth endpoints.
#[derive(Debug, Clone)]
pub enum Asker {
    /// An operator.
    Operator(Caller),
    /// A client, from here.
    Client(Arc<Client>, Option<IpAddr>),
}

impl Asker {
    /// By what it is remembered how often somebody came. No client is named as an operator is.
    fn key(&self) -> &str {
        match self {
            Self::Operator(caller) => caller.operator().id.as_str(),
            Self::Client(client, _) => client.name.as_str(),
        }
    }

    /// Refuses what a client was not registered for. What an operator may do depends on the workspace.
    fn demand(&self, right: ClientRight) -> Result<(), Refusal> {
        match self {
            Self::Client(client, _) if !client.rights.allow(right) => Err(Refusal::ClientMayNot),
            Self::Client(..) | Self::Operator(_) => Ok(()),
        }
    }

    /// The one workspace of whose tokens the asker may learn something, where there is such a limit.
    fn limit(&self) -> Option<WorkspaceId> {
        match self {
            Self::Client(client, _) => client.workspace,
            Self::Operator(caller) => caller.grant().map(|grant| grant.workspace),
        }
    }
}

impl Authority {
    /// Who asks, by what was presented. Nobody is told which part of it was wrong.
    pub async fn asker(&self, presented: Presented, from: Option<IpAddr>) -> Answer<Asker> {
        match presented {
            Presented::Client { id, secret } => {
                Ok(Asker::Client(self.client(&id, &secret, from).await?, from))
            }
            Presented::Session(session) => match self.caller(Some(session.expose()), from).await {
                Err(Error::Refused(refusal @ (Refusal::NotSignedIn | Refusal::OperatorNeeded))) => {
                    self.rates.fails(from)?;
                    Err(refusal.into())
                }
                caller => Ok(Asker::Operator(caller?)),
            },
        }
    }

    /// What a token says, if it is good right now and the asker may know. Of a token of another workspace
    /// than the asker's it is not even looked whether it counts: the answer cannot depend on it, nor how
    /// long it takes.
    pub fn introspect(&self, asker: &Asker, token: &str) -> Answer<Option<VerifiedToken>> {
        self.rates.introspects(asker.key())?;
        asker.demand(ClientRight::Introspect)?;
        if let Some(workspace) = asker.limit()
            && self.signed(token).is_none_or(|seen| seen.signed.claims().sub != workspace)
        {
            return Ok(None);
        }
        match self.verify(token, &Demand::NOTHING) {
            Ok(token) => Ok(Some(token)),
            Err(NotAccepted::NotReady) => Err(Refusal::NotServing.into()),
            Err(_) => Ok(None),
        }
    }

    /// Revokes a token, and returns when no verifier accepts it any more; an error where that is not
    /// known in time. What this authority did not sign, or signed with a key that was revoked, no
    /// verifier accepts once it knows what this node knows: for that alone is waited then.
    ///
    /// A token of a workspace that the asker may not revoke in is refused, whatever has become of it.
    /// That it is one of ours can be seen by the published keys; whether it counts cannot.
    pub async fn revoke_presented(&self, asker: &Asker, token: &str) -> Answer<()> {
        self.rates.revokes(asker.key())?;
        asker.demand(ClientRight::Revoke)?;
        let wait = Some(Duration::from_secs(limits::PREFERRED_WAIT));
        let Some(seen) = self.signed(token) else {
            return self.everywhere_within(wait).await;
        };
        let claims = seen.signed.claims();
        let (workspace, jti) = (claims.sub, claims.jti.clone());
        let revoked = match asker {
            Asker::Operator(caller) => {
                self.revoke(caller, workspace, jti, None, wait).await.map_err(|error| match error {
                    Error::Refused(Refusal::NoWorkspace | Refusal::NotAllowed) => {
                        Refusal::ClientMayNot.into()
                    }
                    other => other,
                })
            }
            Asker::Client(client, from) => {
                if client.workspace.is_some_and(|only| only != workspace) {
                    return Err(Refusal::ClientMayNot.into());
                }
                let reason = Some("revoked over OAuth".to_owned());
                let act = self.act_of(client, *from);
                self.take_back(Taking { workspace, jti, reason, act, wait }).await
            }
        };
        match revoked {
            Ok(revoked) if revoked.receipt.is_some() => Ok(()),
            // Signed, and of no record: only a part of the log that was lost explains it, and that the
            // tokens of that part are refused is in force where the log is.
            Err(Error::Refused(Refusal::NoToken(_))) if self.is_refused(token) => {
                self.everywhere_within(wait).await
            }
            // On its way, or of no record and not refused: not yet is not done.
            Ok(_) | Err(Error::Refused(Refusal::NoToken(_))) => Err(Refusal::NotServing.into()),
            Err(error) => Err(error),
        }
    }

    /// What a token says that this authority signed, whatever has become of it.
    fn signed(&self, token: &str) -> Option<Arc<Seen>> {
        self.seen.check(token, self.keys.now().checking()).ok()
    }

    fn is_refused(&self, token: &str) -> bool {
        let verified = self.verify(token, &Demand::NOTHING);
        matches!(verified, Err(NotAccepted::Revoked | NotAccepted::Refused(_)))
    }

    /// Waits until all that this node knows is in force at every verifier, but not longer than this.
    async fn everywhere_within(&self, wait: Option<Duration>) -> Answer<()> {
        self.serving()?;
        if self.in_force_within(self.set.applied(), wait).await? {
            return Ok(());
        }
        Err(Refusal::NotServing.into())
    }

    /// The circumstances of what a client does now. Whoever registered it answers for it; the note says
    /// that it was the client.
    fn act_of(&self, client: &Client, from: Option<IpAddr>) -> Act {
        let note = Some(format!("by the client {}", client.name));
        Act { operator: client.created_by.clone(), at: self.clock.now(), from, note }
    }
}
