//! What a service embeds: its checks, alone and while revocations pour in, the memory of its set, and
//! how soon after a snapshot it says anything.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_revocation::{Entry, Fact, Position, RevocationSet};
use nt_token::clock::{Clock as _, Stopwatch, SystemClock};
use nt_token::{
    Claims, EntryId, Expected, Jti, KeySet, Networks, OperatorId, Place, Scopes, SigningKey,
    VerifyingKey, WorkspaceId,
};
use nt_verifier::{Options, State, Verifier};

use crate::compare::{ROUNDS, compare, percentile};
use crate::table::{Aim, Table};
use crate::verify::micros;

const FIRST: usize = 2_000;
const SAMPLES: usize = 300_000;
const A_MILLISECOND: u32 = 10;
const HOUR: Duration = Duration::from_hours(1);

/// An authority's key and a verifier that may say "good" for an hour.
pub(crate) struct Service {
    key: SigningKey,
    public: ParsedPublicKey,
    pub(crate) verifier: Verifier,
    pub(crate) state: State,
}

const ISSUER: &str = "http://127.0.0.1:8480";

impl Service {
    pub(crate) fn new() -> Result<Self> {
        let (key, _) = SigningKey::generate()?;
        let jwk = key.jwk();
        let x = URL_SAFE_NO_PAD.decode(jwk.x.as_deref().context("a public key")?)?;
        let expected = Expected { issuer: ISSUER.to_owned(), audience: ISSUER.to_owned() };
        let (verifier, state) = Verifier::new(Options::new(expected));
        state.set_keys(KeySet::new([VerifyingKey::from_jwk(&jwk)?])?);
        state.extend_lease(state.clock().boot().after(HOUR));
        let public = ParsedPublicKey::new(&ED25519, x).ok().context("a public key")?;
        Ok(Self { key, public, verifier, state })
    }

    /// A token in a list where nothing is revoked.
    pub(crate) fn token(&self, idx: u32) -> String {
        let now = SystemClock.now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: WorkspaceId::mint([1; 16]),
            jti: Jti::mint(SystemClock.wall_ms(), [2; 10]),
            iat: now,
            exp: now.plus_seconds(31_536_000),
            scope: Scopes::default(),
            source_networks: Networks::default(),
            client_id: OperatorId::mint(SystemClock.wall_ms(), [3; 10]),
            rv: 0,
            place: Place { list: 1_000, idx },
        };
        nt_token::sign::sign(&claims, &self.key).expose().to_owned()
    }
}

pub(crate) fn first_time(table: &mut Table) -> Result<()> {
    let service = Service::new()?;
    let batch = |round: usize| -> Result<Vec<String>> {
        (0..FIRST).map(|n| Ok(service.token(u32::try_from(round * FIRST + n)?))).collect()
    };
    let batches = (0..=ROUNDS).map(batch).collect::<Result<Vec<_>>>()?;
    let signed = |token: &str| -> Result<(Vec<u8>, Vec<u8>)> {
        let (message, signature) = token["wst_".len()..].rsplit_once('.').context("a JWS")?;
        Ok((message.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature)?))
    };
    let bare = batches.iter().map(|batch| batch.iter().map(|token| signed(token)).collect());
    let bare = bare.collect::<Result<Vec<Vec<_>>>>()?;
    let (mut bare, mut tokens) = (bare.iter(), batches.iter());
    let found = compare(
        || {
            let mut batch = bare.next().context("a batch for each round")?.iter();
            micros(FIRST, || {
                let Some((message, signature)) = black_box(batch.next()) else { return false };
                service.public.verify_sig(message, signature).is_ok()
            })
        },
        || {
            let mut batch = tokens.next().context("a batch for each round")?.iter();
            micros(FIRST, || batch.next().is_some_and(|it| service.verifier.verify(it).is_ok()))
        },
    )?;
    let control = "the bare signature verification of the same bytes";
    table.add("nt-verifier: a token, first time", control, "µs", Aim::AtMost(1.10), &found);
    Ok(())
}

