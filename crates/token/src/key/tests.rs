//! Keys of all types, the RFCs' examples, and sets that are not as they should be.

use serde_json::{Value, json};

use super::*;

/// RFC 7515, appendix A.2.
const RS256_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const RS256_JWS: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// RFC 7515, appendix A.3.
const ES256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const ES256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ES256_JWS: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const PAYLOAD: &[u8] =
    b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

fn rsa() -> Value {
    json!({"kty": "RSA", "n": RS256_N, "e": "AQAB", "kid": "rsa-1", "use": "sig", "alg": "RS256"})
}

fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": ES256_X, "y": ES256_Y, "kid": "ec-1"})
}

fn ed25519() -> Value {
    let (key, _) = SigningKey::generate().expect("entropy");
    serde_json::to_value(key.jwk()).expect("plain data")
}

fn read(jwk: &Value) -> Result<VerifyingKey, BadKey> {
    VerifyingKey::from_jwk(&serde_json::from_value(jwk.clone()).map_err(|_| BadKey::Public)?)
}

fn set(keys: &[Value]) -> Result<KeySet, BadKey> {
    KeySet::from_provider_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

/// The key with a member put in another's place; `null` takes it away.
fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    let members = jwk.as_object_mut().expect("an object");
    members.remove(name);
    if !value.is_null() {
        members.insert(name.to_owned(), value);
    }
    jwk
}

const KINDS: [KeyKind; 4] = [KeyKind::Ed25519, KeyKind::P256, KeyKind::Rsa2048, KeyKind::Rsa3072];

#[test]
fn a_kept_key_reads_back_as_the_same_key_and_as_no_other_algorithms() {
    for kind in KINDS {
        let (key, pkcs8) = SigningKey::generate_kind(kind).expect("entropy");
        for algorithm in Algorithm::ALL {
            let again = SigningKey::from_pkcs8(algorithm, &pkcs8);
            if algorithm != key.algorithm() {
                assert_eq!(again.err(), Some(BadKey::Private), "{kind:?} as {algorithm:?}");
                continue;
            }
            let again = again.expect("just written");
            assert_eq!((key.kid(), key.jwk()), (again.kid(), again.jwk()));
        }
        assert!(SigningKey::from_pkcs8(key.algorithm(), &pkcs8[..pkcs8.len() - 1]).is_err());
    }
}

#[test]
fn what_a_key_signs_its_published_half_checks_under_its_thumbprint() {
    for kind in KINDS {
        let (key, _) = SigningKey::generate_kind(kind).expect("entropy");
        assert_eq!(key.jwk().thumbprint().as_ref(), Some(key.kid()));
        let jwks = Jwks { keys: vec![key.jwk()] };
        let keys = KeySet::from_jwks(&jwks).expect("one key");
        let public = keys.key(key.kid().as_str()).expect("named so");
        assert_eq!((public.kid(), public.algorithm()), (key.kid(), key.algorithm()));
        let signature = key.sign(b"message");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"Message", &signature));
        let is_same = key.sign(b"message") == signature;
        assert_eq!(is_same, kind != KeyKind::P256, "{kind:?}");
        let length = match kind {
            KeyKind::Ed25519 | KeyKind::P256 => 64,
            KeyKind::Rsa2048 => 256,
            KeyKind::Rsa3072 => 384,
        };
        assert_eq!(signature.len(), length);
    }
}

