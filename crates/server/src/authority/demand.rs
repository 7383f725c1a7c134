//! What a door demands of a token beyond that it is good: for which workspace it must be, which scopes
//! it must have, and from where it is used. Every door asks in these words, at the authority and at an
//! edge.

use std::net::IpAddr;

use nt_token::{Claims, Scope, WorkspaceId};

/// What a door demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Which workspace the token must refer to.
    pub binding: Binding,
    /// The scopes that it must have, all of them.
    pub scopes: Vec<Scope>,
    /// From where it is used.
    pub source: Source,
}

/// Which workspace a token must refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// Any.
    None,
    /// This one.
    To(WorkspaceId),
    /// What was asked contradicts itself: no token fits.
    Contradiction,
}

/// From where a token is used, as far as a door can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From this address.
    At(IpAddr),
    /// The door cannot know: only a token that may be used from anywhere is let in.
    Unknown,
    /// Whoever asks knows, is told from where the token may be used, and looks at that.
    LeftToCaller,
}

/// What a token lacks that is good otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// It is for another workspace than the one that is asked about.
    #[error("bound to another workspace")]
    Workspace,
    /// It has not all scopes that are demanded.
    #[error("without a scope that is demanded")]
    Scope,
    /// It may not be used from there.
    #[error("used from outside its networks")]
    Source,
}

impl Unmet {
    /// What it is that is lacking, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Scope => "scope",
            Self::Source => "source",
        }
    }
}

impl Demand {
    /// Nothing but that the token is good; whoever asks looks at its networks.
    pub const NOTHING: Self =
        Self { binding: Binding::None, scopes: Vec::new(), source: Source::LeftToCaller };

    /// Whether a token that says this may be used there.
    pub fn met_by(&self, claims: &Claims) -> Result<(), Unmet> {
        if !self.binding.fits(claims) {
            return Err(Unmet::Workspace);
        }
        if !self.scopes.iter().all(|scope| claims.scope.contains(scope)) {
            return Err(Unmet::Scope);
        }
        match self.source {
            Source::LeftToCaller => Ok(()),
            _ if claims.source_networks.allow(self.source.address()) => Ok(()),
            _ => Err(Unmet::Source),
        }
    }
}

impl Binding {
    fn fits(self, claims: &Claims) -> bool {
        match self {
            Self::None => true,
            Self::To(workspace) => claims.sub == workspace,
            Self::Contradiction => false,
        }
    }
}

impl Source {
    /// The address, where it is known.
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::At(address) => Some(address),
            Self::Unknown | Self::LeftToCaller => None,
        }
    }
}
