//! Two authorities on one memory: what one of them did holds at the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use nt_api::tokens::CreateToken;
use nt_api::verifiers::AddVerifier;
use nt_api::workspaces::CreateWorkspace;
use nt_identity::id_token::VerifiedIdentity;
use nt_identity::trust::{TrustRule, TrustedJob};
use nt_store::{Action as Recorded, AuditQuery, SessionId, SharedMemory, Visibility};
use nt_token::clock::{Clock as _, ManualClock};
use nt_token::{Timestamp, WorkspaceId};
use tokio::time::timeout;

use super::{World, asked, named, refusal};
use crate::authority::error::Refusal;
use crate::authority::janitor::Janitor;
use crate::authority::jobs::used_once;
use crate::authority::verify::NotAccepted;

/// Two nodes, and the clock of both.
struct Nodes {
    one: World,
    two: World,
    clock: Arc<ManualClock>,
}

impl Nodes {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
        let memory = SharedMemory::default();
        let one = World::node(&memory, &clock, None).await;
        let two = World::node(&memory, &clock, Some(&one)).await;
        Self { one, two, clock }
    }

    fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

async fn asks(node: &World, secret: &str) -> Result<(), Refusal> {
    asked(node.authority.caller(Some(secret), None).await)
}

#[tokio::test]
async fn a_session_works_at_every_node_at_once_and_ends_at_all_of_them_at_once() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (here, secret) = one.operator("owner@example.com").await;
    assert_eq!(asks(&two, &secret).await, Ok(()));
    let (there, other) = two.operator("owner@example.com").await;
    assert_eq!(there.operator().id, here.operator().id);
    let listed = one.authority.sessions_of(&here).await.expect("answers");
    assert_eq!((listed.total, listed.sessions.iter().filter(|s| s.current).count()), (2, 1));
    let id = listed.sessions.iter().find(|session| !session.current).expect("two").id.clone();
    let id = SessionId::parse(&id).expect("as written");
    one.authority.end_sessions(&here, Some(id)).await.expect("one's own");
    assert_eq!(asks(&two, &other).await, Err(Refusal::NotSignedIn), "where it was opened");
    assert_eq!(asks(&one, &secret).await, Ok(()));
    two.authority
        .sign_out(&two.authority.caller(Some(&secret), None).await.expect("signed in"))
        .await
        .expect("signed out");
    assert_eq!(asks(&one, &secret).await, Err(Refusal::NotSignedIn));
    assert_eq!(asks(&two, &secret).await, Err(Refusal::NotSignedIn));
    one.authority.write_counts().await;
    assert_eq!(asks(&two, &secret).await, Err(Refusal::NotSignedIn), "a use brings nothing back");
}

