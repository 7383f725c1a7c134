//! Who learns what about which token, and who may revoke it.

use std::time::Duration;

use nt_api::clients::AddClient;
use nt_api::members::{AddMember, RoleName};
use nt_api::workspaces::WorkspaceCreated;
use nt_store::{Action as Recorded, AuditQuery, AuditRecord, Grant, Role, Visibility};
use nt_token::{Secret, State, WorkspaceId};

use super::{Asker, Presented};
use crate::authority::clients::tests::asking;
use crate::authority::error::Refusal;
use crate::authority::tests::{World, refusal};
use crate::authority::{Caller, NotAccepted, limits};

const EVERYTHING: &[&str] = &["introspect", "revoke"];

/// Two workspaces of one owner.
struct Two {
    world: World,
    admin: Caller,
    owner: Caller,
    ours: WorkspaceCreated,
    theirs: WorkspaceCreated,
}

async fn two() -> Two {
    let world = World::new().await;
    let (admin, _) = world.operator("admin@example.com").await;
    let (owner, _) = world.operator("owner@example.com").await;
    let ours = world.workspace(&owner, "ours").await;
    let theirs = world.workspace(&owner, "theirs").await;
    Two { world, admin, owner, ours, theirs }
}

impl Two {
    async fn client(&self, name: &str, may: &[&str], only: Option<WorkspaceId>) -> Asker {
        let workspace = only.map(|id| id.to_string());
        let asked = AddClient { workspace, ..asking(name, may) };
        let authority = &self.world.authority;
        let added = authority.add_client(&self.admin, asked).await.expect("an administrator may");
        let (id, secret) = (name.to_owned(), added.client_secret);
        let from = Some([192, 0, 2, 7].into());
        let client = authority.asker(Presented::Client { id, secret }, from).await;
        client.expect("registered")
    }

    /// Whether the token is said to be good.
    fn says(&self, asker: &Asker, token: &str) -> bool {
        self.world.authority.introspect(asker, token).expect("an answer").is_some()
    }

    async fn revoke(&self, asker: &Asker, token: &str) -> Result<(), Refusal> {
        match self.world.authority.revoke_presented(asker, token).await {
            Ok(()) => Ok(()),
            refused => Err(refusal(refused)),
        }
    }

    async fn revocations(&self) -> Vec<AuditRecord> {
        let visible = Visibility::Everything;
        let query = AuditQuery { visible, jti: None, since: None, before: None, limit: 100 };
        let page = self.world.authority.store.audit(query).await.expect("answers");
        page.records.into_iter().filter(|r| r.action == Recorded::TokenRevoked).collect()
    }
}

#[tokio::test]
async fn a_client_of_one_workspace_learns_nothing_of_anothers_tokens() {
    let two = two().await;
    let asker = two.client("billing", &["introspect"], Some(two.ours.workspace_id)).await;
    let unlimited = two.client("gateway", &["introspect"], None).await;
    let (ours, theirs) = (two.ours.access_token.expose(), two.theirs.access_token.expose());
    assert!(two.says(&asker, ours) && two.says(&unlimited, ours) && two.says(&unlimited, theirs));
    assert!(!two.says(&asker, theirs), "a live one");
    let (owner, id, jti) = (&two.owner, two.theirs.workspace_id, two.theirs.jti.clone());
    two.world.authority.revoke(owner, id, jti, None, None).await.expect("an owner may");
    assert!(!two.says(&asker, theirs), "a revoked one");
    assert!(!two.says(&asker, "wst_e30.e30.e30") && !two.says(&asker, ""), "what is none");
    two.world.authority.doubt.begin("a test".to_owned());
    let told = two.world.authority.introspect(&asker, theirs).expect("it need not know");
    assert!(told.is_none(), "also while this node knows nothing");
    let refused = two.world.authority.introspect(&asker, ours);
    assert_eq!(refusal(refused), Refusal::NotServing);
}

