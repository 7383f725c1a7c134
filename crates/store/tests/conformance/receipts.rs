//! Keeping receipts, and finding the entry that a token is revoked by.

use nt_revocation::{Fact, Position};
use nt_store::{KeptReceipt, PersonKey, RevokedToken, Role, Store as _};
use nt_token::{Jti, TokenRecord};

use crate::world::{T0, World, act, kid, on_each, open, operator};

fn kept(jti: &Jti, seq: u64, receipt: &str) -> KeptReceipt {
    KeptReceipt { jti: jti.clone(), seq, receipt: receipt.to_owned(), at: T0 }
}

async fn revoke(world: &World, token: &TokenRecord) -> Position {
    let (jti, entry) = (token.jti.clone(), world.ids.entry());
    let step = act(&operator(1), 1);
    match world.store.revoke_token(token.workspace, jti, entry, None, step).await {
        Ok(RevokedToken::Revoked { seq, .. }) => Position { epoch: 1, seq, entry },
        other => panic!("not revoked: {other:?}"),
    }
}

#[tokio::test]
async fn the_receipt_of_the_earliest_entry_is_shown_and_the_first_for_an_entry_stays() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let other = world.token(made.id, act(&operator(1), 1)).await;
        let ask = async || world.store.receipt(made.id, &token.jti).await.expect("answers");
        assert_eq!(ask().await, None);
        let later = vec![kept(&token.jti, 7, "seventh"), kept(&other.jti, 1, "another's")];
        world.store.keep_receipts(later).await.expect("kept");
        assert_eq!(ask().await.as_deref(), Some("seventh"));
        let earlier = vec![kept(&token.jti, 3, "third"), kept(&token.jti, 3, "third again")];
        world.store.keep_receipts(earlier).await.expect("kept");
        assert_eq!(ask().await.as_deref(), Some("third"));
        world.store.keep_receipts(vec![]).await.expect("nothing to keep");
        assert_eq!(world.store.head().await.expect("answers"), Position::START, "no entry");
    })
    .await;
}

#[tokio::test]
async fn a_receipt_is_not_shown_in_another_workspace() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "mine").await;
        let (other, _) = world.workspace(&operator(2), "other").await;
        let unknown = world.ids.jti();
        let receipts = vec![kept(&token.jti, 1, "mine"), kept(&unknown, 1, "nobody's")];
        world.store.keep_receipts(receipts).await.expect("kept");
        for (workspace, jti) in [(other.id, &token.jti), (made.id, &unknown)] {
            assert_eq!(world.store.receipt(workspace, jti).await.expect("answers"), None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_receipt_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::sqlite(directory);
    let (made, token) = world.workspace(&operator(1), "demo").await;
    world.store.keep_receipts(vec![kept(&token.jti, 1, "kept")]).await.expect("kept");
    world.store.close().await;
    let store = open(world.directory()).expect("opens");
    let found = store.receipt(made.id, &token.jti).await.expect("answers");
    assert_eq!(found.as_deref(), Some("kept"));
}

#[tokio::test]
async fn the_first_entry_that_revokes_a_token_is_found() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let other = world.token(made.id, act(&operator(1), 1)).await;
        let ask = async |token| world.store.revocation_of(token).await.expect("answers");
        assert_eq!(ask(&token).await, None);
        revoke(&world, &other).await;
        assert_eq!(ask(&token).await, None, "another's");
        let first = revoke(&world, &token).await;
        revoke(&world, &token).await;
        assert_eq!(ask(&token).await, Some(first));
        let later = world.token(made.id, act(&operator(1), 2)).await;
        assert_eq!(ask(&later).await, None);
        let key = (world.ids.entry(), Fact::KeyRevoked { kid: kid() });
        let at = world.store.append(vec![key]).await.expect("appended");
        assert_eq!(ask(&later).await, Some(at), "with its key");
    })
    .await;
}

#[tokio::test]
async fn a_token_that_was_revoked_with_its_scope_has_the_scopes_entry() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let leaving = world.sign_in(2, None).await.id;
        let who = PersonKey::Operator(leaving.clone());
        let step = act(&operator(1), 1);
        let added =
            world.store.add_member(made.id, who.clone(), Role::Developer, step.clone()).await;
        added.expect("added");
        let theirs = world.token(made.id, act(&leaving, 2)).await;
        let entry = world.ids.entry();
        let removed =
            world.store.remove_member(made.id, who, Role::Developer, Some(entry), step).await;
        removed.expect("removed");
        let found = world.store.revocation_of(&theirs).await.expect("answers");
        assert_eq!(found, Some(Position { epoch: 1, seq: 1, entry }));
        assert_eq!(world.store.revocation_of(&token).await.expect("answers"), None);
    })
    .await;
}
