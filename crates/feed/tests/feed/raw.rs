//! What is said on the wire, to verifiers of any make.

use std::time::Duration;

use nt_feed::proto::feed_client::FeedClient;
use nt_feed::proto::{self, FromAuthority, FromVerifier, from_authority, from_verifier};
use nt_feed::server::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

use super::world::{LEASE, SECRET, World, entry, until};

pub(crate) struct Raw {
    says: mpsc::Sender<FromVerifier>,
    answers: Streaming<FromAuthority>,
}

pub(crate) fn hello(position: Option<proto::Position>) -> proto::Hello {
    proto::Hello {
        version: 1,
        name: "raw".to_owned(),
        instance: vec![1; 16].into(),
        position,
        witness: None,
    }
}

pub(crate) fn position(seq: u64) -> proto::Position {
    proto::Position { epoch: 1, seq, entry_id: entry(seq).id.0.to_vec().into() }
}

impl Raw {
    pub(crate) async fn connect(
        world: &World,
        secret: &str,
        first: proto::Hello,
    ) -> Result<Self, Status> {
        let endpoint = world.endpoint.clone().initial_stream_window_size(1 << 16);
        let channel = endpoint.connect().await.expect("it listens");
        let (says, queue) = mpsc::channel(16);
        let mut request = Request::new(ReceiverStream::new(queue));
        request.metadata_mut().insert("authorization", secret.parse().expect("ASCII"));
        let answers = FeedClient::new(channel).follow(request).await?.into_inner();
        let raw = Self { says, answers };
        raw.say(from_verifier::Message::Hello(first)).await;
        Ok(raw)
    }

    pub(crate) async fn say(&self, message: from_verifier::Message) {
        self.says.send(FromVerifier { message: Some(message) }).await.expect("open");
    }

    /// The next message that is no heartbeat.
    pub(crate) async fn hear(&mut self) -> Result<from_authority::Message, Status> {
        loop {
            let answer = self.answers.message().await?;
            let answer = answer.ok_or_else(|| Status::cancelled("the end"))?;
            match answer.message.expect("not empty") {
                from_authority::Message::Heartbeat(_) => {}
                message => return Ok(message),
            }
        }
    }
}

#[tokio::test]
async fn whoever_shows_no_good_credential_is_told_nothing() {
    let world = World::with_entries(1, None).await;
    let refused = Raw::connect(&world, "Bearer of nothing", hello(None)).await;
    assert_eq!(refused.err().map(|status| status.code()), Some(Code::Unauthenticated));
    assert!(world.feed.sessions().is_empty());
}

#[tokio::test]
async fn a_known_position_gets_what_follows_and_an_unknown_one_gets_everything() {
    let world = World::with_entries(5, None).await;
    let mut known = Raw::connect(&world, SECRET, hello(Some(position(3)))).await.expect("admitted");
    let welcome = known.hear().await.expect("a welcome");
    let from_authority::Message::Welcome(welcome) = welcome else { panic!("{welcome:?}") };
    assert_eq!(u128::from(welcome.verifier_lease_ms), LEASE.as_millis());
    assert_eq!((welcome.issuer.as_str(), welcome.audience.as_str()), ("http://a", "b"));
    let next = known.hear().await.expect("entries");
    let from_authority::Message::Entries(run) = next else { panic!("{next:?}") };
    assert_eq!(run.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5]);

    let other_history = proto::Position { entry_id: vec![9; 16].into(), ..position(3) };
    let ahead = position(6);
    for unknown in [None, Some(other_history), Some(ahead)] {
        let mut raw = Raw::connect(&world, SECRET, hello(unknown)).await.expect("admitted");
        raw.hear().await.expect("a welcome");
        let next = raw.hear().await.expect("a snapshot");
        assert!(matches!(next, from_authority::Message::Snapshot(piece) if piece.last));
    }
}

#[tokio::test]
async fn a_grant_names_everything_that_was_sent_before_it() {
    let world = World::with_entries(5, None).await;
    let mut raw = Raw::connect(&world, SECRET, hello(Some(position(5)))).await.expect("admitted");
    raw.hear().await.expect("a welcome");
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 76, acked: 5, epoch: 1 })).await;
    let first = raw.hear().await.expect("a grant");
    assert!(matches!(first, from_authority::Message::Grant(grant) if grant.nonce == 76));
    let seq = world.revoke();
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 77, acked: 5, epoch: 1 })).await;
    let next = raw.hear().await.expect("the entry");
    assert!(matches!(next, from_authority::Message::Entries(_)), "{next:?}");
    let next = raw.hear().await.expect("the grant");
    let from_authority::Message::Grant(grant) = next else { panic!("{next:?}") };
    assert_eq!((grant.nonce, u128::from(grant.length_ms)), (77, LEASE.as_millis()));
    assert_eq!(grant.min, Some(position(seq)));
    // The deadline was there before the grant was.
    assert!(!world.session("raw").expect("open").lease_left.is_zero());
    assert!(*world.feed.complete().borrow() < seq);
    raw.say(from_verifier::Message::Ack(proto::Ack { epoch: 1, seq })).await;
    world.feed.wait_complete(seq).await;
}