#[tokio::test]
async fn whoever_is_at_work_at_one_node_is_not_signed_out_at_another() {
    let nodes = Nodes::new().await;
    let (one, two) = (&nodes.one, &nodes.two);
    let (_, secret) = one.operator("owner@example.com").await;
    assert_eq!(asks(two, &secret).await, Ok(()));
    nodes.after(599);
    assert_eq!(asks(one, &secret).await, Ok(()));
    nodes.after(5);
    assert_eq!(asks(two, &secret).await, Ok(()), "although the use is not written down yet");
    one.authority.write_counts().await;
    two.authority.write_counts().await;
    nodes.after(599);
    assert_eq!(asks(two, &secret).await, Ok(()));
    two.authority.write_counts().await;
    nodes.after(599);
    assert_eq!(asks(one, &secret).await, Ok(()), "it was written down");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends_at_every_node_and_none_outlives_its_longest_time() {
    let nodes = Nodes::new().await;
    let (one, two) = (&nodes.one, &nodes.two);
    let (_, idle) = one.operator("idle@example.com").await;
    let (_, busy) = one.operator("busy@example.com").await;
    assert_eq!(asks(two, &idle).await, Ok(()));
    for node in [one, two, one, two, one, two] {
        nodes.after(590);
        assert_eq!(asks(node, &busy).await, Ok(()));
        node.authority.write_counts().await;
    }
    for node in [one, two] {
        assert_eq!(asks(node, &idle).await, Err(Refusal::SessionExpired));
    }
    nodes.after(60);
    for node in [one, two] {
        assert_eq!(asks(node, &busy).await, Err(Refusal::SessionExpired), "an hour");
    }
}

#[tokio::test]
async fn the_oldest_of_too_many_sessions_ends_wherever_they_were_opened() {
    let nodes = Nodes::new().await;
    let (_, first) = nodes.one.operator("owner@example.com").await;
    for _ in 0..crate::authority::limits::SESSIONS {
        nodes.after(1);
        nodes.two.operator("owner@example.com").await;
    }
    let caller = nodes.one.authority.caller(Some(&first), None).await.expect("signed in");
    nodes.one.authority.end_surplus(&caller).await.expect("answers");
    assert_eq!(asks(&nodes.two, &first).await, Err(Refusal::NotSignedIn));
}

#[tokio::test]
async fn a_verifier_is_known_at_every_node_at_once_and_dismissed_at_each() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (admin, secret) = one.operator("admin@example.com").await;
    let request = AddVerifier { name: "edge-1".to_owned() };
    let added = one.authority.add_verifier(&admin, request).await.expect("an administrator may");
    let who = async |node: &World| {
        let (verifiers, store) = (node.authority.verifiers(), node.authority.store.as_ref());
        verifiers.authenticate_now(store, &added.credential).await.expect("answers")
    };
    let known = who(&two).await.expect("registered at the other node just now");
    assert_eq!((&known.id, &known.name), (&added.id, &added.name));
    assert_eq!(two.authority.verifiers().name_of(&added.id), Some(added.name.clone()));
    let listed = two.authority.list_verifiers(&admin).await.expect("an administrator may");
    assert_eq!(listed.verifiers.len(), 1);

    let dismissed = two.authority.verifiers().removed(&added.id);
    let following = two.authority.keep_following_the_register();
    let both = async {
        tokio::select! { () = dismissed => {}, () = following => {} }
    };
    let removing = async {
        let admin = two.authority.caller(Some(&secret), None).await.expect("signed in");
        one.authority.remove_verifier(&admin, "edge-1").await.expect("an administrator may");
        assert_eq!(who(&two).await, None, "whoever connects is refused at once");
    };
    let (ended, ()) = tokio::join!(timeout(Duration::from_secs(5), both), removing);
    ended.expect("whoever is connected is dismissed");
    assert_eq!(
        two.authority.verifiers().name_of(&added.id),
        Some(added.name),
        "waited for by name"
    );
    let again = AddVerifier { name: "edge-1".to_owned() };
    let again = two.authority.add_verifier(&admin, again).await.expect("the name is free");
    one.authority.follow_the_register().await.expect("answers");
    assert_eq!(one.authority.verifiers().name_of(&again.id), Some(again.name));
}

#[tokio::test]
async fn whoever_connects_while_the_register_is_read_is_not_dismissed() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (admin, _) = one.operator("admin@example.com").await;
    let verifiers = two.authority.verifiers();
    let (before, kept) = (HashSet::new(), Vec::new());
    let request = AddVerifier { name: "edge-1".to_owned() };
    let added = one.authority.add_verifier(&admin, request).await.expect("an administrator may");
    let store = two.authority.store.as_ref();
    verifiers.authenticate_now(store, &added.credential).await.expect("answers");
    verifiers.take_over(&before, kept);
    assert!(verifiers.is_registered(&added.id), "the answer is older than the connection");
    two.authority.follow_the_register().await.expect("answers");
    assert!(verifiers.is_registered(&added.id));
}

