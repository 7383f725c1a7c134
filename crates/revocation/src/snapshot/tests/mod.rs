//! What every test of snapshots starts from.

mod agree;
mod hostile;

use nt_token::{EntryId, Place};
use nt_token::{Jti, KeyId, OperatorId, SignedClaims, WorkspaceId};
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;
use crate::entry::{Entry, Fact, ScopeOf};
use crate::log::first_of_epoch;
use crate::set::RevocationSet;
use crate::set::tests::Mint;
use crate::status::Status;

/// Few of everything, so that random entries and random tokens meet.
fn places() -> impl Strategy<Value = Place> {
    let idx = prop_oneof![0_u32..4, 65_530_u32..65_540, Just(Place::LIST_MAX - 1)];
    (prop_oneof![0_u32..3, Just(RevocationSet::LISTS_MAX - 1)], idx)
        .prop_map(|(list, idx)| Place { list, idx })
}

/// When the token of a place ends: those of a list at several times.
fn exp_of(place: Place) -> i64 {
    1 + i64::from(place.list % 8 + place.idx % 5) % 6
}

fn scopes() -> impl Strategy<Value = ScopeOf> {
    (0_u8..5, 0_u8..3, 0_u8..3).prop_map(|(of, workspace, operator)| {
        let workspace = WorkspaceId::mint([workspace; 16]);
        let operator = OperatorId::mint(1, [operator; 10]);
        match of {
            0 | 1 => ScopeOf::Workspace(workspace),
            2 => ScopeOf::Operator(operator),
            3 => ScopeOf::Member(workspace, operator),
            _ => ScopeOf::All,
        }
    })
}

fn facts(mine: KeyId) -> impl Strategy<Value = Fact> {
    let token = |place| Fact::TokenRevoked {
        place,
        jti: Jti::mint(1, [0; 10]),
        exp: Timestamp::from_unix(exp_of(place)),
    };
    let other: KeyId = "other".parse().expect("a kid");
    let added = other.clone();
    prop_oneof![
        8 => places().prop_map(token),
        6 => (scopes(), prop::collection::vec(places(), 0..3))
            .prop_map(|(scope, except)| Fact::ScopeRevoked { scope, except }),
        1 => prop::bool::weighted(0.2)
            .prop_map(move |it| if it { mine.clone() } else { other.clone() })
            .prop_map(|kid| Fact::KeyRevoked { kid }),
        1 => "[a-z]{0,9}".prop_map(move |jwk| Fact::KeyAdded { kid: added.clone(), jwk }),
        1 => Just(Fact::NodeGone { node: 1, incarnation: 1 }),
        1 => (0_i64..7).prop_map(|at| Fact::Horizon { through: Timestamp::from_unix(at) }),
    ]
}

/// Random histories, and tokens to ask for, of one mint: making keys anew takes long.
fn world() -> impl Strategy<Value = (Vec<Entry>, Vec<SignedClaims>)> {
    let mint = Arc::new(Mint::new());
    let history = prop::collection::vec((facts(mint.kid()), any::<[u8; 16]>()), 0..30);
    let token = (0_u64..32, places(), (0_u8..3, 0_u8..3));
    let tokens = prop::collection::vec(token, 12).prop_map(move |of| {
        let token = |(rv, place, who)| mint.token_until(exp_of(place), rv, place, who);
        of.into_iter().map(token).collect()
    });
    let history = history.prop_map(|of| {
        (1..).zip(of).map(|(seq, (fact, id))| Entry { seq, id: EntryId(id), fact }).collect()
    });
    (history, tokens)
}

/// The same where, perhaps, a new epoch begins behind one of the entries.
fn worlds() -> impl Strategy<Value = (Vec<Entry>, Vec<SignedClaims>)> {
    (world(), any::<Option<prop::sample::Index>>()).prop_map(|((mut history, tokens), cut)| {
        if let Some(cut) = cut {
            let at = cut.index(history.len() + 1);
            begin_epoch(&mut history, at);
        }
        (history, tokens)
    })
}

/// Moves all that stands behind one of the entries to where a new epoch begins.
fn begin_epoch(history: &mut Vec<Entry>, at: usize) {
    let last = at.checked_sub(1).map(|last| &history[last]);
    let (after, entry) = last.map_or((0, EntryId([0; 16])), |last| (last.seq, last.id));
    let seq = first_of_epoch(after);
    let fact = Fact::EpochBegan { epoch: 2, after, entry };
    history.insert(at, Entry { seq, id: EntryId([0xee; 16]), fact });
    (seq..).zip(&mut history[at..]).for_each(|(seq, entry)| entry.seq = seq);
}

fn replay(history: &[Entry]) -> RevocationSet {
    let set = RevocationSet::new();
    for entry in history {
        set.apply(entry).expect("in order");
    }
    set
}

fn answers(set: &RevocationSet, tokens: &[SignedClaims]) -> Vec<Status> {
    tokens.iter().map(|token| set.status(token)).collect()
}

/// A snapshot with something of everything in it.
fn sample() -> Vec<u8> {
    let place = Place { list: 1, idx: 70_000 };
    let kid: KeyId = "kid".parse().expect("a kid");
    let revoked =
        Fact::TokenRevoked { place, jti: Jti::mint(1, [0; 10]), exp: Timestamp::from_unix(2) };
    let workspace = WorkspaceId::mint([1; 16]);
    let facts = [
        revoked,
        Fact::ScopeRevoked { scope: ScopeOf::Workspace(workspace), except: vec![place] },
        Fact::ScopeRevoked {
            scope: ScopeOf::Member(workspace, OperatorId::mint(1, [1; 10])),
            except: vec![],
        },
        Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] },
        Fact::KeyAdded { kid: kid.clone(), jwk: "{}".to_owned() },
        Fact::KeyRevoked { kid },
        Fact::Horizon { through: Timestamp::from_unix(1) },
    ];
    let entry = |(seq, fact)| Entry { seq, id: EntryId([5; 16]), fact };
    replay(&(1..).zip(facts).map(entry).collect::<Vec<_>>()).snapshot()
}

/// A bitmap in bytes, as another implementation of the format writes it.
fn portable(bits: &RoaringBitmap) -> Vec<u8> {
    let mut out = Vec::new();
    bits.serialize_into(&mut out).expect("memory takes all that is written");
    out
}

fn last_fact() -> Fact {
    Fact::Horizon { through: Timestamp::from_unix(3) }
}
