//! Inviting by address, and what a sign-in makes of it.

use std::net::IpAddr;

use nt_store::{Act, Action, AddedMember, NewSession, Operator, Role};

use crate::audit::{everything, records};
use crate::members::{email, id, invited, member};
use crate::world::{T0, act, identity, on_each, operator};

#[tokio::test]
async fn an_address_that_no_operator_has_is_invited_and_its_role_can_be_replaced() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let first = world.add(&made, email("A@Example.com"), Role::Viewer, 1).await;
        assert_eq!(first, AddedMember::Invited(invited("a@example.com", Role::Viewer, 1)));
        let about = Some("a@example.com".to_owned());
        let told = (2, Action::MemberInvited, about.clone(), Some("viewer".to_owned()));
        assert_eq!(world.newest().await, told);
        let same = world.add(&made, email("a@example.com"), Role::Viewer, 2).await;
        assert_eq!(same, first);
        assert_eq!(world.newest().await, told, "no second record");
        let admin = world.add(&made, email("a@example.com"), Role::Admin, 3).await;
        let expected = invited("a@example.com", Role::Admin, 1);
        assert_eq!(admin, AddedMember::Invited(expected.clone()));
        let told = (3, Action::MemberInvited, about.clone(), Some("admin".to_owned()));
        assert_eq!(world.newest().await, told);
        assert_eq!(world.belonging(&made).await, [expected], "the owner never signed in");
        let (who, step) = (email("a@example.com"), act(&operator(1), 4));
        let changed =
            world.store.change_member(made.id, who, Role::Admin, Role::Developer, step).await;
        changed.expect("changed");
        let told = (4, Action::MemberChanged, about, Some("developer".to_owned()));
        assert_eq!(world.newest().await, told);
        let expected = invited("a@example.com", Role::Developer, 1);
        assert_eq!(world.belonging(&made).await, [expected]);
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_with_the_address_makes_a_member_of_the_invited() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let (one, _) = world.workspace(&operator(1), "one").await;
        let (two, _) = world.workspace(&operator(1), "two").await;
        world.add(&one, email("a@example.com"), Role::Admin, 1).await;
        world.add(&two, email("a@example.com"), Role::Viewer, 2).await;
        world.add(&two, email("b@example.com"), Role::Viewer, 2).await;
        // Neither without an address nor with another.
        world.sign_in(2, None).await;
        world.sign_in(3, Some("c@example.com")).await;
        assert_eq!(world.belonging(&one).await.len(), 2);

        let from = Some(IpAddr::from([192, 0, 2, 9]));
        let who = identity("2", Some("A@example.com"));
        let login = NewSession { from, ..world.ids.session(who, operator(2), 60) };
        let operator = world.store.open_session(login).await.expect("opened").operator;
        assert_eq!(world.belonging(&one).await[1..], [member(&operator, Role::Admin, 60)]);
        let rest = [member(&operator, Role::Viewer, 60), invited("b@example.com", Role::Viewer, 2)];
        assert_eq!(world.belonging(&two).await[1..], rest);

        let at = T0.plus_seconds(60);
        let note = Some("invited".to_owned());
        let step = Act { operator: operator.id.clone(), at, from, note };
        let found = records(&world, everything()).await;
        let told: Vec<_> = found[..3]
            .iter()
            .rev()
            .map(|r| (r.action, r.workspace, r.about.as_deref(), r.reason.as_deref()))
            .collect();
        let about = Some(operator.id.as_str());
        let expected = [
            (Action::SessionCreated, None, None, None),
            (Action::MemberAdded, Some(one.id), about, Some("admin")),
            (Action::MemberAdded, Some(two.id), about, Some("viewer")),
        ];
        assert_eq!(told, expected);
        assert!(found[..2].iter().all(|record| record.act == step));
    })
    .await;
}

#[tokio::test]
async fn an_identity_proven_without_a_login_accepts_an_invitation_too() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, email("a@example.com"), Role::Developer, 1).await;
        let (who, at) = (identity("2", Some("a@example.com")), T0.plus_seconds(5));
        let known = world.store.operator(who, operator(2), at).await.expect("kept");
        assert_eq!(world.belonging(&made).await, [member(&known, Role::Developer, 5)]);
        let newest = &records(&world, everything()).await[0];
        assert_eq!((newest.action, newest.act.from), (Action::MemberAdded, None));
        assert_eq!(newest.act.operator, operator(2));
    })
    .await;
}

#[tokio::test]
async fn an_invitation_of_a_member_is_dropped_at_the_sign_in() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.sign_in(2, None).await;
        world.add(&made, id(2), Role::Admin, 1).await;
        world.add(&made, email("two@example.com"), Role::Viewer, 2).await;
        let two: Operator = world.sign_in(2, Some("two@example.com")).await;
        assert_eq!(world.belonging(&made).await, [member(&two, Role::Admin, 1)]);
        assert_eq!(world.newest().await.1, Action::SessionCreated, "and no record after it");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_workspace_invites_no_one() {
    on_each(async |world| {
        let (gone, _) = world.workspace(&operator(1), "gone").await;
        let (made, _) = world.workspace(&operator(1), "made").await;
        for workspace in [&gone, &made] {
            world.add(workspace, email("a@example.com"), Role::Admin, 1).await;
        }
        let (entry, step) = (world.ids.entry(), act(&operator(1), 2));
        world.store.delete_workspace(gone.id, entry, None, step).await.expect("deleted");
        world.sign_in(2, Some("a@example.com")).await;
        let theirs = world.store.workspaces(&operator(2)).await.expect("answers");
        assert_eq!((theirs.len(), theirs[0].workspace.id), (1, made.id));
        let added = records(&world, everything()).await;
        let added = added.iter().filter(|record| record.action == Action::MemberAdded);
        assert_eq!(added.count(), 1);
    })
    .await;
}
