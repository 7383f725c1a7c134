//! What covers more than one token: scopes and keys. Few and rarely changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use nt_token::{KeyId, OperatorId, Place, SignedClaims, WorkspaceId};

use crate::entry::ScopeOf;
use crate::status::Why;

/// Scopes and keys, replaced as a whole when one changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    workspaces: HashMap<WorkspaceId, ScopeRule>,
    operators: HashMap<OperatorId, ScopeRule>,
    members: HashMap<WorkspaceId, HashMap<OperatorId, ScopeRule>>,
    all: ScopeRule,
    revoked_keys: HashSet<KeyId>,
    added_keys: BTreeMap<KeyId, Arc<str>>,
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
        self.revoked_keys.insert(kid);
    }

    /// Adds a public key. Nothing replaces one that is known: `kid` is its thumbprint.
    pub(crate) fn add_key(&mut self, kid: KeyId, jwk: Arc<str>) {
        self.added_keys.entry(kid).or_insert(jwk);
    }

    /// Adds all of another's.
    pub(crate) fn unite(&mut self, other: &Self) {
        for (scope, revocation) in other.revocations() {
            self.revoke_scope(&scope, revocation.clone());
        }
        self.revoked_keys.extend(other.revoked_keys.iter().cloned());
        for (kid, jwk) in &other.added_keys {
            self.add_key(kid.clone(), Arc::clone(jwk));
        }
    }

    /// Why a token is covered, if it is.
    pub(super) fn cover(&self, token: &SignedClaims) -> Option<Why> {
        let claims = token.claims();
        let covers = |rule: Option<&ScopeRule>| {
            rule.is_some_and(|rule| rule.covers(claims.rv, claims.place))
        };
        if covers(self.workspaces.get(&claims.sub)) {
            Some(Why::Workspace)
        } else if covers(self.operators.get(&claims.client_id)) {
            Some(Why::Operator)
        } else if covers(self.members.get(&claims.sub).and_then(|of| of.get(&claims.client_id))) {
            Some(Why::Member)
        } else if covers(Some(&self.all)) {
            Some(Why::All)
        } else {
            self.revoked_keys.contains(token.kid()).then_some(Why::Key)
        }
    }

    /// Every revocation of a scope, in an order that depends on nothing else.
    pub(crate) fn revocations(&self) -> Vec<(ScopeOf, &Revocation)> {
        let workspaces =
            self.workspaces.iter().map(|(workspace, rule)| (ScopeOf::Workspace(*workspace), rule));
        let operators = self
            .operators
            .iter()
            .map(|(operator, rule)| (ScopeOf::Operator(operator.clone()), rule));
        let members = self.members.iter().flat_map(|(workspace, of)| {
            of.iter().map(|(operator, rule)| (ScopeOf::Member(*workspace, operator.clone()), rule))
        });
        let scopes = workspaces.chain(operators).chain(members).chain([(ScopeOf::All, &self.all)]);
        let mut all: Vec<_> = scopes
            .flat_map(|(scope, rule)| rule.0.iter().map(move |one| (scope.clone(), one)))
            .collect();
        all.sort_unstable();
        all
    }

    /// The revoked keys, in order.
    pub(crate) fn revoked_keys(&self) -> Vec<&KeyId> {
        let mut keys: Vec<_> = self.revoked_keys.iter().collect();
        keys.sort_unstable();
        keys
    }

    /// The public keys that were added, in the order of their identifiers.
    pub(crate) const fn added_keys(&self) -> &BTreeMap<KeyId, Arc<str>> {
        &self.added_keys
    }

    fn scope(&mut self, scope: &ScopeOf) -> &mut ScopeRule {
        match scope {
            ScopeOf::Workspace(id) => self.workspaces.entry(*id).or_default(),
            ScopeOf::Operator(id) => self.operators.entry(id.clone()).or_default(),
            ScopeOf::Member(workspace, operator) => {
                let members = self.members.entry(*workspace).or_default();
                members.entry(operator.clone()).or_default()
            }
            ScopeOf::All => &mut self.all,
        }
    }
}
