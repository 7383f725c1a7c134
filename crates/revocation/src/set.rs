//! What the log says so far, ready to be asked.
//!
//! ```text
//! list number ──▶ directory of segments ──▶ list ──▶ 16 chunks of 8 KiB ──▶ 1 bit a token
//!                 (1,024 × 1,024 lists, everything made when first needed)
//! ```
//!
//! Readers take no lock and never wait: each step is one atomic load. Writers are serialised by a
//! mutex that readers do not touch. State only grows, so an answer of "revoked" is final; it is
//! forgotten only by building a new set behind a horizon that the log states.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use nt_token::{KeyId, OperatorId, Place, SignedClaims, WorkspaceId};

use crate::entry::{Entry, Fact, ScopeOf};
use crate::status::{Status, Why};

const WORDS: usize = 1_024;
const CHUNK_BITS: u32 = 65_536;
const CHUNKS: usize = (Place::LIST_MAX / CHUNK_BITS) as usize;
const LISTS_A_SEGMENT: u32 = 1_024;
const SEGMENTS: u32 = 1_024;

type Chunk = [AtomicU64; WORDS];
type List = [OnceLock<Box<Chunk>>; CHUNKS];
type Segment = [OnceLock<Box<List>>; LISTS_A_SEGMENT as usize];

/// Why an entry was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    /// Entries are applied one after the other, none twice and none left out.
    #[error("log entry {got} does not follow {applied}")]
    Gap {
        /// The last entry that was applied.
        applied: u64,
        /// The one that came.
        got: u64,
    },
    /// The set holds lists up to [`RevocationSet::LISTS_MAX`].
    #[error("list {0} is beyond the largest that the revocation set can hold")]
    List(u32),
}

/// The revoked tokens, scopes and keys.
pub struct RevocationSet {
    directory: Box<[OnceLock<Box<Segment>>]>,
    rules: ArcSwap<Rules>,
    applied: AtomicU64,
    writer: Mutex<()>,
}

/// Revocations that cover more than one token. Few and rarely changed: replaced as a whole.
#[derive(Debug, Clone, Default)]
struct Rules {
    workspaces: HashMap<WorkspaceId, ScopeRule>,
    operators: HashMap<OperatorId, ScopeRule>,
    members: HashMap<WorkspaceId, HashMap<OperatorId, ScopeRule>>,
    all: Option<ScopeRule>,
    keys: Vec<KeyId>,
}

/// A scope's revocations so far.
///
/// A later one with exceptions must not bring back what an earlier one killed, so each is kept that
/// a later one without exceptions has not made superfluous.
#[derive(Debug, Clone, Default)]
struct ScopeRule(Vec<(u64, Vec<Place>)>);

impl ScopeRule {
    fn add(&mut self, seq: u64, except: &[Place]) {
        if except.is_empty() {
            self.0.clear();
        }
        self.0.push((seq, except.to_vec()));
    }

    fn covers(&self, rv: u64, place: Place) -> bool {
        self.0.iter().any(|(seq, except)| rv < *seq && !except.contains(&place))
    }
}

impl Default for RevocationSet {
    fn default() -> Self {
        Self::new()
    }
}

impl RevocationSet {
    /// Lists are numbered from 0 to one below this: 2⁴⁰ tokens.
    pub const LISTS_MAX: u32 = SEGMENTS * LISTS_A_SEGMENT;

    /// The set of the empty log.
    pub fn new() -> Self {
        Self {
            directory: (0..SEGMENTS).map(|_| OnceLock::new()).collect(),
            rules: ArcSwap::default(),
            applied: AtomicU64::new(0),
            writer: Mutex::new(()),
        }
    }

