//! Who belongs to a workspace, and as what.

use nt_store::{
    Action, AddedMember, Belonging, ChangedMember, CreatedWorkspace, Operator, Person, PersonKey,
    Role, Workspace,
};
use nt_token::OperatorId;

use crate::audit::{everything, records};
use crate::world::{T0, World, act, on_each, operator};

pub(crate) fn id(number: u8) -> PersonKey {
    PersonKey::Operator(operator(number))
}

pub(crate) fn email(address: &str) -> PersonKey {
    PersonKey::Email(address.to_owned())
}

pub(crate) fn member(operator: &Operator, role: Role, after: i64) -> Belonging {
    let person = Person::Operator(operator.clone());
    Belonging { person, role, since: T0.plus_seconds(after) }
}

pub(crate) fn invited(address: &str, role: Role, after: i64) -> Belonging {
    let person = Person::Invited(address.to_owned());
    Belonging { person, role, since: T0.plus_seconds(after) }
}

pub(crate) fn done(belonging: Belonging) -> ChangedMember {
    ChangedMember::Done { belonging, revoked: 0 }
}

impl World {
    /// The first operator adds somebody.
    pub(crate) async fn add(
        &self,
        to: &Workspace,
        who: PersonKey,
        role: Role,
        after: i64,
    ) -> AddedMember {
        let step = act(&operator(1), after);
        self.store.add_member(to.id, who, role, step).await.expect("answers")
    }

    async fn change(&self, of: &Workspace, who: PersonKey, was: Role, role: Role) -> ChangedMember {
        let step = act(&operator(1), 50);
        self.store.change_member(of.id, who, was, role, step).await.expect("answers")
    }

    pub(crate) async fn remove(
        &self,
        from: &Workspace,
        who: PersonKey,
        was: Role,
    ) -> ChangedMember {
        let step = act(&operator(1), 60);
        self.store.remove_member(from.id, who, was, None, step).await.expect("answers")
    }

    pub(crate) async fn belonging(&self, to: &Workspace) -> Vec<Belonging> {
        self.store.members(to.id).await.expect("answers")
    }

    async fn role_of(&self, who: &OperatorId, at: &Workspace) -> Option<Role> {
        let found = self.store.workspace(at.id, who).await.expect("answers");
        found.map(|member| member.role)
    }

    /// How many records there are, and what the newest says.
    pub(crate) async fn newest(&self) -> (usize, Action, Option<String>, Option<String>) {
        let found = records(self, everything()).await;
        let newest = &found[0];
        (found.len(), newest.action, newest.about.clone(), newest.reason.clone())
    }
}

#[tokio::test]
async fn members_are_listed_by_role_and_time_and_then_the_invited_by_address() {
    on_each(async |world| {
        let mut operators = Vec::new();
        for number in 0..8 {
            operators.push(world.sign_in(number, None).await);
        }
        let (made, _) = world.workspace(&operator(1), "demo").await;
        for (number, role, after) in [
            (2, Role::Viewer, 1),
            (3, Role::Admin, 9),
            (4, Role::Developer, 3),
            (5, Role::Admin, 4),
            (0, Role::Admin, 9),
            (6, Role::Owner, 6),
        ] {
            let added = world.add(&made, id(number), role, after).await;
            let expected = member(&operators[usize::from(number)], role, after);
            assert_eq!(added, AddedMember::Added(expected));
        }
        world.add(&made, email("z@example.com"), Role::Owner, 7).await;
        world.add(&made, email("a@example.com"), Role::Viewer, 8).await;
        let expected = [
            member(&operators[1], Role::Owner, 0),
            member(&operators[6], Role::Owner, 6),
            member(&operators[5], Role::Admin, 4),
            member(&operators[0], Role::Admin, 9),
            member(&operators[3], Role::Admin, 9),
            member(&operators[4], Role::Developer, 3),
            member(&operators[2], Role::Viewer, 1),
            invited("a@example.com", Role::Viewer, 8),
            invited("z@example.com", Role::Owner, 7),
        ];
        assert_eq!(world.belonging(&made).await, expected);
        assert_eq!(world.role_of(&operator(2), &made).await, Some(Role::Viewer));
        assert_eq!(world.role_of(&operator(7), &made).await, None);
        let theirs = world.store.workspaces(&operator(4)).await.expect("answers");
        assert_eq!((theirs.len(), theirs[0].role), (1, Role::Developer));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_or_unknown_workspace_has_no_members_and_takes_none() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        world.sign_in(2, None).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, id(2), Role::Admin, 1).await;
        world.add(&made, email("a@example.com"), Role::Admin, 1).await;
        let (entry, step) = (world.ids.entry(), act(&operator(1), 2));
        world.store.delete_workspace(made.id, entry, None, step).await.expect("deleted");
        let nowhere = Workspace { id: world.ids.workspace_id(), ..made.clone() };
        let before = world.newest().await;
        for gone in [&made, &nowhere] {
            assert!(world.belonging(gone).await.is_empty());
            for who in [id(2), id(1), email("a@example.com")] {
                let added = world.add(gone, who.clone(), Role::Viewer, 3).await;
                assert_eq!(added, AddedMember::NoWorkspace);
                let changed = world.change(gone, who.clone(), Role::Admin, Role::Viewer).await;
                assert_eq!(changed, ChangedMember::NotFound);
                let removed = world.remove(gone, who, Role::Admin).await;
                assert_eq!(removed, ChangedMember::NotFound);
            }
        }
        assert_eq!(world.newest().await, before, "no records");
    })
    .await;
}

