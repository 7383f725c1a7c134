//! What covers more than one token: scopes, of which there may come to be many, and keys, of which
//! there are few.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nt_token::{KeyId, Place, SignedClaims};

use super::scopes::{Of, Scopes};
use crate::entry::ScopeOf;
use crate::status::Why;

/// Scopes and keys, replaced as a whole when one changes. A copy shares what does not change with what
/// it is a copy of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    scopes: Scopes<ScopeRule>,
    all: ScopeRule,
    keys: Arc<Keys>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Keys {
    revoked: BTreeSet<KeyId>,
    added: BTreeMap<KeyId, Arc<str>>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.revocations() == other.revocations()
    }
}

/// One revocation of a scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Revocation {
    /// Tokens with a smaller `rv` are covered.
    pub(crate) seq: u64,
    /// But for these.
    pub(crate) except: Vec<Place>,
}

/// A scope's revocations so far, in order.
///
/// A later one with exceptions must not bring back what an earlier one killed, so each is kept that
/// a later one without exceptions has not made superfluous.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ScopeRule(Vec<Revocation>);

impl ScopeRule {
    /// Adds a revocation, in whatever order they come: from the log, or from a snapshot.
    fn add(&mut self, new: Revocation) {
        // Only the first can be without exceptions: it has made those before it superfluous.
        if self.0.first().is_some_and(|old| old.except.is_empty() && old.seq >= new.seq) {
            return;
        }
        if new.except.is_empty() {
            self.0.retain(|old| old.seq > new.seq);
        }
        if let Err(at) = self.0.binary_search(&new) {
            self.0.insert(at, new);
        }
    }

    fn covers(&self, rv: u64, place: Place) -> bool {
        self.0.iter().any(|one| rv < one.seq && !one.except.contains(&place))
    }
}

impl Rules {
    /// Adds a scope's revocation.
    pub(crate) fn revoke_scope(&mut self, scope: &ScopeOf, revocation: Revocation) {
        self.scope(scope).add(revocation);
    }

    /// Adds a revoked key.
    pub(crate) fn revoke_key(&mut self, kid: KeyId) {
        Arc::make_mut(&mut self.keys).revoked.insert(kid);
    }

    /// Adds a public key. Nothing replaces one that is known: `kid` is its thumbprint.
    pub(crate) fn add_key(&mut self, kid: KeyId, jwk: Arc<str>) {
        Arc::make_mut(&mut self.keys).added.entry(kid).or_insert(jwk);
    }

    /// Adds all of another's.
    pub(crate) fn unite(&mut self, other: &Self) {
        for (scope, revocation) in other.revocations() {
            self.revoke_scope(&scope, revocation.clone());
        }
        for kid in &other.keys.revoked {
            self.revoke_key(kid.clone());
        }
        for (kid, jwk) in &other.keys.added {
            self.add_key(kid.clone(), Arc::clone(jwk));
        }
    }

    /// Why a token is covered, if it is.
    pub(super) fn cover(&self, token: &SignedClaims) -> Option<Why> {
        let claims = token.claims();
        let (workspace, operator) = (claims.sub, &claims.client_id);
        let covers = |rule: Option<&ScopeRule>| {
            rule.is_some_and(|rule| rule.covers(claims.rv, claims.place))
        };
        if covers(self.scopes.get(Of::Workspace(workspace))) {
            Some(Why::Workspace)
        } else if covers(self.scopes.get(Of::Operator(operator))) {
            Some(Why::Operator)
        } else if covers(self.scopes.get(Of::Member(workspace, operator))) {
            Some(Why::Member)
        } else if covers(Some(&self.all)) {
            Some(Why::All)
        } else {
            self.keys.revoked.contains(token.kid()).then_some(Why::Key)
        }
    }

    /// Every revocation of a scope, in an order that depends on nothing else.
    pub(crate) fn revocations(&self) -> Vec<(ScopeOf, &Revocation)> {
        let scopes = self.scopes.iter().map(|(scope, rule)| (scope.clone(), rule));
        let scopes = scopes.chain([(ScopeOf::All, &self.all)]);
        let mut all: Vec<_> = scopes
            .flat_map(|(scope, rule)| rule.0.iter().map(move |one| (scope.clone(), one)))
            .collect();
        all.sort_unstable();
        all
    }

    /// The revoked keys, in order.
    pub(crate) fn revoked_keys(&self) -> &BTreeSet<KeyId> {
        &self.keys.revoked
    }

    /// The public keys that were added, in the order of their identifiers.
    pub(crate) fn added_keys(&self) -> &BTreeMap<KeyId, Arc<str>> {
        &self.keys.added
    }

    fn scope(&mut self, scope: &ScopeOf) -> &mut ScopeRule {
        if *scope == ScopeOf::All { &mut self.all } else { self.scopes.entry(scope) }
    }
}