    /// The number of the last entry that every later look-up takes into account.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Applies the next entry. When this returns, every look-up that starts later, on any thread,
    /// sees it.
    pub fn apply(&self, entry: &Entry) -> Result<(), OutOfOrder> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let applied = self.applied();
        if entry.seq != applied + 1 {
            return Err(OutOfOrder::Gap { applied, got: entry.seq });
        }
        match &entry.fact {
            Fact::TokenRevoked { place, .. } => self.mark(*place)?,
            Fact::ScopeRevoked { scope, except } => {
                self.amend(|rules| rules.scope(scope).add(entry.seq, except));
            }
            Fact::KeyRevoked { kid } => self.amend(|rules| rules.keys.push(kid.clone())),
            Fact::KeyAdded { .. } => {}
        }
        self.applied.store(entry.seq, Ordering::Release);
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// What the log says of a token. Wait-free; the answer holds at the moment of the look-up.
    pub fn status(&self, token: &SignedClaims) -> Status {
        let claims = token.claims();
        if claims.rv > self.applied() {
            return Status::Unknown;
        }
        if self.is_marked(claims.place) {
            return Status::Revoked(Why::Token);
        }
        let rules = self.rules.load();
        let covers = |rule: Option<&ScopeRule>| {
            rule.is_some_and(|rule| rule.covers(claims.rv, claims.place))
        };
        if covers(rules.workspaces.get(&claims.sub)) {
            Status::Revoked(Why::Workspace)
        } else if covers(rules.operators.get(&claims.client_id)) {
            Status::Revoked(Why::Operator)
        } else if covers(rules.members.get(&claims.sub).and_then(|of| of.get(&claims.client_id))) {
            Status::Revoked(Why::Member)
        } else if covers(rules.all.as_ref()) {
            Status::Revoked(Why::All)
        } else if rules.keys.contains(token.kid()) {
            Status::Revoked(Why::Key)
        } else {
            Status::Good
        }
    }

    fn is_marked(&self, place: Place) -> bool {
        let Some((word, bit)) = self.find(place) else { return false };
        word.load(Ordering::Acquire) & bit != 0
    }

    /// The word and bit of a place, if anything near it was ever revoked.
    fn find(&self, place: Place) -> Option<(&AtomicU64, u64)> {
        let segment = self.directory.get((place.list / LISTS_A_SEGMENT) as usize)?.get()?;
        let list = segment.get((place.list % LISTS_A_SEGMENT) as usize)?.get()?;
        let chunk = list.get((place.idx / CHUNK_BITS) as usize)?.get()?;
        let word = chunk.get((place.idx % CHUNK_BITS / u64::BITS) as usize)?;
        Some((word, 1 << (place.idx % u64::BITS)))
    }

    fn mark(&self, place: Place) -> Result<(), OutOfOrder> {
        let beyond = OutOfOrder::List(place.list);
        let segment = self.directory.get((place.list / LISTS_A_SEGMENT) as usize).ok_or(beyond)?;
        let segment = segment.get_or_init(|| boxed(OnceLock::new));
        let list =
            segment[(place.list % LISTS_A_SEGMENT) as usize].get_or_init(|| boxed(OnceLock::new));
        let chunk = list.get((place.idx / CHUNK_BITS) as usize).ok_or(beyond)?;
        chunk.get_or_init(|| boxed(AtomicU64::default));
        let (word, bit) = self.find(place).expect("its chunk was made just above");
        word.fetch_or(bit, Ordering::Release);
        Ok(())
    }

    fn amend(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::clone(&self.rules.load());
        change(&mut rules);
        self.rules.store(rules.into());
    }
}

impl Rules {
    fn scope(&mut self, scope: &ScopeOf) -> &mut ScopeRule {
        match scope {
            ScopeOf::Workspace(id) => self.workspaces.entry(*id).or_default(),
            ScopeOf::Operator(id) => self.operators.entry(id.clone()).or_default(),
            ScopeOf::Member(workspace, operator) => {
                let members = self.members.entry(*workspace).or_default();
                members.entry(operator.clone()).or_default()
            }
            ScopeOf::All => self.all.get_or_insert_default(),
        }
    }
}