pub(crate) fn seen_before(table: &mut Table) -> Result<()> {
    let service = Service::new()?;
    let token = service.token(1);
    ensure!(service.verifier.verify(&token).is_ok(), "the token is good");
    let found = compare(
        || {
            micros(50_000, || {
                let digest = digest(&SHA256, black_box(token.as_bytes()));
                black_box(&digest).as_ref().len() == 32
            })
        },
        || micros(50_000, || service.verifier.verify(black_box(&token)).is_ok()),
    )?;
    let what = "nt-verifier: a token, seen before";
    table.add(what, "SHA-256 of the token", "µs", Aim::AtMost(3.0), &found);
    Ok(())
}

/// The 99th percentile of single checks, clock readings included, with and without a thread that
/// applies revocations.
pub(crate) fn under_revokes(table: &mut Table) -> Result<()> {
    let service = Service::new()?;
    let token = service.token(1);
    ensure!(service.verifier.verify(&token).is_ok(), "the token is good");
    let mut applied = 0;
    let mut rates = Vec::new();
    let found = compare(
        || checks_p99(&service, &token),
        || {
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| pour(&service.state, &mut applied, &done));
                let p99 = checks_p99(&service, &token);
                done.store(true, Ordering::Relaxed);
                let rate = writer.join().ok().context("the writer panicked")??;
                rates.push(rate);
                p99
            })
        },
    )?;
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    ensure!(least > 9_000.0, "only {least:.0} revocations a second were applied");
    let what = "nt-verifier: p99 of a check during 10,000 revokes/s";
    table.add(what, "the same without revokes", "µs", Aim::AtMost(1.2), &found);
    Ok(())
}

fn checks_p99(service: &Service, token: &str) -> Result<f64> {
    let mut took = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let watch = Stopwatch::start();
        let good = service.verifier.verify(black_box(token)).is_ok();
        took.push(watch.elapsed().as_secs_f64() * 1e6);
        ensure!(good, "a token was refused that nobody revoked");
    }
    Ok(percentile(&took, 0.99))
}

/// Applies ten entries each millisecond until `done`; entries a second.
fn pour(state: &State, applied: &mut u64, done: &AtomicBool) -> Result<f64> {
    let (watch, before) = (Stopwatch::start(), *applied);
    let mut due = 0;
    while !done.load(Ordering::Relaxed) {
        due += A_MILLISECOND;
        while *applied - before < u64::from(due) {
            *applied += 1;
            state.apply(&revoked(*applied, place(*applied)))?;
        }
        let next = Duration::from_millis(u64::from(due / A_MILLISECOND));
        std::thread::sleep(next.saturating_sub(watch.elapsed()));
    }
    Ok(f64::from(due) / watch.elapsed().as_secs_f64())
}

fn revoked(seq: u64, place: Place) -> Entry {
    let fact = Fact::TokenRevoked { place, jti: Jti::mint(1, [0; 10]), exp: SystemClock.now() };
    Entry { seq, id: EntryId([0; 16]), fact }
}

/// A place for a number: different ones for different numbers, in no order (the multiplier is odd).
/// Half of all places are of even numbers.
#[expect(clippy::cast_possible_truncation, reason = "a list has 2^20 places")]
fn place(number: u64) -> Place {
    let list = number >> 20;
    let idx = (number as u32).wrapping_mul(0x9E37_79B1) & (Place::LIST_MAX - 1);
    Place { list: list as u32, idx }
}

/// A set with so many revoked, of ten times as many that were issued: in each list every tenth.
pub(crate) fn set_of(revoked_tokens: u64) -> Result<RevocationSet> {
    let set = RevocationSet::new();
    for n in 0..revoked_tokens {
        set.apply(&revoked(Position::START.seq + n + 1, place(n * 10)))?;
    }
    Ok(set)
}
