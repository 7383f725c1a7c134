//! Verifiers that follow the real `ntd`, and the promise: after "revoked" was answered, none of them
//! accepts the token, whatever became of it or of the authority.

use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_feed::client::{Follower, Following, follow};
use nt_testkit::operator::{Issued, Operator};
use nt_testkit::{Request, World, process};
use nt_token::Expected;
use nt_token::clock::Stopwatch;
use nt_verifier::{NotAccepted, Options, Refused, Verifier};
use serde_json::json;
use tokio::runtime::Runtime;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

use crate::{MEMBER, OWNER, owner_with_workspace, story, text_of};

const SOON: Duration = Duration::from_secs(5);
/// κ·Lv: the longest that a verifier which is out of reach may go on.
const LONGEST_LEASE: Duration = Duration::from_millis(2_546);

/// A service that checks tokens.
struct Service {
    runtime: Runtime,
    verifier: Verifier,
    following: Following,
}

impl Service {
    /// One that follows the authority, and may say "good".
    fn start(world: &World, name: &str, credential: Option<&str>) -> Result<Self> {
        let service = Self::connect(world, name, credential)?;
        process::until(
            SOON,
            || Ok((!service.verifier.stats().lease_left.is_zero()).then_some(())),
        )?;
        Ok(service)
    }

    fn connect(world: &World, name: &str, credential: Option<&str>) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let expected = Expected { issuer: world.url(), audience: world.url() };
        let (verifier, state) = Verifier::new(Options::new(expected));
        let shown = format!("Bearer {}", credential.unwrap_or("dev"));
        let authorization: MetadataValue<Ascii> = shown.parse()?;
        let follower = Follower { name: name.to_owned(), instance: [7; 16], authorization };
        let endpoint = Endpoint::from_shared(world.url())?;
        let following = {
            let _within = runtime.enter();
            follow(endpoint, follower, state)
        };
        Ok(Self { runtime, verifier, following })
    }

    fn accepts(&self, token: &str) -> bool {
        self.verifier.verify(token).is_ok()
    }

    fn knows_that_it_was_revoked(&self, token: &str) -> bool {
        matches!(self.verifier.verify(token), Err(NotAccepted::Refused(Refused::Revoked(_))))
    }

    /// Ends it as a crash of its connection would; it may go on until its lease ends.
    fn cut(self) -> Verifier {
        self.following.abort();
        self.runtime.shutdown_timeout(SOON);
        self.verifier
    }
}

fn issued(world: &World) -> Result<(Operator, Issued)> {
    let owner = world.operator(OWNER)?;
    let made = owner.create_workspace("main")?;
    Ok((owner, made))
}

#[test]
fn a_verifier_refuses_what_was_revoked_from_the_answer_on() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let added = cli.json(&["verifiers", "add", "edge-1"])?;
        let service = Service::start(world, "any name", Some(text_of(&added, "credential")))?;
        for _ in 0..3 {
            let made = cli.json(&["token", "create"])?;
            let (jti, token) = (text_of(&made, "jti"), text_of(&made, "token"));
            assert!(service.accepts(token), "{:?}", service.verifier.verify(token));
            let began = Stopwatch::start();
            cli.ok(&["token", "revoke", jti, "--force"])?;
            assert!(service.knows_that_it_was_revoked(token));
            assert!(began.elapsed() < LONGEST_LEASE, "no lease was waited for");
            let receipt = cli.json(&["receipt", "show", jti])?;
            let counted = json!({ "acknowledged": 1, "cut_off": [] });
            assert_eq!(receipt["verifiers"], counted, "{receipt}");
        }
        Ok(())
    });
}

#[test]
fn also_what_is_revoked_with_something_else_is_refused_from_the_answer_on() {
    story(|world| {
        let (owner, made) = issued(world)?;
        let service = Service::start(world, "edge", None)?;
        let tokens = format!("/v1/workspaces/{}/tokens", made.workspace);
        let refresh = format!("{tokens}/{}/refresh", made.jti);
        let refreshed = owner.expect(201, "POST", &refresh, Some(&json!({})))?;
        assert!(service.knows_that_it_was_revoked(&made.token));
        let new = text_of(&refreshed, "access_token");
        assert!(service.accepts(new));
        owner.expect(200, "DELETE", &format!("/v1/workspaces/{}", made.workspace), None)?;
        assert!(service.knows_that_it_was_revoked(new));
        Ok(())
    });
}