#[tokio::test]
async fn whoever_leaves_an_entry_unacknowledged_gets_no_more_leases() {
    let world = World::with_entries(5, None).await;
    let mut raw = Raw::connect(&world, SECRET, hello(Some(position(5)))).await.expect("admitted");
    raw.hear().await.expect("a welcome");
    until("a session", || world.session("raw").is_some()).await;
    let seq = world.revoke();
    raw.hear().await.expect("the entry");
    tokio::time::sleep(Duration::from_millis(300)).await;
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 1, acked: 5, epoch: 1 })).await;
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 2, acked: seq, epoch: 1 })).await;
    let next = raw.hear().await.expect("a grant");
    assert!(matches!(next, from_authority::Message::Grant(grant) if grant.nonce == 2));
}

#[tokio::test]
async fn whoever_reads_nothing_is_cut_off_and_the_others_are_not_held_up() {
    let world = World::with_entries(1, None).await;
    let raw = Raw::connect(&world, SECRET, hello(Some(position(1)))).await.expect("admitted");
    until("a session", || world.session("raw").is_some()).await;
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 1, acked: 1, epoch: 1 })).await;
    until("a lease", || world.session("raw").is_some_and(|raw| !raw.lease_left.is_zero())).await;
    let mut seq = 0;
    until("cut off", || {
        (0..500).for_each(|_| seq = world.revoke());
        world.session("raw").is_none_or(|raw| raw.stream == Stream::Ended)
    })
    .await;
    tokio::time::timeout(3 * LEASE, world.feed.wait_complete(seq)).await.expect("in bounded time");
    assert_eq!(world.feed.outcome(seq).cut_off.len(), 1);
}

#[tokio::test]
async fn an_acknowledgement_of_another_epoch_ends_the_session() {
    let world = World::with_entries(2, None).await;
    let mut raw = Raw::connect(&world, SECRET, hello(Some(position(2)))).await.expect("admitted");
    raw.hear().await.expect("a welcome");
    raw.say(from_verifier::Message::Ack(proto::Ack { epoch: 2, seq: 2 })).await;
    assert_eq!(raw.hear().await.expect_err("closed").code(), Code::Aborted);
}

#[tokio::test]
async fn an_acknowledgement_counts_for_nothing_that_comes_after_it() {
    let world = World::with_entries(2, None).await;
    let mut raw = Raw::connect(&world, SECRET, hello(Some(position(2)))).await.expect("admitted");
    raw.hear().await.expect("a welcome");
    raw.say(from_verifier::Message::Ack(proto::Ack { epoch: 1, seq: 9 })).await;
    raw.say(from_verifier::Message::Renew(proto::Renew { nonce: 1, acked: 9, epoch: 1 })).await;
    let grant = raw.hear().await.expect("a grant");
    assert!(matches!(grant, from_authority::Message::Grant(_)), "{grant:?}");
    let seq = world.revoke();
    assert!(*world.feed.complete().borrow() < seq);
    raw.say(from_verifier::Message::Ack(proto::Ack { epoch: 1, seq })).await;
    world.feed.wait_complete(seq).await;
}

#[tokio::test]
async fn a_hello_that_is_not_understood_ends_the_session() {
    let world = World::with_entries(0, None).await;
    let unknown_version = proto::Hello { version: 2, ..hello(None) };
    let short_instance = proto::Hello { instance: vec![1; 15].into(), ..hello(None) };
    let long_name = proto::Hello { name: "n".repeat(129), ..hello(None) };
    let bad = [
        (unknown_version, Code::FailedPrecondition),
        (short_instance, Code::InvalidArgument),
        (long_name, Code::InvalidArgument),
    ];
    for (bad, code) in bad {
        let mut raw = Raw::connect(&world, SECRET, bad).await.expect("admitted");
        assert_eq!(raw.hear().await.expect_err("closed").code(), code);
    }
    assert!(world.feed.sessions().is_empty());
}

#[tokio::test]
async fn a_feed_that_is_closed_ends_its_sessions_and_admits_no_more() {
    let world = World::with_entries(0, None).await;
    let mut raw = Raw::connect(&world, SECRET, hello(None)).await.expect("admitted");
    until("a session", || world.session("raw").is_some()).await;
    world.feed.close();
    let ended = loop {
        if let Err(status) = raw.hear().await {
            break status;
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    let mut late = Raw::connect(&world, SECRET, hello(None)).await.expect("admitted");
    assert_eq!(late.hear().await.expect_err("closed").code(), Code::Unavailable);
}
