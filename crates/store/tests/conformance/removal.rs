//! Removing members, with or without what they had issued.

use nt_revocation::{Fact, ScopeOf};
use nt_store::{Act, Action, ChangedMember, Role, StoreError};
use nt_token::{State, TokenRecord};

use crate::audit::{everything, records};
use crate::members::{done, email, id, invited, member};
use crate::world::{World, act, on_each, operator};

async fn state(world: &World, token: &TokenRecord) -> State {
    let found = world.store.token(token.workspace, &token.jti).await.expect("answers");
    found.expect("there").0.state
}

#[tokio::test]
async fn a_removed_member_is_none_any_more_and_the_tokens_stay() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let two = world.sign_in(2, Some("two@example.com")).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, id(2), Role::Developer, 1).await;
        let token = world.token(made.id, act(&operator(2), 2)).await;
        let removed = world.remove(&made, email("two@example.com"), Role::Developer).await;
        assert_eq!(removed, done(member(&two, Role::Developer, 1)));
        let about = Some(operator(2).to_string());
        let (_, action, told, role) = world.newest().await;
        assert_eq!(action, Action::MemberRemoved);
        assert_eq!((told, role.as_deref()), (about, Some("developer")));
        assert_eq!(world.belonging(&made).await.len(), 1);
        assert_eq!(world.store.workspace(made.id, &operator(2)).await.expect("answers"), None);
        assert!(world.store.workspaces(&operator(2)).await.expect("answers").is_empty());
        assert_eq!(state(&world, &token).await, State::Live);
        assert_eq!(world.store.head().await.expect("answers").seq, 0);
        let again = world.remove(&made, id(2), Role::Developer).await;
        assert_eq!(again, ChangedMember::NotFound);
    })
    .await;
}

#[tokio::test]
async fn one_entry_revokes_all_that_a_removed_member_had_issued_there() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let two = world.sign_in(2, None).await;
        let (made, first) = world.workspace(&operator(1), "demo").await;
        let (other, _) = world.workspace(&operator(1), "other").await;
        world.add(&made, id(2), Role::Developer, 1).await;
        let theirs = world.token(made.id, act(&operator(2), 2)).await;
        let elsewhere = world.token(other.id, act(&operator(2), 2)).await;
        let earlier = world.token(made.id, act(&operator(2), 2)).await;
        let revoke = world.store.revoke_token(
            made.id,
            earlier.jti.clone(),
            world.ids.entry(),
            Some("leaked".to_owned()),
            act(&operator(2), 3),
        );
        revoke.await.expect("revoked");
        // Late enough for the tokens to have expired: whoever reads the log cannot know.
        let step = Act { note: Some("left".to_owned()), ..act(&operator(1), 40_000_000) };
        let entry = world.ids.entry();
        let removed =
            world.store.remove_member(made.id, id(2), Role::Developer, Some(entry), step.clone());
        let belonging = member(&two, Role::Developer, 1);
        let expected = ChangedMember::Done { belonging, revoked: 1 };
        assert_eq!(removed.await.expect("answers"), expected);

        let log = world.store.entries_after(1, 9).await.expect("answers");
        let scope = ScopeOf::Member(made.id, operator(2));
        assert_eq!((log.len(), log[0].id), (1, entry));
        assert_eq!(log[0].fact, Fact::ScopeRevoked { scope, except: vec![] });
        assert_eq!(world.followed()[1..], log);
        let (at, by) = (step.at, operator(1));
        let gone = State::Revoked { at, by, reason: Some("member removed".to_owned()) };
        assert_eq!(state(&world, &theirs).await, gone);
        let State::Revoked { reason, .. } = state(&world, &earlier).await else { panic!("live") };
        assert_eq!(reason.as_deref(), Some("leaked"), "the first revocation is kept");
        for lives in [&first, &elsewhere] {
            assert_eq!(state(&world, lives).await, State::Live);
        }
        let newest = &records(&world, everything()).await[0];
        let note = Some("1 token revoked; left".to_owned());
        assert_eq!(newest.act, Act { note, ..step });
        assert_eq!(newest.action, Action::MemberRemoved);
    })
    .await;
}

