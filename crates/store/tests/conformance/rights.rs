//! A step is taken by the right that it was decided for, or not at all.

use nt_store::{CreatedToken, CreatedWorkspace, NewToken, RefreshedToken, Right, Role};
use nt_token::State;

use crate::members::id;
use crate::world::{World, act, on_each, operator};

const MEMBER: Right = Right::Member { least: Role::Developer };

impl World {
    async fn is_let(&self, new: NewToken, by: u8) -> bool {
        match self.store.create_token(new, act(&operator(by), 9)).await.expect("answers") {
            CreatedToken::New(_) => true,
            CreatedToken::NotAllowed => false,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn whoever_was_removed_or_is_less_by_now_gets_no_token() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        let (made, first) = world.workspace(&operator(1), "demo").await;
        let new = |right| NewToken { right, ..world.ids.token(made.id) };
        assert!(!world.is_let(new(MEMBER), 2).await, "never was a member");
        world.add(&made, id(2), Role::Developer, 1).await;
        assert!(world.is_let(new(MEMBER), 2).await);
        assert!(!world.is_let(new(Right::Member { least: Role::Admin }), 2).await);
        assert!(world.is_let(new(MEMBER), 1).await, "an owner is more");
        world.remove(&made, id(2), Role::Developer).await;
        let head = world.store.head().await.expect("answers");
        let refused = NewToken { idempotency_key: Some("a key".to_owned()), ..new(MEMBER) };
        assert!(!world.is_let(refused.clone(), 2).await);
        let refresh = world.store.refresh_token(first.jti.clone(), refused, act(&operator(2), 9));
        assert_eq!(refresh.await.expect("answers"), RefreshedToken::NotAllowed);
        assert_eq!(world.store.head().await.expect("answers"), head);
        let found = world.store.token(made.id, &first.jti).await.expect("answers");
        assert_eq!(found.expect("there").0.state, State::Live);
    })
    .await;
}

#[tokio::test]
async fn an_organisations_people_need_no_membership_in_its_workspaces_and_nowhere_else() {
    on_each(async |world| {
        let (mut new, first) = world.ids.workspace("theirs");
        new.organisation = Some("org_1".to_owned());
        let made = world.store.create_workspace(new, first, act(&operator(1), 0)).await;
        let Ok(CreatedWorkspace::New(theirs, _)) = made else { panic!("{made:?}") };
        let (other, _) = world.workspace(&operator(1), "other").await;
        let of = |name: &str| Right::Organisation(name.to_owned());
        for (workspace, right, expected) in [
            (theirs.id, of("org_1"), true),
            (theirs.id, of("org_2"), false),
            (other.id, of("org_1"), false),
            (other.id, Right::Unrecorded, true),
        ] {
            let new = NewToken { right, ..world.ids.token(workspace) };
            assert_eq!(world.is_let(new.clone(), 3).await, expected, "{:?}", new.right);
        }
    })
    .await;
}
