use proptest::prelude::*;

use super::*;

pub(super) fn facts() -> Vec<Fact> {
    let place = Place { list: 4_000_000_000, idx: Place::LIST_MAX - 1 };
    let jti = Jti::mint(1_723_000_000_000, [9; 10]);
    let operator = OperatorId::mint(1_723_000_000_000, [8; 10]);
    let kid: KeyId = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".parse().expect("a kid");
    let scope = |scope, except| Fact::ScopeRevoked { scope, except };
    vec![
        Fact::TokenRevoked { place, jti, exp: Timestamp::from_unix(-1) },
        scope(ScopeOf::Workspace(WorkspaceId::mint([7; 16])), vec![]),
        scope(ScopeOf::Operator(operator.clone()), vec![place; Fact::EXCEPT_MAX]),
        scope(ScopeOf::Member(WorkspaceId::mint([7; 16]), operator), vec![]),
        scope(ScopeOf::All, vec![place]),
        Fact::KeyAdded { kid: kid.clone(), jwk: r#"{"kty":"OKP"}"#.to_owned() },
        Fact::KeyRevoked { kid },
        Fact::NodeJoined { node: 1, incarnation: u64::MAX },
        Fact::NodeFenced { node: 1, incarnation: 2, proof: ProofOfDeath::None },
        Fact::NodeFenced { node: 1, incarnation: 2, proof: ProofOfDeath::LockTaken },
        Fact::NodeGone { node: 3, incarnation: 4 },
        Fact::LeaseLengths { node_ms: 10_000, verifier_ms: 2_000 },
        Fact::Horizon { through: Timestamp::from_unix(-5) },
        Fact::EpochBegan { epoch: 2, after: u64::MAX, entry: EntryId([6; 16]) },
    ]
}

#[test]
fn facts_read_back_as_written() {
    for fact in facts() {
        assert_eq!(Fact::read(fact.kind(), &fact.body()), Ok(fact));
    }
}

#[test]
fn a_body_cut_short_is_never_another_fact_of_the_same_place() {
    for fact in facts() {
        let body = fact.body();
        for end in 0..body.len() {
            assert_ne!(Fact::read(fact.kind(), &body[..end]), Ok(fact.clone()));
        }
    }
}

#[test]
fn a_body_of_numbers_is_neither_shorter_nor_longer_nor_of_an_unknown_proof() {
    for fact in facts().into_iter().filter(|fact| fact.kind() >= 5) {
        let (kind, body) = (fact.kind(), fact.body());
        for end in 0..body.len() {
            assert_eq!(Fact::read(kind, &body[..end]), Err(UnknownEntry::Body(kind)));
        }
        let longer = [&body[..], &[0]].concat();
        assert_eq!(Fact::read(kind, &longer), Err(UnknownEntry::Body(kind)));
    }
    let unknown = [&[0; 16][..], &[2]].concat();
    assert_eq!(Fact::read(6, &unknown), Err(UnknownEntry::Body(6)));
}

#[test]
fn an_unknown_kind_is_an_error_and_not_passed_over() {
    for kind in [0, 11, 999] {
        assert_eq!(Fact::read(kind, &[]), Err(UnknownEntry::Kind(kind)));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(kind in 0_u16..13, body in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(fact) = Fact::read(kind, &body) {
            prop_assert_eq!(fact.body(), body);
        }
    }
}
