//! Beginning a new epoch behind what a database has kept.

use nt_revocation::{Entry, Fact, Position, RevocationSet, ScopeOf, first_of_epoch};
use nt_store::{Action, AuditQuery, Recovery, Store as _, TokenFilter, Visibility};
use nt_token::{EntryId, State, TokenRecord};

use crate::world::{World, act, open, operator, options};

const BEGINS: EntryId = EntryId([0xee; 16]);

fn recovery(witnessed: Vec<Entry>, seen: Vec<Position>) -> Recovery {
    let act = act(&operator(1), 100);
    Recovery { entry: BEGINS, witnessed, seen, revoke_before: None, act }
}

fn revoked(token: &TokenRecord, seq: u64, id: u8) -> Entry {
    let exp = token.expiry.claimed();
    let fact = Fact::TokenRevoked { place: token.place, jti: token.jti.clone(), exp };
    Entry { seq, id: EntryId([id; 16]), fact }
}

/// An authority with two tokens that was stopped, its directory, and the two.
async fn stopped() -> (World, [TokenRecord; 2]) {
    let world = World::sqlite(tempfile::tempdir().expect("a directory"));
    world.sign_in(1, None).await;
    let (workspace, first) = world.workspace(&operator(1), "demo").await;
    let second = world.token(workspace.id, act(&operator(1), 1)).await;
    let kid = crate::world::kid();
    let fact = Fact::KeyAdded { kid, jwk: "{}".to_owned() };
    world.store.append(vec![(EntryId([1; 16]), fact)]).await.expect("appended");
    world.store.close().await;
    (world, [first, second])
}

#[tokio::test]
async fn what_witnesses_know_comes_behind_what_was_kept_and_the_records_say_it() {
    let (world, [lost, kept]) = stopped().await;
    let seen = Position { epoch: 1, seq: 3, entry: EntryId([9; 16]) };
    let joined = Fact::NodeJoined { node: 1, incarnation: 1 };
    let witnessed =
        vec![revoked(&lost, 2, 8), Entry { seq: 3, id: EntryId([9; 16]), fact: joined }];
    let options = options(world.directory());
    let recovered = options.recover(&recovery(witnessed, vec![seen])).expect("recovered");
    assert_eq!((recovered.from.seq, recovered.put_back, recovered.records), (1, 1, 1));
    let first = first_of_epoch(1);
    let end = Position { epoch: 2, seq: first + 1, entry: EntryId([8; 16]) };
    assert_eq!(recovered.to, end);

    let store = open(world.directory()).expect("starts again");
    assert_eq!(store.head().await.expect("answers"), end);
    let entries = store.entries_after(0, 10).await.expect("answers");
    let set = RevocationSet::new();
    entries.iter().try_for_each(|entry| set.apply(entry)).expect("a log that can be followed");
    assert_eq!(set.position(), end);
    let began = Fact::EpochBegan { epoch: 2, after: 1, entry: EntryId([1; 16]) };
    assert_eq!(entries[1], Entry { seq: first, id: BEGINS, fact: began });
    let state = async |token: &TokenRecord| {
        let found = store.token(token.workspace, &token.jti).await.expect("answers");
        found.expect("there").0.state
    };
    assert!(matches!(state(&lost).await, State::Revoked { .. }));
    assert_eq!(state(&kept).await, State::Live);
    let query = AuditQuery {
        visible: Visibility::Everything,
        jti: None,
        since: None,
        before: None,
        limit: 1,
    };
    let audit = store.audit(query).await.expect("answers");
    assert_eq!(audit.records[0].action, Action::AuthorityRecovered);
}

#[tokio::test]
async fn where_no_witness_knows_everything_before_is_revoked_and_what_comes_after_is_not() {
    let (world, tokens) = stopped().await;
    let recovery =
        Recovery { revoke_before: Some(EntryId([5; 16])), ..recovery(Vec::new(), Vec::new()) };
    let recovered = options(world.directory()).recover(&recovery).expect("recovered");
    assert_eq!(recovered.records, 2);
    let store = open(world.directory()).expect("starts again");
    let last = store.entries_after(recovered.to.seq - 1, 1).await.expect("answers");
    let all = Fact::ScopeRevoked { scope: ScopeOf::All, except: Vec::new() };
    assert_eq!(last[0].fact, all);
    let new = world.ids.token(tokens[0].workspace);
    let new = store.create_token(new, act(&operator(1), 200)).await.expect("answers");
    let nt_store::CreatedToken::New(new) = new else { panic!("not created: {new:?}") };
    assert_eq!(new.rv, recovered.to.seq, "not covered");
    assert!(tokens.iter().all(|old| old.place.list < new.place.list), "no place is drawn again");
    let active = TokenFilter::Active(act(&operator(1), 200).at);
    let page = nt_store::PageRequest { after: None, limit: Some(10) };
    let listed = store.tokens(new.workspace, active, page).await.expect("answers");
    assert_eq!(listed.tokens.len(), 1);
}

#[tokio::test]
async fn the_new_epoch_is_behind_every_position_that_was_ever_seen() {
    let (world, _) = stopped().await;
    // It had been recovered twice before, and this is the database of before that.
    let far = first_of_epoch(first_of_epoch(1) + 50) + 7;
    let seen = Position { epoch: 3, seq: far, entry: EntryId([9; 16]) };
    let recovered =
        options(world.directory()).recover(&recovery(Vec::new(), vec![seen])).expect("recovered");
    assert_eq!(recovered.to.epoch, 4);
    assert!(recovered.to.seq > far, "{recovered:?}");
    let store = open(world.directory()).expect("starts again");
    let set = RevocationSet::new();
    let entries = store.entries_after(0, 10).await.expect("answers");
    entries.iter().try_for_each(|entry| set.apply(entry)).expect("a log that can be followed");
    assert_eq!(set.position(), recovered.to);
}