#[test]
fn a_token_of_each_algorithm_is_bound_to_its_key_and_to_its_name() {
    use crate::check::check_signature;
    use crate::claims::tests::example;
    use crate::sign::sign;

    let keys: Vec<SigningKey> =
        KINDS.iter().map(|kind| SigningKey::generate_kind(*kind).expect("entropy").0).collect();
    let jwks = Jwks { keys: keys.iter().map(SigningKey::jwk).collect() };
    let set = KeySet::from_jwks(&jwks).expect("four keys");
    for key in &keys {
        let token = sign(&example(), key);
        assert!(token.expose().len() <= crate::check::LONGEST);
        assert_eq!(crate::sign::length(&example(), key), token.expose().len());
        let signed = check_signature(token.expose(), &set).expect("ours");
        assert_eq!((signed.kid(), signed.claims()), (key.kid(), &example()));
        // The same claims under another key's name, or under another algorithm's.
        for other in &keys {
            let header = json!({
                "alg": other.algorithm().name(), "typ": "at+jwt", "kid": key.kid().as_str(),
            });
            let header = header.to_string();
            let input = format!("{}.{}", base64url(header.as_bytes()), {
                let claims = serde_json::to_vec(&example()).expect("serialises");
                base64url(&claims)
            });
            let forged = format!("{input}.{}", base64url(&other.sign(input.as_bytes())));
            let is_own = other.kid() == key.kid();
            assert_eq!(check_signature(&forged, &set).is_ok(), is_own);
        }
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_key_of_an_unusual_size_signs_nothing() {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let large = KeyPair::generate(KeySize::Rsa4096).expect("entropy");
    let pkcs8: Pkcs8V1Der<'static> = large.as_der().expect("writes");
    let read = SigningKey::from_pkcs8(Algorithm::Rs256, pkcs8.as_ref());
    assert_eq!(read.err(), Some(BadKey::Private));
}

#[test]
fn two_keys_of_one_name_are_refused() {
    let (key, _) = SigningKey::generate().expect("entropy");
    let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
    assert_eq!(KeySet::new([public.clone(), public]).err(), Some(BadKey::DuplicateKid));
}

#[test]
fn keys_for_other_uses_are_not_ours() {
    let (key, _) = SigningKey::generate().expect("entropy");
    for change in [
        |jwk: &mut Jwk| jwk.usage = Some("enc".to_owned()),
        |jwk: &mut Jwk| jwk.alg = Some("ES256".to_owned()),
        |jwk: &mut Jwk| jwk.kty = "oct".to_owned(),
        |jwk: &mut Jwk| jwk.x = Some("AAAA".to_owned()),
    ] {
        let mut jwk = key.jwk();
        change(&mut jwk);
        assert_eq!(VerifyingKey::from_jwk(&jwk).err(), Some(BadKey::Public));
    }
}

#[test]
fn the_rfcs_signatures_open_with_their_keys_and_with_no_other() {
    let (rsa, p256) = (read(&rsa()).expect("a key"), read(&p256()).expect("a key"));
    assert_eq!((rsa.algorithm(), p256.algorithm()), (Algorithm::Rs256, Algorithm::Es256));
    for (key, own, other) in [(rsa, RS256_JWS, ES256_JWS), (p256, ES256_JWS, RS256_JWS)] {
        let keys = KeySet::sole(key);
        let open = |text: &str| {
            let jws = Compact::parse(text, 4_096).expect("the RFC's own text");
            keys.open(&jws).map(|(_, payload)| payload)
        };
        assert_eq!(open(own).as_deref(), Ok(PAYLOAD));
        assert_eq!(open(other), Err(NotOpened::Algorithm));
        let (input, signature) = own.rsplit_once('.').expect("three parts");
        let (_, swapped) = other.rsplit_once('.').expect("three parts");
        for changed in ["", swapped, &format!("A{}", &signature[1..]), &signature[..40]] {
            assert_eq!(open(&format!("{input}.{changed}")), Err(NotOpened::Signature));
        }
        let payload = input.replace("eyJpc3Mi", "eyJpc3Nj");
        assert_eq!(open(&format!("{payload}.{signature}")), Err(NotOpened::Signature));
    }
}

#[test]
fn an_ecdsa_signature_in_der_is_not_one() {
    let key = read(&p256()).expect("a key");
    let (input, signature) = ES256_JWS.rsplit_once('.').expect("three parts");
    let fixed = jws::decode(signature).expect("base64url");
    assert!(key.verifies(input.as_bytes(), &fixed));
    let integer = |half: &[u8]| [&[2, 33, 0][..], half].concat();
    let body = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).expect("short")][..], &body].concat();
    assert!(!key.verifies(input.as_bytes(), &der));
}