/// An array on the heap without passing over the stack.
fn boxed<T, const N: usize>(make: impl FnMut() -> T) -> Box<[T; N]> {
    let items: Box<[T]> = std::iter::repeat_with(make).take(N).collect();
    items.try_into().unwrap_or_else(|_| unreachable!("exactly N items were taken"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use nt_token::check::check_signature;
    use nt_token::sign::sign;
    use nt_token::{Claims, EntryId, Jti, KeySet, Scopes, SigningKey, Timestamp, VerifyingKey};
    use proptest::prelude::*;

    use super::*;

    /// Signs tokens, so that look-ups are made with what the check really returns.
    struct Mint {
        key: SigningKey,
        keys: KeySet,
    }

    impl Mint {
        fn new() -> Self {
            let (key, _) = SigningKey::generate().expect("entropy");
            let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
            Self { key, keys: KeySet::new([public]).expect("one key") }
        }

        fn token(&self, rv: u64, place: Place, workspace: u8, operator: u8) -> SignedClaims {
            let claims = Claims {
                iss: "http://a".to_owned(),
                aud: "http://a".to_owned(),
                sub: WorkspaceId::mint([workspace; 16]),
                jti: Jti::mint(1, [0; 10]),
                iat: Timestamp::from_unix(1),
                exp: Timestamp::from_unix(2),
                scope: Scopes::default(),
                client_id: OperatorId::mint(1, [operator; 10]),
                rv,
                place,
            };
            check_signature(sign(&claims, &self.key).expose(), &self.keys).expect("signed by us")
        }
    }

    fn entry(seq: u64, fact: Fact) -> Entry {
        Entry { seq, id: EntryId([0; 16]), fact }
    }

    fn revoke(place: Place) -> Fact {
        Fact::TokenRevoked { place, jti: Jti::mint(1, [0; 10]), exp: Timestamp::from_unix(2) }
    }

    fn revoke_workspace(workspace: u8, except: Vec<Place>) -> Fact {
        let scope = ScopeOf::Workspace(WorkspaceId::mint([workspace; 16]));
        Fact::ScopeRevoked { scope, except }
    }

    const HERE: Place = Place { list: 2, idx: 70_000 };
    const NEXT: Place = Place { list: 2, idx: 70_001 };

    #[test]
    fn a_revoked_token_is_revoked_and_its_neighbours_are_not() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        set.apply(&entry(1, revoke(HERE))).expect("the first entry");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 1)), Status::Revoked(Why::Token));
        for other in [NEXT, Place { idx: 69_999, ..HERE }, Place { list: 3, ..HERE }] {
            assert_eq!(set.status(&mint.token(0, other, 1, 1)), Status::Good, "{other:?}");
        }
    }

    #[test]
    fn revoking_twice_is_as_revoking_once() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        set.apply(&entry(1, revoke(HERE))).expect("in order");
        set.apply(&entry(2, revoke(HERE))).expect("in order");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 1)), Status::Revoked(Why::Token));
        assert_eq!(set.applied(), 2);
    }

    #[test]
    fn entries_are_applied_in_order_and_none_is_left_out() {
        let set = RevocationSet::new();
        set.apply(&entry(1, revoke(HERE))).expect("in order");
        for got in [0, 1, 3] {
            let refused = set.apply(&entry(got, revoke(NEXT)));
            assert_eq!(refused, Err(OutOfOrder::Gap { applied: 1, got }));
        }
        assert_eq!(set.applied(), 1);
    }

    #[test]
    fn a_scope_revocation_covers_exactly_what_was_issued_before_it() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        set.apply(&entry(1, revoke(NEXT))).expect("in order");
        set.apply(&entry(2, revoke_workspace(1, vec![]))).expect("in order");
        assert_eq!(set.status(&mint.token(1, HERE, 1, 1)), Status::Revoked(Why::Workspace));
        assert_eq!(set.status(&mint.token(2, HERE, 1, 1)), Status::Good, "issued after it");
        assert_eq!(set.status(&mint.token(1, HERE, 2, 1)), Status::Good, "of another workspace");
    }

    #[test]
    fn an_exception_of_a_later_scope_revocation_does_not_undo_an_earlier_one() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        set.apply(&entry(1, revoke_workspace(1, vec![]))).expect("in order");
        set.apply(&entry(2, revoke_workspace(1, vec![HERE]))).expect("in order");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 1)), Status::Revoked(Why::Workspace));
        assert_eq!(set.status(&mint.token(1, HERE, 1, 1)), Status::Good);
        assert_eq!(set.status(&mint.token(1, NEXT, 1, 1)), Status::Revoked(Why::Workspace));
    }

    #[test]
    fn operators_keys_and_everything_can_be_revoked() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        let operator = ScopeOf::Operator(OperatorId::mint(1, [5; 10]));
        set.apply(&entry(1, Fact::ScopeRevoked { scope: operator, except: vec![] })).expect("1");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 5)), Status::Revoked(Why::Operator));
        assert_eq!(set.status(&mint.token(0, HERE, 1, 6)), Status::Good);
        let kid = mint.key.kid().clone();
        set.apply(&entry(2, Fact::KeyRevoked { kid })).expect("2");
        assert_eq!(set.status(&mint.token(2, HERE, 1, 6)), Status::Revoked(Why::Key));
        let everything = Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] };
        set.apply(&entry(3, everything)).expect("3");
        assert_eq!(set.status(&mint.token(2, HERE, 1, 6)), Status::Revoked(Why::All));
    }

    #[test]
    fn what_a_member_had_issued_for_one_workspace_can_be_revoked() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        let operator = OperatorId::mint(1, [5; 10]);
        let scope = ScopeOf::Member(WorkspaceId::mint([1; 16]), operator);
        set.apply(&entry(1, Fact::ScopeRevoked { scope, except: vec![] })).expect("1");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 5)), Status::Revoked(Why::Member));
        assert_eq!(set.status(&mint.token(1, HERE, 1, 5)), Status::Good, "issued after it");
        assert_eq!(set.status(&mint.token(0, HERE, 1, 6)), Status::Good, "by another");
        assert_eq!(set.status(&mint.token(0, HERE, 2, 5)), Status::Good, "elsewhere");
    }

    #[test]
    fn a_token_from_a_part_of_the_log_that_is_not_known_here_is_unknown() {
        let (mint, set) = (Mint::new(), RevocationSet::new());
        assert_eq!(set.status(&mint.token(1, HERE, 1, 1)), Status::Unknown);
    }

    #[test]
    fn a_list_beyond_the_largest_is_an_error_and_not_lost() {
        let set = RevocationSet::new();
        let beyond = Place { list: RevocationSet::LISTS_MAX, idx: 0 };
        let refused = set.apply(&entry(1, revoke(beyond)));
        assert_eq!(refused, Err(OutOfOrder::List(RevocationSet::LISTS_MAX)));
        assert_eq!(set.applied(), 0);
        let last = Place { list: RevocationSet::LISTS_MAX - 1, idx: Place::LIST_MAX - 1 };
        set.apply(&entry(1, revoke(last))).expect("the very last place");
    }

    #[test]
    fn what_was_applied_is_seen_by_every_thread_at_once() {
        let (mint, set) = (Mint::new(), Arc::new(RevocationSet::new()));
        let places: Vec<Place> = (0..200).map(|i| Place { list: i % 3, idx: i * 400 }).collect();
        let tokens: Arc<Vec<_>> =
            Arc::new(places.iter().map(|place| mint.token(0, *place, 1, 1)).collect());
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let (set, tokens, stop) = (Arc::clone(&set), Arc::clone(&tokens), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut checks = 0_u64;
                while !stop.load(Ordering::Relaxed) || checks == 0 {
                    let applied = usize::try_from(set.applied()).expect("small");
                    let seen =
                        tokens.iter().take(applied).all(|token| set.status(token) != Status::Good);
                    assert!(seen, "an applied revocation was not seen");
                    checks += 1;
                }
                checks
            })
        };
        for (seq, place) in (1..).zip(&places) {
            set.apply(&entry(seq, revoke(*place))).expect("in order");
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("no assertion failed") > 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_set_agrees_with_a_plain_list_of_places(
            revoked in prop::collection::vec((0_u32..4, 0_u32..Place::LIST_MAX), 0..60),
            asked in prop::collection::vec((0_u32..4, 0_u32..Place::LIST_MAX), 0..10),
        ) {
            let (mint, set) = (Mint::new(), RevocationSet::new());
            for (seq, (list, idx)) in (1..).zip(&revoked) {
                let place = Place { list: *list, idx: *idx };
                set.apply(&entry(seq, revoke(place))).expect("in order");
            }
            let model: HashSet<_> = revoked.iter().copied().collect();
            for (list, idx) in revoked.iter().chain(&asked) {
                let status = set.status(&mint.token(0, Place { list: *list, idx: *idx }, 1, 1));
                prop_assert_eq!(status != Status::Good, model.contains(&(*list, *idx)));
            }
        }
    }
}