#[tokio::test]
async fn attempts_of_a_client_are_no_statistics_of_anothers_tokens() {
    let two = two().await;
    let asker = two.client("billing", &["introspect"], Some(two.ours.workspace_id)).await;
    let (owner, id, jti) = (&two.owner, two.theirs.workspace_id, two.theirs.jti.clone());
    two.world.authority.revoke(owner, id, jti, None, None).await.expect("an owner may");
    assert!(!two.says(&asker, two.theirs.access_token.expose()));
    two.world.authority.write_counts().await;
    let denials = two.world.authority.store.denials(Visibility::Everything, None, None, 9).await;
    assert_eq!(denials.expect("answers"), []);
}

#[tokio::test]
async fn a_client_does_what_it_was_registered_for_and_nothing_else() {
    let two = two().await;
    let asks = two.client("asks", &["introspect"], None).await;
    let revokes = two.client("revokes", &["revoke"], None).await;
    let token = two.ours.access_token.expose();
    assert!(two.says(&asks, token));
    assert_eq!(two.revoke(&asks, token).await, Err(Refusal::ClientMayNot));
    assert_eq!(two.revoke(&asks, "no token").await, Err(Refusal::ClientMayNot));
    let refused = two.world.authority.introspect(&revokes, token);
    assert_eq!(refusal(refused), Refusal::ClientMayNot);
    assert_eq!(two.world.verdict(token), Ok(()));
    assert_eq!(two.revoke(&revokes, token).await, Ok(()));
    assert!(!two.says(&asks, token), "in the very next question");
}

#[tokio::test]
async fn what_a_client_revoked_is_written_down_as_the_clients_doing() {
    let two = two().await;
    let asker = two.client("billing", EVERYTHING, Some(two.ours.workspace_id)).await;
    let token = two.ours.access_token.expose();
    assert_eq!(two.revoke(&asker, token).await, Ok(()));
    assert_eq!(two.world.verdict(token), Err(NotAccepted::Revoked));
    assert_eq!(two.revoke(&asker, token).await, Ok(()), "again is the same");
    let told = two.revocations().await;
    let act = &told[0].act;
    assert_eq!(act.note.as_deref(), Some("by the client billing"));
    assert_eq!((&act.operator, act.from), (&two.admin.operator().id, Some([192, 0, 2, 7].into())));
    let store = &two.world.authority.store;
    let (record, _) =
        store.token(two.ours.workspace_id, &two.ours.jti).await.expect("answers").expect("there");
    let State::Revoked { reason, .. } = record.state else { panic!("{record:?}") };
    assert_eq!(reason.as_deref(), Some("revoked over OAuth"));
}

#[tokio::test]
async fn a_token_of_another_workspace_is_refused_alike_whatever_has_become_of_it() {
    let two = two().await;
    let asker = two.client("billing", EVERYTHING, Some(two.ours.workspace_id)).await;
    let (outsider, _) = two.world.operator("outsider@example.com").await;
    let outsider = Asker::Operator(outsider);
    let live = two.theirs.access_token.expose();
    let (owner, id) = (&two.owner, two.theirs.workspace_id);
    let short = two.world.token(owner, id, 60).await;
    let revoked = two.world.token(owner, id, 3_600).await;
    two.world.authority.revoke(owner, id, revoked.jti, None, None).await.expect("an owner may");
    two.world.clock.advance(Duration::from_mins(2));
    for token in [live, short.access_token.expose(), revoked.access_token.expose()] {
        for asker in [&asker, &outsider] {
            assert_eq!(two.revoke(asker, token).await, Err(Refusal::ClientMayNot));
        }
    }
    assert_eq!(two.world.verdict(live), Ok(()));
    assert_eq!(two.revocations().await.len(), 1, "the owner's alone");
    // What nobody signed is not anybody's, and is accepted nowhere.
    for none in ["", "wst_e30.e30.e30", &format!("{live}x"), "opaque"] {
        for asker in [&asker, &outsider] {
            assert_eq!(two.revoke(asker, none).await, Ok(()), "{none:.20}");
        }
    }
}