#[test]
fn one_key_has_one_algorithm() {
    for (jwk, algorithms) in [
        (rsa(), &["PS256", "RS384", "RS512", "ES256", "HS256", "EdDSA", "none", "rs256", ""][..]),
        (p256(), &["ES384", "RS256", "EdDSA", "HS256", "none", "es256"]),
        (ed25519(), &["ES256", "RS256", "Ed448", "eddsa"]),
    ] {
        assert!(read(&with(jwk.clone(), "alg", Value::Null)).is_ok(), "{jwk}");
        for alg in algorithms {
            let named = with(jwk.clone(), "alg", json!(alg));
            assert_eq!(read(&named).err(), Some(BadKey::Public), "{named}");
        }
    }
}

#[test]
fn keys_that_are_not_well_formed_are_refused() {
    let zeros = "A".repeat(43);
    let with_zero = format!("AA{}", &RS256_N[..RS256_N.len() - 1]);
    for (jwk, name, value) in [
        (p256(), "x", json!(ES256_Y)),
        (p256(), "y", json!(ES256_X)),
        (p256(), "y", json!(zeros)),
        (p256(), "y", Value::Null),
        (p256(), "x", json!(&ES256_X[..42])),
        (p256(), "x", json!(format!("{ES256_X}="))),
        (p256(), "x", json!(format!("AA{ES256_X}"))),
        (p256(), "x", json!(ES256_X.replace('U', "+"))),
        (p256(), "crv", json!("P-384")),
        (p256(), "crv", json!("secp256k1")),
        (p256(), "crv", Value::Null),
        (p256(), "kid", json!("")),
        (p256(), "kid", json!("a b")),
        (p256(), "kid", json!("x".repeat(257))),
        (rsa(), "n", json!(with_zero)),
        (rsa(), "n", json!(&RS256_N[..170])),
        (rsa(), "n", json!("gQ".to_owned() + &"A".repeat(1_400))),
        (rsa(), "n", json!("")),
        (rsa(), "n", Value::Null),
        (rsa(), "e", Value::Null),
        (rsa(), "e", json!("")),
        (rsa(), "e", json!("AQ")),
        (rsa(), "e", json!("AAEAAQ")),
        (rsa(), "e", json!("AQAA")),
        (rsa(), "e", json!("AQAAAAAAAAE")),
        (rsa(), "use", json!("enc")),
    ] {
        let changed = with(jwk, name, value);
        assert_eq!(read(&changed).err(), Some(BadKey::Public), "{changed}");
    }
}

#[test]
fn a_key_is_found_by_what_its_owner_calls_it_or_by_its_thumbprint() {
    let odd = "c9+Kd/x=";
    let keys = set(&[with(rsa(), "kid", json!(odd)), with(p256(), "kid", Value::Null)]);
    let keys = keys.expect("two keys");
    let rsa = keys.key(odd).expect("named so");
    let jwk: Jwk = serde_json::from_value(p256()).expect("a key");
    let thumbprint = jwk.thumbprint().expect("well-formed");
    assert_eq!(keys.key(thumbprint.as_str()).expect("there").kid(), &thumbprint);
    assert_ne!(rsa.kid().as_str(), odd);
    assert!(keys.key(rsa.kid().as_str()).is_none());
}

#[test]
fn keys_that_share_a_kid_are_all_left_out_and_the_others_count() {
    let same = |jwk| with(jwk, "kid", json!("same"));
    let other = ed25519();
    let keys = set(&[same(rsa()), other.clone(), same(p256()), same(ed25519())]).expect("one key");
    assert!(keys.key("same").is_none());
    assert!(keys.key(other["kid"].as_str().expect("named")).is_some());
    assert_eq!(set(&[same(rsa()), same(p256())]).err(), Some(BadKey::NoneUsable));
}

