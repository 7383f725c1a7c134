//! A map from scopes of which an altered copy costs no more than the way to what is altered: a trie by
//! hash, whose nodes copies share. Looking up allocates nothing.
//!
//! Whoever deletes workspaces one after the other thus makes each deletion as dear as the first.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use nt_token::{OperatorId, WorkspaceId};

use crate::entry::ScopeOf;

/// A node has a child for each value of so many bits of the hash.
const BITS: u32 = 4;
const WIDTH: usize = 1 << BITS;
const MASK: u64 = (1 << BITS) - 1;

/// The map. A clone costs nothing.
#[derive(Debug, Clone)]
pub(super) struct Scopes<V>(Child<V>);

type Child<V> = Option<Arc<Node<V>>>;

#[derive(Debug, Clone)]
enum Node<V> {
    Branch([Child<V>; WIDTH]),
    /// All with this hash.
    Leaf(u64, Vec<(ScopeOf, V)>),
}

/// A scope that is borrowed from a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Of<'a> {
    Workspace(WorkspaceId),
    Operator(&'a OperatorId),
    Member(WorkspaceId, &'a OperatorId),
    All,
}

impl<'a> From<&'a ScopeOf> for Of<'a> {
    fn from(scope: &'a ScopeOf) -> Self {
        match scope {
            ScopeOf::Workspace(id) => Self::Workspace(*id),
            ScopeOf::Operator(id) => Self::Operator(id),
            ScopeOf::Member(workspace, operator) => Self::Member(*workspace, operator),
            ScopeOf::All => Self::All,
        }
    }
}

impl<V> Default for Scopes<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V: Clone + Default> Scopes<V> {
    /// What is kept of a scope.
    pub(super) fn get(&self, of: Of<'_>) -> Option<&V> {
        // Mostly there is nothing at all: then nothing is hashed.
        let root = self.0.as_deref()?;
        get(root, hash(of), of)
    }

    /// The same, to be altered; the default where nothing is kept yet.
    pub(super) fn entry(&mut self, scope: &ScopeOf) -> &mut V {
        entry(&mut self.0, hash(scope.into()), 0, scope)
    }

    /// All of it, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ScopeOf, &V)> {
        let mut all = Vec::new();
        collect(self.0.as_deref(), &mut all);
        all.into_iter().map(|(scope, value)| (scope, value))
    }
}

/// Without a key of its own: identifiers are drawn by the authority, so that nobody chooses hashes.
fn hash(of: Of<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn branch_of(hash: u64, depth: u32) -> usize {
    usize::try_from((hash >> (depth * BITS)) & MASK).expect("less than the width")
}

fn get<'a, V>(mut node: &'a Node<V>, hash: u64, of: Of<'_>) -> Option<&'a V> {
    let mut depth = 0;
    loop {
        match node {
            Node::Branch(children) => node = children[branch_of(hash, depth)].as_deref()?,
            Node::Leaf(of_all, kept) if *of_all == hash => {
                let found = kept.iter().find(|(scope, _)| Of::from(scope) == of);
                return found.map(|(_, value)| value);
            }
            Node::Leaf(..) => return None,
        }
        depth += 1;
    }
}

/// Copies what others share on the way. Two hashes differ before their bits are used up.
fn entry<'a, V: Clone + Default>(
    child: &'a mut Child<V>,
    hash: u64,
    depth: u32,
    scope: &ScopeOf,
) -> &'a mut V {
    let node = child.get_or_insert_with(|| Arc::new(Node::Leaf(hash, Vec::new())));
    if let Node::Leaf(other, _) = **node
        && other != hash
    {
        let mut children: [Child<V>; WIDTH] = Default::default();
        children[branch_of(other, depth)] = Some(Arc::clone(node));
        *node = Arc::new(Node::Branch(children));
    }
    match Arc::make_mut(node) {
        Node::Branch(children) => {
            entry(&mut children[branch_of(hash, depth)], hash, depth + 1, scope)
        }
        Node::Leaf(_, kept) => {
            let at = kept.iter().position(|(known, _)| known == scope).unwrap_or_else(|| {
                kept.push((scope.clone(), V::default()));
                kept.len() - 1
            });
            &mut kept[at].1
        }
    }
}

fn collect<'a, V>(child: Option<&'a Node<V>>, all: &mut Vec<&'a (ScopeOf, V)>) {
    match child {
        None => {}
        Some(Node::Branch(children)) => {
            for child in children {
                collect(child.as_deref(), all);
            }
        }
        Some(Node::Leaf(_, kept)) => all.extend(kept),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn scope(number: u8) -> ScopeOf {
        let (workspace, operator) =
            (WorkspaceId::mint([number / 3; 16]), OperatorId::mint(1, [number / 3; 10]));
        match number % 3 {
            0 => ScopeOf::Workspace(workspace),
            1 => ScopeOf::Operator(operator),
            _ => ScopeOf::Member(workspace, operator),
        }
    }

    /// Few hashes, some of which differ only in the last bits that are looked at.
    fn poor_hash(number: u8) -> u64 {
        u64::from(number % 5) << 60 | u64::from(number % 2)
    }

    proptest! {
        #[test]
        fn it_is_a_map_and_a_copy_does_not_change_with_it(
            writes in prop::collection::vec((0_u8..60, any::<u32>()), 0..80),
            copied_at in 0_usize..80,
            poor in any::<bool>(),
        ) {
            let hash_of = |number| if poor { poor_hash(number) } else { hash((&scope(number)).into()) };
            let (mut ours, mut model) = (Scopes::<u32>::default(), HashMap::new());
            let mut copies = (ours.clone(), model.clone());
            for (at, (number, value)) in writes.into_iter().enumerate() {
                if at == copied_at {
                    copies = (ours.clone(), model.clone());
                }
                *entry(&mut ours.0, hash_of(number), 0, &scope(number)) = value;
                model.insert(scope(number), value);
            }
            for (ours, model) in [(&ours, &model), (&copies.0, &copies.1)] {
                for number in 0..60 {
                    let (scope, hash) = (scope(number), hash_of(number));
                    let found = ours.0.as_deref().and_then(|root| get(root, hash, (&scope).into()));
                    prop_assert_eq!(found, model.get(&scope));
                }
                let all: HashMap<_, _> = ours.iter().map(|(k, v)| (k.clone(), *v)).collect();
                prop_assert_eq!(&all, model);
                prop_assert_eq!(ours.iter().count(), model.len());
            }
        }
    }

    /// How many nodes nobody else has.
    fn own<V>(child: Option<&Arc<Node<V>>>) -> usize {
        match child {
            Some(node) if Arc::strong_count(node) == 1 => match &**node {
                Node::Branch(children) => {
                    1 + children.iter().map(|child| own(child.as_ref())).sum::<usize>()
                }
                Node::Leaf(..) => 1,
            },
            _ => 0,
        }
    }

    #[test]
    fn an_altered_copy_costs_its_way_however_large_the_map_is() {
        let mut scopes = Scopes::<u32>::default();
        for number in 0_u128..20_000 {
            let id = WorkspaceId::mint(number.to_be_bytes());
            let before = scopes.clone();
            *scopes.entry(&ScopeOf::Workspace(id)) += 1;
            assert!(
                own(scopes.0.as_ref()) <= 16,
                "{} nodes for the {number}th",
                own(scopes.0.as_ref())
            );
            drop(before);
        }
        assert_eq!(scopes.iter().count(), 20_000);
    }
}