#[test]
fn a_verifier_that_is_gone_is_waited_for_until_its_lease_has_ended() {
    story(|world| {
        let (owner, made) = issued(world)?;
        let gone = Service::start(world, "edge", None)?.cut();
        assert!(gone.verify(&made.token).is_ok(), "its lease runs on");
        let began = Stopwatch::start();
        let revoked = owner.revoke(&made.workspace, &made.jti)?;
        assert_eq!(revoked["status"], "revoked");
        assert!(gone.verify(&made.token).is_err(), "it was answered too early");
        let took = began.elapsed();
        assert!(took <= LONGEST_LEASE + Duration::from_millis(100), "{took:?}");
        let path = format!("/v1/workspaces/{}/tokens/{}/receipt", made.workspace, made.jti);
        let receipt = owner.expect(200, "GET", &path, None)?;
        let cut_off = &receipt["verifiers"]["cut_off"];
        assert_eq!(cut_off.as_array().map(Vec::len), Some(1), "{receipt}");
        assert_eq!(cut_off[0]["name"], "dev:edge");
        assert!(cut_off[0]["silent_for_ms"].as_u64() > Some(1_000), "{receipt}");
        Ok(())
    });
}

#[test]
fn leases_of_an_authority_that_crashed_are_waited_for() {
    story(|world| {
        let (owner, made) = issued(world)?;
        let gone = Service::start(world, "edge", None)?.cut();
        let began = Stopwatch::start();
        world.restart()?;
        owner.revoke(&made.workspace, &made.jti)?;
        assert!(gone.verify(&made.token).is_err(), "it was answered too early");
        assert!(began.elapsed() >= LONGEST_LEASE, "it waited less than a lease may last");
        world.stop_and_start()?;
        let again = owner.create_token(&made.workspace, &json!({}))?;
        let began = Stopwatch::start();
        owner.revoke(&made.workspace, &again.jti)?;
        assert!(began.elapsed() < Duration::from_secs(1), "an orderly stop leaves nothing behind");
        Ok(())
    });
}

#[test]
fn an_authority_that_stops_waits_for_no_verifier_but_the_next_one_does() {
    story(|world| {
        let (owner, made) = issued(world)?;
        let service = Service::start(world, "edge", None)?;
        let began = Stopwatch::start();
        world.stop()?;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let gone = service.cut();
        let began = Stopwatch::start();
        world.restart()?;
        owner.revoke(&made.workspace, &made.jti)?;
        assert!(began.elapsed() >= LONGEST_LEASE, "it waited less than a lease may last");
        assert!(gone.verify(&made.token).is_err(), "it was answered too early");
        Ok(())
    });
}

#[test]
fn a_caller_that_does_not_wait_is_told_that_it_is_not_in_force_yet() {
    story(|world| {
        let (owner, made) = issued(world)?;
        let gone = Service::start(world, "edge", None)?.cut();
        let path = format!("/v1/workspaces/{}/tokens/{}", made.workspace, made.jti);
        let hurried = Request::new("DELETE", &path).bearer(&owner.session);
        let told = world.send(&hurried.header("Prefer", "respond-async, wait=0"))?;
        assert_eq!(told.status, 202, "{told:?}");
        assert_eq!(
            (&told.json()["status"], &told.json()["receipt"]),
            (&json!("revoking"), &json!(null))
        );
        owner.expect(200, "GET", &format!("{path}/receipt"), None)?;
        assert!(gone.verify(&made.token).is_err(), "a receipt was stated too early");
        let again = world.send(
            &Request::new("DELETE", &path).bearer(&owner.session).header("Prefer", "wait=0"),
        )?;
        assert_eq!((again.status, &again.json()["status"]), (200, &json!("revoked")));
        Ok(())
    });
}

#[test]
fn who_is_not_registered_or_not_any_more_follows_nothing() {
    story(|world| {
        let admin = world.operator(MEMBER)?;
        let added =
            admin.expect(201, "POST", "/v1/verifiers", Some(&json!({ "name": "edge-1" })))?;
        let credential = text_of(&added, "credential").to_owned();
        let stranger = Service::connect(world, "edge", Some("ntv_none"))?;
        let service = Service::start(world, "edge", Some(&credential))?;
        assert!(stranger.verifier.stats().lease_left.is_zero());

        let listed = process::until(SOON, || {
            let list = admin.expect(200, "GET", "/v1/verifiers", None)?;
            let one = list["verifiers"][0].clone();
            Ok((!one["last_connected_at"].is_null()).then_some(one))
        })?;
        assert_eq!(listed["connected"], true, "{listed}");
        assert_eq!(listed["position"]["seq"], service.verifier.stats().applied, "{listed}");
        assert!(listed["lease_ms_left"].as_u64() > Some(0), "{listed}");
        assert!(listed["last_ack_ms_ago"].as_u64() < Some(1_000), "{listed}");
        assert!(text_of(&listed, "version").starts_with("nt-feed "), "{listed}");

        admin.expect(200, "DELETE", "/v1/verifiers/edge-1", None)?;
        process::until(SOON, || Ok(service.verifier.stats().lease_left.is_zero().then_some(())))
            .context("a verifier that was removed goes on")?;
        Ok(())
    });
}