#[tokio::test]
async fn a_jobs_token_opens_one_session_whatever_the_node_and_the_spelling_of_its_signature() {
    let Nodes { one, two, clock } = Nodes::new().await;
    let rule = TrustRule {
        name: "app".to_owned(),
        issuer: "https://ci.example".to_owned(),
        audience: "ntd".to_owned(),
        claims: BTreeMap::new(),
        workspace: WorkspaceId::mint([1; 16]),
        role: "developer".to_owned(),
        may_revoke: false,
    };
    let job = TrustedJob {
        rule: Arc::new(rule),
        identity: VerifiedIdentity {
            issuer: "https://ci.example".to_owned(),
            subject: "job".to_owned(),
            email: None,
            name: None,
        },
        expires_at: clock.now().plus_seconds(300),
        jti: None,
    };
    let used = async |node: &World, token: &str| {
        let token = used_once(token, &job);
        node.authority.store.use_job_token(token, clock.now()).await.expect("answers")
    };
    assert!(used(&one, "head.claims.signature").await);
    assert!(!used(&two, "head.claims.signature").await);
    assert!(!used(&two, "head.claims.other").await, "the same was signed");
    assert!(used(&two, "head.others.signature").await);
    clock.advance(Duration::from_mins(10));
    assert!(!used(&two, "head.claims.signature").await, "clocks of nodes may differ");
}

#[tokio::test]
async fn a_repeated_request_is_recognised_at_another_node() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (owner, _) = one.operator("owner@example.com").await;
    let key = || Some("key".to_owned());
    let create = async |node: &World, request: CreateWorkspace| {
        node.authority.create_workspace(&owner, request, key()).await
    };
    let made = create(&one, named("production")).await.expect("a free name");
    let again = create(&two, named("production")).await.expect("the same request");
    assert_eq!((again.workspace_id, again.jti), (made.workspace_id, made.jti.clone()));
    let other = refusal(create(&two, named("staging")).await);
    assert!(matches!(other, Refusal::Invalid { field: "Idempotency-Key", .. }), "{other:?}");
    let issue = async |node: &World| {
        let request = CreateToken::default();
        let key = Some("token".to_owned());
        node.authority.issue(&owner, made.workspace_id, request, key).await.expect("may").jti
    };
    assert_eq!(issue(&one).await, issue(&two).await);
}

#[tokio::test]
async fn a_token_of_one_node_is_good_at_another_until_either_revokes_it() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let other = two.token(&owner, made.workspace_id, 3_600).await;
    let tokens = [made.access_token.expose(), other.access_token.expose()];
    for token in tokens {
        assert_eq!((one.verdict(token), two.verdict(token)), (Ok(()), Ok(())));
    }
    for (node, jti) in [(&two, made.jti.clone()), (&one, other.jti.clone())] {
        let revoked = node.authority.revoke(&owner, made.workspace_id, jti, None, None).await;
        assert!(!revoked.expect("an owner may").already_revoked);
    }
    for token in tokens {
        let refused = Err(NotAccepted::Revoked);
        assert_eq!((one.verdict(token), two.verdict(token)), (refused, refused));
    }
}

#[tokio::test]
async fn uses_and_attempts_add_up_over_the_nodes() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let token = made.access_token.expose();
    let knock = |times: [usize; 2]| {
        for (node, times) in [&one, &two].into_iter().zip(times) {
            for _ in 0..times {
                let _either = node.verdict(token);
            }
        }
    };
    knock([2, 3]);
    let revoked = two.authority.revoke(&owner, made.workspace_id, made.jti.clone(), None, None);
    revoked.await.expect("an owner may");
    knock([4, 1]);
    for node in [&one, &two] {
        node.authority.write_counts().await;
    }
    let store = one.authority.store.as_ref();
    let kept = store.token(made.workspace_id, &made.jti).await.expect("answers").expect("there");
    assert_eq!(kept.0.used.expect("used").count, 5);
    let denied = store.denials(Visibility::Everything, None, None, 9).await.expect("answers");
    assert_eq!(denied[0].count, 5);
}