#[tokio::test]
async fn only_an_operator_who_is_not_a_member_yet_is_added() {
    on_each(async |world| {
        let owner = world.sign_in(1, Some("owner@example.com")).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let before = world.newest().await;
        assert_eq!(world.add(&made, id(2), Role::Admin, 1).await, AddedMember::NoOperator);
        for who in [id(1), email("owner@example.com")] {
            let again = world.add(&made, who, Role::Viewer, 2).await;
            assert_eq!(again, AddedMember::AlreadyMember(member(&owner, Role::Owner, 0)));
        }
        assert_eq!(world.newest().await, before, "no records");
        assert_eq!(world.belonging(&made).await, [member(&owner, Role::Owner, 0)]);
        world.sign_in(2, None).await;
        world.add(&made, id(2), Role::Admin, 3).await;
        let about = Some(operator(2).to_string());
        let told = (before.0 + 2, Action::MemberAdded, about, Some("admin".to_owned()));
        assert_eq!(world.newest().await, told);
    })
    .await;
}

#[tokio::test]
async fn an_address_adds_the_one_operator_who_has_it() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let two = world.sign_in(2, Some("Two@Example.com")).await;
        world.sign_in(3, Some("same@example.com")).await;
        world.sign_in(4, Some("SAME@example.com")).await;
        let added = world.add(&made, email("two@example.com"), Role::Developer, 1).await;
        assert_eq!(added, AddedMember::Added(member(&two, Role::Developer, 1)));
        let before = world.newest().await;
        let several = world.add(&made, email("same@example.com"), Role::Developer, 2).await;
        assert_eq!(several, AddedMember::Ambiguous(vec![operator(3), operator(4)]));
        assert_eq!(world.newest().await, before, "no record");
        assert_eq!(world.belonging(&made).await.len(), 2);
        // Only ASCII letters have a lower case here.
        world.sign_in(5, Some("É@example.com")).await;
        let other = world.add(&made, email("é@example.com"), Role::Viewer, 3).await;
        assert_eq!(other, AddedMember::Invited(invited("é@example.com", Role::Viewer, 3)));
    })
    .await;
}

#[tokio::test]
async fn a_role_changes_only_from_what_the_step_was_decided_for() {
    on_each(async |world| {
        world.sign_in(1, None).await;
        let two = world.sign_in(2, Some("two@example.com")).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        let (other, _) = world.workspace(&operator(1), "other").await;
        world.add(&made, id(2), Role::Viewer, 1).await;
        let before = world.newest().await;
        for (of, who, was) in [
            (&made, id(2), Role::Admin),
            (&other, id(2), Role::Viewer),
            (&made, id(3), Role::Viewer),
            (&made, email("three@example.com"), Role::Viewer),
        ] {
            let changed = world.change(of, who.clone(), was, Role::Developer).await;
            assert_eq!(changed, ChangedMember::NotFound, "{who:?}");
            assert_eq!(world.remove(of, who, was).await, ChangedMember::NotFound);
        }
        // What is so already needs no step.
        let same = world.change(&made, id(2), Role::Viewer, Role::Viewer).await;
        assert_eq!(same, done(member(&two, Role::Viewer, 1)));
        assert_eq!(world.newest().await, before, "no records");

        let changed = world.change(&made, id(2), Role::Viewer, Role::Developer).await;
        assert_eq!(changed, done(member(&two, Role::Developer, 1)), "a member since before");
        let about = Some(operator(2).to_string());
        let told = (before.0 + 1, Action::MemberChanged, about, Some("developer".to_owned()));
        assert_eq!(world.newest().await, told);
        let by_address =
            world.change(&made, email("TWO@example.com"), Role::Developer, Role::Admin);
        assert_eq!(by_address.await, done(member(&two, Role::Admin, 1)));
        assert_eq!(world.role_of(&operator(2), &made).await, Some(Role::Admin));
    })
    .await;
}

#[tokio::test]
async fn a_workspace_keeps_an_owner_unless_an_organisation_owns_it() {
    on_each(async |world| {
        let one = world.sign_in(1, None).await;
        let two = world.sign_in(2, None).await;
        let (made, _) = world.workspace(&operator(1), "demo").await;
        world.add(&made, id(2), Role::Admin, 1).await;
        // Somebody who is invited is no owner yet.
        world.add(&made, email("a@example.com"), Role::Owner, 1).await;
        let before = world.newest().await;
        let lower = world.change(&made, id(1), Role::Owner, Role::Admin).await;
        assert_eq!(lower, ChangedMember::LastOwner);
        assert_eq!(world.remove(&made, id(1), Role::Owner).await, ChangedMember::LastOwner);
        assert_eq!(world.newest().await, before, "no records");
        // Who is invited can go.
        let withdrawn = world.remove(&made, email("a@example.com"), Role::Owner).await;
        assert_eq!(withdrawn, done(invited("a@example.com", Role::Owner, 1)));

        world.change(&made, id(2), Role::Admin, Role::Owner).await;
        let lower = world.change(&made, id(1), Role::Owner, Role::Viewer).await;
        assert_eq!(lower, done(member(&one, Role::Viewer, 0)));
        assert_eq!(world.remove(&made, id(2), Role::Owner).await, ChangedMember::LastOwner);

        let (mut new, first) = world.ids.workspace("theirs");
        new.organisation = Some("org_1".to_owned());
        let made = world.store.create_workspace(new, first, act(&operator(2), 0)).await;
        let Ok(CreatedWorkspace::New(theirs, _)) = made else { panic!("{made:?}") };
        let gone = world.remove(&theirs, id(2), Role::Owner).await;
        assert_eq!(gone, done(member(&two, Role::Owner, 0)));
        assert!(world.belonging(&theirs).await.is_empty());
    })
    .await;
}
