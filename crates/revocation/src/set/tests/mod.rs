//! What the set answers.

mod portable;
mod threads;

use std::collections::HashSet;

use nt_token::check::check_signature;
use nt_token::sign::sign;
use nt_token::{
    Claims, EntryId, Jti, KeyId, KeySet, Networks, OperatorId, Place, Scopes, SigningKey,
    VerifyingKey, WorkspaceId,
};
use proptest::prelude::*;

use super::*;
use crate::entry::ScopeOf;

/// Signs tokens, so that look-ups are made with what the check really returns.
pub(crate) struct Mint {
    key: SigningKey,
    keys: KeySet,
}

impl Mint {
    pub(crate) fn new() -> Self {
        let (key, _) = SigningKey::generate().expect("entropy");
        let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
        Self { key, keys: KeySet::new([public]).expect("one key") }
    }

    fn token(&self, rv: u64, place: Place, workspace: u8, operator: u8) -> SignedClaims {
        self.token_until(2, rv, place, (workspace, operator))
    }

    pub(crate) fn kid(&self) -> KeyId {
        self.key.kid().clone()
    }

    pub(crate) fn token_until(
        &self,
        exp: i64,
        rv: u64,
        place: Place,
        (workspace, operator): (u8, u8),
    ) -> SignedClaims {
        let claims = Claims {
            iss: "http://a".to_owned(),
            aud: "http://a".to_owned(),
            sub: WorkspaceId::mint([workspace; 16]),
            jti: Jti::mint(1, [0; 10]),
            iat: Timestamp::from_unix(1),
            exp: Timestamp::from_unix(exp),
            scope: Scopes::default(),
            source_networks: Networks::default(),
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
fn a_list_tells_its_places_lowest_bit_first_and_what_it_cannot_tell_has_a_number() {
    let set = RevocationSet::new();
    let of = |list: u32, bytes: usize| {
        let mut bits = vec![0_u8; bytes];
        set.add_list(list, &mut bits);
        bits
    };
    set.apply(&entry(1, revoke(HERE))).expect("in order");
    set.apply(&entry(2, revoke(Place { list: 2, idx: 9 }))).expect("in order");
    let bits = of(2, 1 << 17);
    let ones = bits.iter().map(|byte| byte.count_ones()).sum::<u32>();
    assert_eq!((ones, bits[1], bits[70_000 / 8]), (2, 1 << 1, 1 << (70_000 % 8)));
    assert_eq!(of(2, 2), [0, 1 << 1], "only the beginning");
    assert_eq!(of(3, 2), [0, 0], "of another list");
    assert_eq!(of(RevocationSet::LISTS_MAX, 2), [0, 0], "of no list");
    assert_eq!(set.swept(), 0);
    set.apply(&entry(3, revoke_workspace(1, vec![]))).expect("in order");
    set.apply(&entry(4, revoke(NEXT))).expect("in order");
    assert_eq!((set.applied(), set.swept()), (4, 3));
    let copy = RevocationSet::from_snapshot(&set.snapshot()).expect("its own");
    assert!(copy.swept() >= 3, "a snapshot may have brought any");
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
fn behind_the_horizon_no_token_counts_and_the_horizon_never_comes_back() {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    let token = |exp| mint.token_until(exp, 0, HERE, (1, 1));
    assert_eq!(set.status(&token(-9)), Status::Good, "there is no horizon yet");
    for (seq, through) in [(1, 10), (2, 5)] {
        let through = Timestamp::from_unix(through);
        set.apply(&entry(seq, Fact::Horizon { through })).expect("in order");
        assert_eq!(set.status(&token(10)), Status::Revoked(Why::Horizon));
        assert_eq!(set.status(&token(11)), Status::Good);
        assert_eq!(set.horizon(), Timestamp::from_unix(10));
    }
}

#[test]
fn behind_the_horizon_a_token_is_revoked_even_where_its_part_of_the_log_is_not_known() {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    set.apply(&entry(1, Fact::Horizon { through: Timestamp::from_unix(10) })).expect("in order");
    assert_eq!(set.status(&mint.token_until(10, 7, HERE, (1, 1))), Status::Revoked(Why::Horizon));
}

#[test]
fn the_position_is_that_of_the_last_entry_and_a_refused_one_does_not_move_it() {
    let set = RevocationSet::new();
    assert_eq!(set.position(), Position::START);
    let id = EntryId([7; 16]);
    set.apply(&Entry { id, ..entry(1, revoke(HERE)) }).expect("in order");
    set.apply(&Entry { id: EntryId([8; 16]), ..entry(3, revoke(HERE)) }).expect_err("a gap");
    assert_eq!(set.position(), Position { epoch: 1, seq: 1, entry: id });
}

#[test]
fn the_keys_that_the_log_brought_can_be_asked_for_and_none_replaces_another() {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    for (seq, jwk) in [(1, "first"), (2, "second")] {
        let jwk = jwk.to_owned();
        set.apply(&entry(seq, Fact::KeyAdded { kid: mint.kid(), jwk })).expect("in order");
    }
    set.apply(&entry(3, Fact::KeyRevoked { kid: mint.kid() })).expect("in order");
    assert_eq!(set.keys(), ["first".into()]);
}

#[test]
fn memory_is_counted_where_bits_are() {
    let set = RevocationSet::new();
    let empty = set.memory();
    set.apply(&entry(1, revoke(HERE))).expect("in order");
    let one = set.memory() - empty;
    assert!((8_192..40_000).contains(&one), "{one}");
    set.apply(&entry(2, revoke(NEXT))).expect("in order");
    assert_eq!(set.memory() - empty, one, "the neighbour is in the same chunk");
    set.apply(&entry(3, revoke(Place { idx: 0, ..HERE }))).expect("in order");
    assert_eq!(set.memory() - empty, one + 8_192);
    assert_eq!(set.freeze().memory(), set.memory() - empty);
}

#[test]
fn the_memory_of_a_list_behind_the_horizon_is_free_in_the_next_set() {
    let (mint, set) = (Mint::new(), RevocationSet::new());
    let empty = set.memory();
    let until = |place, exp| Fact::TokenRevoked {
        place,
        jti: Jti::mint(1, [0; 10]),
        exp: Timestamp::from_unix(exp),
    };
    let (early, late) = (Place { list: 5, idx: 1 }, Place { list: 6, idx: 1 });
    let facts = [until(early, 4), until(HERE, 7), until(NEXT, 3), until(late, 9)];
    for (seq, fact) in (1..).zip(facts) {
        set.apply(&entry(seq, fact)).expect("in order");
    }
    assert!(
        set.would_forget(Timestamp::from_unix(4)) && !set.would_forget(Timestamp::from_unix(3))
    );
    set.apply(&entry(5, Fact::Horizon { through: Timestamp::from_unix(4) })).expect("in order");
    assert!(!set.would_forget(Timestamp::from_unix(4)), "it has");
    set.apply(&entry(6, until(early, 4))).expect("again, and already refused");
    let next = RevocationSet::from_snapshot(&set.snapshot()).expect("reads");
    let one = (set.memory() - empty) / 3;
    assert!(next.memory() - empty <= set.memory() - empty - one / 2);
    for set in [&set, &next] {
        let status = |place, exp| set.status(&mint.token_until(exp, 0, place, (1, 1)));
        assert_eq!(status(early, 4), Status::Revoked(Why::Horizon));
        assert_eq!(status(NEXT, 3), Status::Revoked(Why::Horizon));
        assert_eq!(status(HERE, 7), Status::Revoked(Why::Token), "its list has a later end");
        assert_eq!(status(late, 9), Status::Revoked(Why::Token));
        assert_eq!(status(Place { idx: 2, ..early }, 5), Status::Good, "a later neighbour");
    }
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