#[tokio::test]
async fn an_operator_revokes_by_the_same_rules_as_everywhere() {
    let two = two().await;
    let id = two.ours.workspace_id;
    for (email, role) in
        [("developer@example.com", RoleName::Developer), ("viewer@example.com", RoleName::Viewer)]
    {
        two.world.operator(email).await;
        let member = AddMember { email: Some(email.to_owned()), operator_id: None, role };
        two.world.authority.add_member(&two.owner, id, member).await.expect("an owner may");
    }
    let (developer, _) = two.world.operator("developer@example.com").await;
    let (viewer, _) = two.world.operator("viewer@example.com").await;
    let own = two.world.token(&developer, id, 3_600).await;
    let own = own.access_token.expose();
    let (developer, viewer) = (Asker::Operator(developer), Asker::Operator(viewer));
    assert_eq!(two.revoke(&viewer, own).await, Err(Refusal::ClientMayNot));
    let token = two.ours.access_token.expose();
    assert_eq!(two.revoke(&developer, token).await, Err(Refusal::ClientMayNot));
    assert_eq!(two.revoke(&developer, own).await, Ok(()));
    assert_eq!(two.world.verdict(own), Err(NotAccepted::Revoked));
    assert_eq!(two.revoke(&Asker::Operator(two.owner.clone()), token).await, Ok(()));
    assert_eq!(two.world.verdict(token), Err(NotAccepted::Revoked));
}

#[tokio::test]
async fn a_job_learns_of_its_own_workspace_alone() {
    let two = two().await;
    let grant =
        Grant { workspace: two.ours.workspace_id, role: Role::Developer, may_revoke: false };
    let (job, _) = two.world.admitted("ci", None, Some(grant)).await;
    let job = Asker::Operator(job);
    assert!(two.says(&job, two.ours.access_token.expose()));
    assert!(!two.says(&job, two.theirs.access_token.expose()));
    let refused = two.revoke(&job, two.ours.access_token.expose()).await;
    assert_eq!(refused, Err(Refusal::ClientMayNot));
}

#[tokio::test]
async fn an_expired_token_is_revoked_as_a_live_one_is() {
    let two = two().await;
    let asker = two.client("billing", EVERYTHING, None).await;
    let short = two.world.token(&two.owner, two.ours.workspace_id, 60).await;
    two.world.clock.advance(Duration::from_mins(2));
    assert!(!two.says(&asker, short.access_token.expose()));
    assert_eq!(two.revoke(&asker, short.access_token.expose()).await, Ok(()));
    assert_eq!(two.revocations().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_said_to_be_revoked_by_a_node_that_cannot_know() {
    let two = two().await;
    let asker = two.client("billing", EVERYTHING, None).await;
    two.world.authority.doubt.begin("a test".to_owned());
    for token in [two.ours.access_token.expose(), "no token at all"] {
        assert_eq!(two.revoke(&asker, token).await, Err(Refusal::NotServing), "{token:.20}");
    }
}

#[tokio::test]
async fn holding_a_token_is_not_enough_and_wrong_sessions_are_counted() {
    let two = two().await;
    let ask = async |credential: &str| {
        let presented = Presented::Session(Secret::from(credential.to_owned()));
        refusal(two.world.authority.asker(presented, None).await)
    };
    let token = two.ours.access_token.expose();
    assert_eq!(ask(token).await, Refusal::OperatorNeeded);
    for _ in 1..limits::FAILURES_AT_ONCE.get() {
        assert_eq!(ask("nts_wrong").await, Refusal::NotSignedIn);
    }
    assert!(matches!(ask("nts_wrong").await, Refusal::TooOften { .. }));
    assert!(matches!(ask(token).await, Refusal::TooOften { .. }));
    assert_eq!(two.world.verdict(token), Ok(()), "whoever uses a good one is never told so");
}

#[tokio::test]
async fn a_client_that_asks_without_end_is_told_to_slow_down_and_others_are_not() {
    let two = two().await;
    let asker = two.client("billing", EVERYTHING, None).await;
    let other = two.client("gateway", EVERYTHING, None).await;
    for _ in 0..limits::INTROSPECTIONS.get() {
        assert!(!two.says(&asker, "no token"));
    }
    let refused = two.world.authority.introspect(&asker, two.ours.access_token.expose());
    assert!(matches!(refusal(refused), Refusal::TooOften { .. }));
    assert!(two.says(&other, two.ours.access_token.expose()));
    two.world.clock.advance(Duration::from_secs(1));
    assert!(two.says(&asker, two.ours.access_token.expose()));
}
