//! Checking a token in one process: the first time, and once it was seen.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_revocation::{RevocationSet, Status};
use nt_token::check::check_signature;
use nt_token::clock::{Clock as _, Stopwatch, SystemClock};
use nt_token::{
    Claims, Expected, Jti, KeySet, Networks, OperatorId, Place, Scopes, SigningKey, Timestamp,
    VerifyingKey, WorkspaceId,
};
use ntd::authority::seen::SeenTokens;

use crate::compare::compare;
use crate::table::{Aim, Table};

/// What a verifier has, and a token for it.
struct Fixture {
    keys: KeySet,
    expected: Expected,
    set: RevocationSet,
    token: String,
    public: ParsedPublicKey,
}

fn fixture() -> Result<Fixture> {
    let (key, _) = SigningKey::generate()?;
    let jwk = key.jwk();
    let x = URL_SAFE_NO_PAD.decode(jwk.x.as_deref().context("a public key")?)?;
    let issuer = "http://127.0.0.1:8480".to_owned();
    let now = SystemClock.now();
    let claims = Claims {
        iss: issuer.clone(),
        aud: issuer.clone(),
        sub: WorkspaceId::mint([1; 16]),
        jti: Jti::mint(SystemClock.wall_ms(), [2; 10]),
        iat: now,
        exp: now.plus_seconds(31_536_000),
        scope: Scopes::default(),
        source_networks: Networks::default(),
        client_id: OperatorId::mint(SystemClock.wall_ms(), [3; 10]),
        rv: 0,
        place: Place { list: 0, idx: 4_711 },
    };
    Ok(Fixture {
        keys: KeySet::new([VerifyingKey::from_jwk(&jwk)?])?,
        expected: Expected { issuer: issuer.clone(), audience: issuer },
        set: RevocationSet::new(),
        token: nt_token::sign::sign(&claims, &key).expose().to_owned(),
        public: ParsedPublicKey::new(&ED25519, x).ok().context("a public key")?,
    })
}

impl Fixture {
    fn first_time(&self, now: Timestamp) -> bool {
        let Ok(signed) = check_signature(black_box(&self.token), &self.keys) else { return false };
        let good = matches!(self.set.status(&signed), Status::Good);
        good && signed.valid_at(&self.expected, now).is_ok()
    }

    fn seen_before(&self, cache: &SeenTokens, now: Timestamp) -> bool {
        let Ok(seen) = cache.check(black_box(&self.token), &self.keys) else { return false };
        let good = matches!(self.set.status(&seen.signed), Status::Good);
        // As the authority does it: the use is counted.
        seen.count(now, None);
        good && seen.signed.valid_at(&self.expected, now).is_ok()
    }
}

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let fixture = fixture()?;
    let cache = SeenTokens::new(64 * 1024 * 1024);
    let (message, signature) = fixture.token["wst_".len()..].rsplit_once('.').context("a JWS")?;
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    let now = || SystemClock.now();
    ensure!(fixture.first_time(now()) && fixture.seen_before(&cache, now()), "the token is good");

    let bare = || {
        let message = black_box(message.as_bytes());
        fixture.public.verify_sig(message, black_box(&signature)).is_ok()
    };
    let first = compare(|| micros(2_000, bare), || micros(2_000, || fixture.first_time(now())))?;
    let control = "the bare signature verification of the same bytes";
    table.add("check a token, first time", control, "µs", Aim::AtMost(1.10), &first);

    let hash = || {
        let digest = digest(&SHA256, black_box(fixture.token.as_bytes()));
        black_box(&digest).as_ref().len() == 32
    };
    let seen =
        compare(|| micros(50_000, hash), || micros(50_000, || fixture.seen_before(&cache, now())))?;
    table.add("check a token, seen before", "SHA-256 of the token", "µs", Aim::AtMost(3.0), &seen);
    Ok(())
}

/// How long it takes once, in microseconds; it must succeed every time.
pub(crate) fn micros(times: usize, mut act: impl FnMut() -> bool) -> Result<f64> {
    let watch = Stopwatch::start();
    let good = (0..times).filter(|_| act()).count();
    let took = watch.elapsed();
    ensure!(good == times, "something failed that must not");
    Ok(took.as_secs_f64() * 1e6 / f64::from(u32::try_from(times)?))
}