#[tokio::test]
async fn the_entry_is_appended_also_where_nothing_was_issued() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, id(2), Role::Viewer, 1).await;
        let (entry, step) = (Some(world.ids.entry()), act(&operator(1), 2));
        world
            .store
            .remove_member(made.id, id(2), Role::Viewer, entry, step)
            .await
            .expect("removed");
        assert_eq!(world.followed().len(), 1);
        let newest = &records(&world, everything()).await[0];
        assert_eq!(newest.act.note.as_deref(), Some("0 tokens revoked"));
        // Added again, the member issues tokens that count.
        world.add(&made, id(2), Role::Developer, 3).await;
        let token = world.token(made.id, act(&operator(2), 4)).await;
        assert_eq!((token.rv, state(&world, &token).await), (1, State::Live));
    })
    .await;
}

#[tokio::test]
async fn a_refused_or_failed_removal_revokes_nothing() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        let (made, token) = world.workspace(&operator(1), "demo").await;
        world.add(&made, id(2), Role::Developer, 1).await;
        let theirs = world.token(made.id, act(&operator(2), 2)).await;
        let used = world.ids.entry();
        let fact = Fact::ScopeRevoked { scope: ScopeOf::All, except: vec![] };
        world.store.append(vec![(used, fact)]).await.expect("appended");
        let before = world.newest().await;
        let remove = async |who, was, entry| {
            let step = act(&operator(1), 3);
            world.store.remove_member(made.id, who, was, Some(entry), step).await
        };
        let last = remove(id(1), Role::Owner, world.ids.entry()).await;
        assert_eq!(last.expect("answers"), ChangedMember::LastOwner);
        let other = remove(id(2), Role::Viewer, world.ids.entry()).await;
        assert_eq!(other.expect("answers"), ChangedMember::NotFound);
        let reused = remove(id(2), Role::Developer, used).await;
        assert!(matches!(reused, Err(StoreError::EntryReused(id)) if id == used), "{reused:?}");
        assert_eq!(world.newest().await, before, "no records");
        assert_eq!(world.followed().len(), 1);
        assert_eq!(world.belonging(&made).await.len(), 2);
        for lives in [&token, &theirs] {
            assert_eq!(state(&world, lives).await, State::Live);
        }
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_withdrawn_without_a_word_in_the_log() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, email("a@example.com"), Role::Admin, 1).await;
        let (entry, step) = (Some(world.ids.entry()), act(&operator(1), 2));
        let who = email("A@example.com");
        let gone = world.store.remove_member(made.id, who, Role::Admin, entry, step).await;
        assert_eq!(gone.expect("answers"), done(invited("a@example.com", Role::Admin, 1)));
        assert!(world.followed().is_empty());
        let newest = &records(&world, everything()).await[0];
        assert_eq!(newest.about.as_deref(), Some("a@example.com"));
        assert_eq!((newest.action, &newest.act.note), (Action::MemberRemoved, &None));
        // Who signs in with it now is no member.
        world.sign_in(2, Some("a@example.com")).await;
        assert_eq!(world.store.workspace(made.id, &operator(2)).await.expect("answers"), None);
    })
    .await;
}

#[tokio::test]
async fn an_address_names_the_invited_first_and_no_one_among_several_members() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        world.sign_in(3, None).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let (other, _) = world.workspace(&operator(1), "other").await;
        world.add(&made, id(2), Role::Viewer, 1).await;
        world.add(&made, id(3), Role::Viewer, 1).await;
        world.add(&other, id(2), Role::Viewer, 1).await;
        // Both come to have one address.
        let two = world.sign_in(2, Some("same@example.com")).await;
        world.sign_in(3, Some("same@example.com")).await;
        let among = world.remove(&made, email("same@example.com"), Role::Viewer).await;
        assert_eq!(among, ChangedMember::NotFound);
        // Elsewhere only one of them is a member.
        let only = world.remove(&other, email("same@example.com"), Role::Viewer).await;
        assert_eq!(only, done(member(&two, Role::Viewer, 1)));
        assert_eq!(world.belonging(&made).await.len(), 3);
    })
    .await;
}