#[tokio::test]
async fn two_janitors_at_a_time_forget_the_same_and_no_more() {
    let nodes = Nodes::new().await;
    let (one, two) = (&nodes.one, &nodes.two);
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let short = one.token(&owner, made.workspace_id, 3_600).await;
    let id = made.workspace_id;
    one.authority.revoke(&owner, id, short.jti, None, None).await.expect("an owner may");
    nodes.after(100 * 86_400);
    let (mut first, mut second) = (Janitor::default(), Janitor::default());
    for _ in 0..2 {
        let swept = tokio::join!(first.sweep(&one.authority), second.sweep(&two.authority));
        assert!(swept.0.is_ok() && swept.1.is_ok());
        nodes.after(3_600);
    }
    assert!(one.authority.is_ready() && two.authority.is_ready());
    assert_eq!(one.authority.set.horizon(), two.authority.set.horizon());
    assert!(one.authority.set.horizon() > Timestamp::from_unix(0));
    assert_eq!(
        (one.verdict(made.access_token.expose()), two.verdict(made.access_token.expose())),
        (Ok(()), Ok(()))
    );
}

#[tokio::test]
async fn a_receipt_is_asked_for_at_another_node_and_is_the_one_that_was_handed_out() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let id = made.workspace_id;
    let revoked = one.authority.revoke(&owner, id, made.jti.clone(), None, None).await;
    let receipt = revoked.expect("an owner may").receipt.expect("in force");
    let asking = two.authority.receipt(&owner, id, made.jti.clone());
    let writing = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        one.authority.write_counts().await;
    };
    let (shown, ()) = tokio::join!(asking, writing);
    assert_eq!(shown.expect("it is revoked").receipt, receipt);
}

#[tokio::test]
async fn where_the_node_that_revoked_is_gone_another_states_it_once_for_all() {
    let nodes = Nodes::new().await;
    let (one, two) = (&nodes.one, &nodes.two);
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let id = made.workspace_id;
    one.authority.revoke(&owner, id, made.jti.clone(), None, None).await.expect("an owner may");
    nodes.after(61);
    let ask = async |node: &World| {
        node.authority.receipt(&owner, id, made.jti.clone()).await.expect("it is revoked")
    };
    let stated = ask(two).await;
    assert_eq!((stated.waited_ms, stated.proven.as_str()), (None, "expired"));
    one.authority.write_counts().await;
    assert_eq!(ask(one).await.receipt, stated.receipt, "what was written down first stays");
    assert_eq!(ask(two).await.receipt, stated.receipt);
}

#[tokio::test]
async fn a_node_starts_while_another_appends_and_misses_nothing() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix(1_723_000_000)));
    let memory = SharedMemory::default();
    let one = World::node(&memory, &clock, None).await;
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let appending = async {
        for _ in 0..300 {
            let (id, jti) = (made.workspace_id, made.jti.clone());
            one.authority.revoke(&owner, id, jti, None, None).await.expect("an owner may");
            tokio::task::yield_now().await;
        }
    };
    let starting = async {
        let mut started = Vec::new();
        for _ in 0..5 {
            started.push(World::node(&memory, &clock, Some(&one)).await);
            tokio::task::yield_now().await;
        }
        started
    };
    let ((), started) = tokio::join!(appending, starting);
    let head = one.authority.store.head().await.expect("answers");
    for node in &started {
        assert!(node.authority.is_ready());
        assert_eq!(node.authority.set.applied(), head.seq);
        assert_eq!(node.verdict(made.access_token.expose()), Err(NotAccepted::Revoked));
    }
}

#[tokio::test]
async fn one_audit_log_tells_of_all_nodes() {
    let Nodes { one, two, .. } = Nodes::new().await;
    let (owner, _) = one.operator("owner@example.com").await;
    let made = one.workspace(&owner, "production").await;
    let id = made.workspace_id;
    two.authority.revoke(&owner, id, made.jti, None, None).await.expect("an owner may");
    let visible = Visibility::Of(owner.operator().id.clone());
    let query = AuditQuery { visible, jti: None, since: None, before: None, limit: 1 };
    let page = one.authority.store.audit(query).await.expect("answers");
    assert_eq!(page.records[0].action, Recorded::TokenRevoked);
}
