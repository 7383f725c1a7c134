//! Creating, listing and describing workspaces.

use nt_store::{CreatedWorkspace, Member, Role};

use crate::world::{act, on_each, operator};

#[tokio::test]
async fn a_workspace_is_there_for_its_owner_and_for_no_one_else() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        assert_eq!((made.name.as_str(), made.id), ("demo", token.workspace));
        let mine = world.store.workspaces(&operator(1)).await.expect("answers");
        assert_eq!(mine.len(), 1);
        assert_eq!((&mine[0].workspace, mine[0].role), (&made, Role::Owner));
        let found = world.store.workspace(made.id, &operator(1)).await.expect("answers");
        assert_eq!(found.as_ref(), mine.first());
        assert!(world.store.workspaces(&operator(2)).await.expect("answers").is_empty());
        assert_eq!(world.store.workspace(made.id, &operator(2)).await.expect("answers"), None);
    })
    .await;
}

#[tokio::test]
async fn workspaces_are_listed_by_name() {
    on_each(async |world| {
        for name in ["b", "a", "c"] {
            world.workspace(&operator(1), name).await;
        }
        let list = world.store.workspaces(&operator(1)).await.expect("answers");
        let names: Vec<_> = list.into_iter().map(|member| member.workspace.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    })
    .await;
}

#[tokio::test]
async fn a_name_is_unique_among_the_live_workspaces_of_its_owner() {
    on_each(async |world| {
        let (first, _) = world.workspace(&operator(1), "demo").await;
        world.workspace(&operator(2), "demo").await;
        let (new, token) = world.ids.workspace("demo");
        let again = world.store.create_workspace(new, token, act(&operator(1), 1)).await;
        assert_eq!(again.expect("answers"), CreatedWorkspace::NameTaken);
        let entry = world.ids.entry();
        let gone = world.store.delete_workspace(first.id, entry, None, act(&operator(1), 2)).await;
        gone.expect("deleted");
        world.workspace(&operator(1), "demo").await;
    })
    .await;
}

#[tokio::test]
async fn a_repeated_creation_answers_with_the_workspace_that_it_made() {
    on_each(async |world| {
        let owner = operator(1);
        let (mut new, first) = world.ids.workspace("demo");
        new.idempotency_key = Some("key".to_owned());
        let made = world.store.create_workspace(new.clone(), first.clone(), act(&owner, 0)).await;
        let Ok(CreatedWorkspace::New(workspace, token)) = made else { panic!("{made:?}") };

        // The repetition comes with fresh identifiers, at another time.
        let (mut again, first) = world.ids.workspace("demo");
        again.idempotency_key = Some("key".to_owned());
        let repeated = world.store.create_workspace(again.clone(), first.clone(), act(&owner, 9));
        let expected = CreatedWorkspace::Repeated(workspace, token);
        assert_eq!(repeated.await.expect("answers"), expected);

        let mut other = again.clone();
        other.description = None;
        let reused = world.store.create_workspace(other, first.clone(), act(&owner, 9)).await;
        assert_eq!(reused.expect("answers"), CreatedWorkspace::KeyReused);
        let mut other = again.clone();
        other.name = "other".to_owned();
        let reused = world.store.create_workspace(other, first.clone(), act(&owner, 9)).await;
        assert_eq!(reused.expect("answers"), CreatedWorkspace::KeyReused);
        let mut other = first.clone();
        other.request_digest = [2; 32];
        let reused = world.store.create_workspace(again.clone(), other, act(&owner, 9)).await;
        assert_eq!(reused.expect("answers"), CreatedWorkspace::KeyReused);

        // Keys are each operator's own.
        let theirs = world.store.create_workspace(again, first, act(&operator(2), 9)).await;
        assert!(matches!(theirs, Ok(CreatedWorkspace::New(..))), "{theirs:?}");
    })
    .await;
}

#[tokio::test]
async fn a_creation_is_recognised_after_its_workspace_was_described_and_deleted() {
    on_each(async |world| {
        let owner = operator(1);
        let (mut new, first) = world.ids.workspace("demo");
        new.idempotency_key = Some("key".to_owned());
        let made = world.store.create_workspace(new.clone(), first.clone(), act(&owner, 0)).await;
        made.expect("created");
        let other = Some("another".to_owned());
        let changed = world.store.describe_workspace(new.id, other, act(&owner, 1)).await;
        assert!(changed.expect("answers"));
        let entry = world.ids.entry();
        world.store.delete_workspace(new.id, entry, None, act(&owner, 2)).await.expect("deleted");
        let again = world.store.create_workspace(new.clone(), first, act(&owner, 3)).await;
        let Ok(CreatedWorkspace::Repeated(workspace, _)) = again else { panic!("{again:?}") };
        assert_eq!(workspace.id, new.id);
        assert!(world.store.workspaces(&owner).await.expect("answers").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_description_can_be_changed_and_taken_away() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        for description in [Some("new".to_owned()), None] {
            let step = act(&operator(1), 1);
            let changed = world.store.describe_workspace(made.id, description.clone(), step).await;
            assert!(changed.expect("answers"));
            let found = world.store.workspace(made.id, &operator(1)).await.expect("answers");
            assert_eq!(found.expect("there").workspace.description, description);
        }
        let nowhere = world.ids.workspace_id();
        let changed = world.store.describe_workspace(nowhere, None, act(&operator(1), 1)).await;
        assert!(!changed.expect("answers"));
    })
    .await;
}

#[tokio::test]
async fn an_organisation_has_its_live_workspaces_by_name() {
    on_each(async |world| {
        let make = async |name: &str, organisation: Option<&str>, owner| {
            let (mut new, first) = world.ids.workspace(name);
            new.organisation = organisation.map(str::to_owned);
            match world.store.create_workspace(new, first, act(&operator(owner), 0)).await {
                Ok(CreatedWorkspace::New(workspace, _)) => workspace,
                other => panic!("no workspace: {other:?}"),
            }
        };
        let b = make("b", Some("org_1"), 1).await;
        let a = make("a", Some("org_1"), 2).await;
        let gone = make("c", Some("org_1"), 1).await;
        make("d", Some("org_2"), 1).await;
        let private = make("e", None, 1).await;
        assert_eq!(a.organisation.as_deref(), Some("org_1"));
        let entry = world.ids.entry();
        let step = act(&operator(1), 1);
        world.store.delete_workspace(gone.id, entry, None, step).await.expect("deleted");

        let theirs = world.store.workspaces_of("org_1").await.expect("answers");
        assert_eq!(theirs, [a, b.clone()]);
        assert!(world.store.workspaces_of("org_3").await.expect("answers").is_empty());
        let mine = world.store.workspace(b.id, &operator(1)).await.expect("answers");
        assert_eq!(mine, Some(Member { workspace: b.clone(), role: Role::Owner }));
        // Whoever asks.
        let live = async |id| world.store.live_workspace(id).await.expect("answers");
        assert_eq!(live(b.id).await, Some(b));
        assert_eq!(live(private.id).await, Some(private));
        assert_eq!(live(gone.id).await, None);
        assert_eq!(live(world.ids.workspace_id()).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_creation_for_another_organisation_is_another_request() {
    on_each(async |world| {
        let (mut new, first) = world.ids.workspace("demo");
        (new.idempotency_key, new.organisation) =
            (Some("key".to_owned()), Some("org_1".to_owned()));
        let step = act(&operator(1), 0);
        let made = world.store.create_workspace(new.clone(), first.clone(), step.clone()).await;
        let Ok(CreatedWorkspace::New(made, token)) = made else { panic!("{made:?}") };
        let again = world.store.create_workspace(new.clone(), first.clone(), step.clone()).await;
        assert_eq!(again.expect("answers"), CreatedWorkspace::Repeated(made, token));
        for organisation in [None, Some("org_2".to_owned())] {
            new.organisation = organisation;
            let other =
                world.store.create_workspace(new.clone(), first.clone(), step.clone()).await;
            assert_eq!(other.expect("answers"), CreatedWorkspace::KeyReused);
        }
    })
    .await;
}
