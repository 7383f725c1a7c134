//! Deleting workspaces.

use nt_revocation::{Fact, ScopeOf};
use nt_store::{
    CreatedToken, DeletedWorkspace, PageRequest, RefreshedToken, RevokedToken, TokenFilter,
};

use crate::world::{T0, act, on_each, operator};

#[tokio::test]
async fn a_deleted_workspace_is_not_found_by_any_step() {
    on_each(async |world| {
        let (owner, store) = (operator(1), &world.store);
        let (made, token) = world.workspace(&owner, "demo").await;
        let entry = world.ids.entry();
        let gone = store.delete_workspace(made.id, entry, None, act(&owner, 5)).await;
        let at = T0.plus_seconds(5);
        assert_eq!(gone.expect("answers"), DeletedWorkspace::Deleted { at });

        assert!(store.workspaces(&owner).await.expect("answers").is_empty());
        assert_eq!(store.workspace(made.id, &owner).await.expect("answers"), None);
        assert_eq!(store.token(made.id, &token.jti).await.expect("answers"), None);
        let page = store.tokens(made.id, TokenFilter::All, PageRequest::default()).await;
        assert!(page.expect("answers").tokens.is_empty());
        assert!(!store.describe_workspace(made.id, None, act(&owner, 6)).await.expect("answers"));
        let created = store.create_token(world.ids.token(made.id), act(&owner, 6)).await;
        assert_eq!(created.expect("answers"), CreatedToken::NoWorkspace);
        let jti = token.jti.clone();
        let revoked =
            store.revoke_token(made.id, jti, world.ids.entry(), None, act(&owner, 6)).await;
        assert_eq!(revoked.expect("answers"), RevokedToken::NotFound);
        let new = world.ids.token(made.id);
        let refreshed = store.refresh_token(token.jti, new, act(&owner, 6)).await;
        assert_eq!(refreshed.expect("answers"), RefreshedToken::NotFound);
        let again = store.delete_workspace(made.id, world.ids.entry(), None, act(&owner, 6)).await;
        assert_eq!(again.expect("answers"), DeletedWorkspace::NotFound);
        assert_eq!(store.head().await.expect("answers").seq, 1, "nothing but the deletion");
    })
    .await;
}

#[tokio::test]
async fn one_entry_revokes_all_tokens_of_a_deleted_workspace() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, _) = world.workspace(&owner, "demo").await;
        for _ in 0..5 {
            world.token(made.id, act(&owner, 1)).await;
        }
        let entry = world.ids.entry();
        world.store.delete_workspace(made.id, entry, None, act(&owner, 2)).await.expect("deleted");
        let log = world.store.entries_after(0, 10).await.expect("answers");
        let scope = ScopeOf::Workspace(made.id);
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].seq, log[0].id), (1, entry));
        assert_eq!(log[0].fact, Fact::ScopeRevoked { scope, except: vec![] });
        assert_eq!(world.followed(), log);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_is_recognised_by_its_operator_and_key_alone() {
    on_each(async |world| {
        let (owner, store) = (operator(1), &world.store);
        let (made, _) = world.workspace(&owner, "demo").await;
        assert_eq!(store.deletion(made.id, &owner, "key").await.expect("answers"), None);
        let key = Some("key".to_owned());
        let gone = store.delete_workspace(made.id, world.ids.entry(), key.clone(), act(&owner, 5));
        gone.await.expect("deleted");
        let at = T0.plus_seconds(5);
        assert_eq!(store.deletion(made.id, &owner, "key").await.expect("answers"), Some(at));
        assert_eq!(store.deletion(made.id, &owner, "other").await.expect("answers"), None);
        assert_eq!(store.deletion(made.id, &operator(2), "key").await.expect("answers"), None);
        let nowhere = world.ids.workspace_id();
        assert_eq!(store.deletion(nowhere, &owner, "key").await.expect("answers"), None);
        let again = store.delete_workspace(made.id, world.ids.entry(), key, act(&owner, 9)).await;
        assert_eq!(again.expect("answers"), DeletedWorkspace::NotFound);
    })
    .await;
}
