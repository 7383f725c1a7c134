//! The audit log.

use nt_store::{Act, Action, AuditQuery, AuditRecord, PersonKey, RefreshedToken, Role, Visibility};

use crate::world::{T0, World, act, identity, on_each, operator};

pub(crate) fn everything() -> AuditQuery {
    let visible = Visibility::Everything;
    AuditQuery { visible, jti: None, since: None, before: None, limit: 100 }
}

fn of(number: u8) -> AuditQuery {
    AuditQuery { visible: Visibility::Of(operator(number)), ..everything() }
}

pub(crate) async fn records(world: &World, query: AuditQuery) -> Vec<AuditRecord> {
    world.store.audit(query).await.expect("answers").records
}

#[tokio::test]
async fn each_step_leaves_its_record_and_a_refusal_leaves_none() {
    on_each(async |world| {
        let (owner, store) = (operator(1), &world.store);
        let session = world.ids.session(identity("1", Some("o@example.com")), owner.clone(), 0);
        store.open_session(session.clone()).await.expect("opened");
        let (made, first) = world.workspace(&owner, "demo").await;
        store.describe_workspace(made.id, None, act(&owner, 1)).await.expect("described");
        let token = world.token(made.id, act(&owner, 2)).await;
        let new = world.ids.token(made.id);
        let refreshed = store.refresh_token(first.jti.clone(), new, act(&owner, 3)).await;
        let Ok(RefreshedToken::Refreshed { new, .. }) = refreshed else { panic!("{refreshed:?}") };
        for _ in 0..2 {
            let (jti, why) = (token.jti.clone(), Some("leaked".to_owned()));
            let entry = world.ids.entry();
            store.revoke_token(made.id, jti, entry, why, act(&owner, 4)).await.expect("revoked");
        }
        let (entry, step) = (world.ids.entry(), act(&owner, 5));
        store.delete_workspace(made.id, entry, None, step).await.expect("deleted");
        let (entry, step) = (world.ids.entry(), act(&owner, 5));
        store.delete_workspace(made.id, entry, None, step).await.expect("not found");
        store.describe_workspace(made.id, None, act(&owner, 6)).await.expect("not found");
        store.end_sessions(vec![session.hash], act(&owner, 6)).await.expect("ended");
        store.end_sessions(vec![session.hash], act(&owner, 6)).await.expect("not found");

        let found = records(&world, everything()).await;
        let told: Vec<_> =
            found.iter().rev().map(|r| (r.id, r.action, r.jti.clone(), r.reason.clone())).collect();
        let replaced = Some(format!("replaced by {}", new.jti));
        let leaked = Some("leaked".to_owned());
        let expected = [
            (1, Action::SessionCreated, None, None),
            (2, Action::WorkspaceCreated, Some(first.jti.clone()), None),
            (3, Action::WorkspaceUpdated, None, None),
            (4, Action::TokenCreated, Some(token.jti.clone()), None),
            (5, Action::TokenRefreshed, Some(new.jti), None),
            (6, Action::TokenRevoked, Some(first.jti), replaced),
            (7, Action::TokenRevoked, Some(token.jti.clone()), leaked.clone()),
            (8, Action::TokenRevoked, Some(token.jti), leaked),
            (9, Action::WorkspaceDeleted, None, None),
            (10, Action::SessionEnded, None, None),
        ];
        assert_eq!(told, expected);
        assert!(found.iter().all(|record| record.act.operator == owner));
        assert!(found.iter().all(|record| record.email.as_deref() == Some("o@example.com")));
        assert!(found[1..9].iter().all(|record| record.workspace == Some(made.id)));
        assert_eq!(found[1].act, act(&owner, 5));
    })
    .await;
}

#[tokio::test]
async fn what_is_noted_of_a_step_is_in_its_record() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let note = Some("the identity provider could not be asked".to_owned());
        let step = Act { note, ..act(&operator(1), 1) };
        let entry = world.ids.entry();
        let revoked = world.store.revoke_token(made.id, token.jti, entry, None, step.clone()).await;
        revoked.expect("revoked");
        let found = records(&world, everything()).await;
        assert_eq!((&found[0].act, &found[0].about), (&step, &None));
        assert_eq!(found[1].act.note, None);
    })
    .await;
}

#[tokio::test]
async fn an_operator_sees_own_deeds_and_those_in_own_workspaces_deleted_ones_included() {
    on_each(async |world| {
        let (mine, _) = world.workspace(&operator(1), "mine").await;
        world.workspace(&operator(2), "theirs").await;
        world.token(mine.id, act(&operator(2), 1)).await;
        let entry = world.ids.entry();
        let step = act(&operator(1), 2);
        world.store.delete_workspace(mine.id, entry, None, step).await.expect("deleted");
        let ids = async |query| {
            records(&world, query).await.into_iter().map(|record| record.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(everything()).await, [4, 3, 2, 1]);
        assert_eq!(ids(of(1)).await, [4, 3, 1]);
        assert_eq!(ids(of(2)).await, [3, 2], "own deeds, also in others' workspaces");
        assert!(ids(of(3)).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_member_sees_what_was_done_in_the_workspace_and_no_more_once_removed() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.sign_in(2, None).await;
        assert_eq!(records(&world, of(2)).await.len(), 1, "the sign-in");
        let (who, step) = (PersonKey::Operator(operator(2)), act(&operator(1), 1));
        let added = world.store.add_member(made.id, who.clone(), Role::Viewer, step.clone()).await;
        added.expect("added");
        let actions: Vec<_> = records(&world, of(2)).await.iter().map(|r| r.action).collect();
        let seen = [Action::MemberAdded, Action::SessionCreated, Action::WorkspaceCreated];
        assert_eq!(actions, seen);
        let gone = world.store.remove_member(made.id, who, Role::Viewer, None, step).await;
        gone.expect("removed");
        assert_eq!(records(&world, of(2)).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn pages_of_the_audit_log_follow_each_other() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        for n in 0..9 {
            let (jti, entry, step) = (token.jti.clone(), world.ids.entry(), act(&operator(1), n));
            world.store.revoke_token(made.id, jti, entry, None, step).await.expect("revoked");
        }
        for whose in [everything(), of(1), AuditQuery { jti: Some(token.jti.clone()), ..of(1) }] {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let query = AuditQuery { before, limit: 3, ..whose.clone() };
                let page = world.store.audit(query).await.expect("answers");
                seen.extend(page.records.iter().map(|record| record.id));
                before = seen.last().copied();
                if !page.more {
                    break;
                }
            }
            assert!((1..=10).rev().eq(seen.iter().copied()), "{seen:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn records_can_be_asked_for_by_token_and_time() {
    on_each(async |world| {
        let (made, first) = world.workspace(&operator(1), "demo").await;
        let other = world.token(made.id, act(&operator(1), 5)).await;
        for whose in [everything(), of(1)] {
            let query = AuditQuery { jti: Some(other.jti.clone()), ..whose.clone() };
            let found = records(&world, query).await;
            assert_eq!((found.len(), found[0].action), (1, Action::TokenCreated));
            let since = Some(T0.plus_seconds(5));
            let found = records(&world, AuditQuery { since, ..whose.clone() }).await;
            assert_eq!((found.len(), &found[0].jti), (1, &Some(other.jti.clone())));
            let query = AuditQuery { since, jti: Some(first.jti.clone()), ..whose };
            assert!(records(&world, query).await.is_empty());
        }
        let query = AuditQuery { jti: Some(first.jti), ..of(2) };
        assert!(records(&world, query).await.is_empty(), "of no concern to others");
    })
    .await;
}