#[test]
fn keys_of_a_set_that_cannot_be_read_are_passed_over() {
    let keys = set(&[
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"}),
        json!({"kty": "EC", "crv": 7}),
        json!("text"),
        with(rsa(), "use", json!("enc")),
        rsa(),
    ])
    .expect("one key");
    assert_eq!(keys.key("rsa-1").expect("there").algorithm(), Algorithm::Rs256);
    assert!(keys.key("hmac").is_none());
    assert_eq!(set(&[]).err(), Some(BadKey::NoneUsable));
    assert_eq!(set(&vec![json!({}); MOST_PUBLISHED + 1]).err(), Some(BadKey::TooMany));
    for text in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
        assert_eq!(KeySet::from_provider_jwks(text.as_bytes()).err(), Some(BadKey::Public));
    }
}

#[test]
fn an_authoritys_set_has_its_keys_of_each_algorithm_and_passes_over_what_cannot_be_used() {
    let own = ed25519();
    let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "hmac"});
    let encrypting = with(with(rsa(), "use", json!("enc")), "kid", json!("enc"));
    let jwks = json!({"keys": [rsa(), own, p256(), symmetric, encrypting]});
    let keys = KeySet::from_jwks(&serde_json::from_value(jwks).expect("a set")).expect("keys");
    let algorithm = |kid: &str| keys.key(kid).map(VerifyingKey::algorithm);
    assert_eq!(algorithm("rsa-1"), Some(Algorithm::Rs256));
    assert_eq!(algorithm("ec-1"), Some(Algorithm::Es256));
    assert_eq!(algorithm(own["kid"].as_str().expect("named")), Some(Algorithm::EdDsa));
    assert_eq!((algorithm("hmac"), algorithm("enc")), (None, None));
}

/// The key of RFC 7515, appendix A.2 in `SubjectPublicKeyInfo`.
fn pem() -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let head = "30820122300d06092a864886f70d01010105000382010f003082010a0282010100";
    let byte = |at| u8::from_str_radix(&head[at..at + 2], 16).expect("hexadecimal");
    let mut der: Vec<u8> = (0..head.len()).step_by(2).map(byte).collect();
    der.extend(jws::decode(RS256_N).expect("the RFC's own text"));
    der.extend([2, 3, 1, 0, 1]);
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

#[test]
fn a_pem_key_is_the_key_and_checks_whatever_the_kid_says() {
    let key = VerifyingKey::from_spki_pem(&pem(), None).expect("a key");
    let jwk: Jwk = serde_json::from_value(rsa()).expect("a key");
    assert_eq!(Some(key.kid()), jwk.thumbprint().as_ref());
    let one_line = pem().replace('\n', "");
    assert!(VerifyingKey::from_spki_pem(&one_line, None).is_ok());
    let named: KeyId = "ins_1".parse().expect("well-formed");
    let again = VerifyingKey::from_spki_pem(&pem(), Some(named.clone())).expect("a key");
    assert_eq!(again.kid(), &named);

    let keys = KeySet::sole(key);
    for header in [r#"{"alg":"RS256"}"#, r#"{"alg":"RS256","kid":"../x"}"#] {
        use base64::Engine as _;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        let rest = RS256_JWS.split_once('.').expect("three parts").1;
        let text = format!("{header}.{rest}");
        let opened = keys.open(&Compact::parse(&text, 4_096).expect("well-formed")).err();
        let signed = text == RS256_JWS;
        assert_eq!(opened, (!signed).then_some(NotOpened::Signature), "{text}");
    }
}

#[test]
fn what_is_not_an_rsa_key_in_pem_is_refused() {
    let pem = pem();
    for text in [
        String::new(),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".to_owned(),
        pem.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        pem.replace("PUBLIC KEY", "CERTIFICATE"),
        pem.replace("MIIB", "MIIC"),
        pem.replace("IDAQAB", "IDAQAA"),
        pem.repeat(2),
        format!("{pem}{}", " x".repeat(LONGEST_PEM_IN_TESTS)),
        // Ed25519 and P-256 (RFC 8410, section 10.1; RFC 7515, appendix A.3).
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----".to_owned(),
    ] {
        assert_eq!(VerifyingKey::from_spki_pem(&text, None).err(), Some(BadKey::Public), "{text}");
    }
}

const LONGEST_PEM_IN_TESTS: usize = 3_000;
