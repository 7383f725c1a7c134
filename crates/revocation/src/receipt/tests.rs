//! Tests of the receipt: what is signed reads back, and nothing else does.

use nt_token::check::{self, Refusal};
use nt_token::sign::TOKEN_TYPE;
use nt_token::{SigningKey, VerifyingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn key() -> (SigningKey, KeySet) {
    let (key, _) = SigningKey::generate().expect("entropy");
    let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
    (key, KeySet::new([public]).expect("one key"))
}

fn example() -> Receipt {
    Receipt {
        iss: "https://auth.example.com".to_owned(),
        iat: Timestamp::from_unix(1_723_033_800),
        jti: "jti_abc123def456".parse().expect("a JTI"),
        workspace_id: WorkspaceId::mint([7; 16]),
        position: Position { epoch: 1, seq: 42, entry: EntryId([0x0f; 16]) },
        committed_at_ms: 1_723_033_800_100,
        in_force_at_ms: 1_723_033_800_138,
        waited_ms: Some(38),
        proven: Proven::Acked,
        nodes: 1,
        verifiers: Some(Verifiers {
            acknowledged: 6,
            cut_off: vec![CutOff { name: "edge-7".to_owned(), silent_for_ms: Some(2_100) }],
        }),
    }
}

#[test]
fn a_receipt_reads_back_as_it_was_signed() {
    let (key, keys) = key();
    let proven = Proven::Expired;
    let signed_later = Receipt { waited_ms: None, verifiers: None, proven, ..example() };
    for receipt in [example(), signed_later] {
        let text = sign(&receipt, &key);
        assert_eq!(verify(&text, &keys), Ok(receipt.clone()));
        assert_eq!(read_unverified(&text), Ok(receipt));
    }
}

#[test]
fn its_names_on_the_wire_are_these() {
    let value = serde_json::to_value(example()).expect("serialises");
    assert_eq!(
        value,
        json!({
            "iss": "https://auth.example.com",
            "iat": 1_723_033_800,
            "jti": "jti_abc123def456",
            "workspace_id": WorkspaceId::mint([7; 16]).to_string(),
            "position": {"epoch": 1, "seq": 42, "entry_id": "0f".repeat(16)},
            "committed_at_ms": 1_723_033_800_100_u64,
            "in_force_at_ms": 1_723_033_800_138_u64,
            "waited_ms": 38,
            "proven": "acked",
            "nodes": 1,
            "verifiers": {
                "acknowledged": 6,
                "cut_off": [{"name": "edge-7", "silent_for_ms": 2_100}],
            },
        })
    );
}

#[test]
fn a_token_is_no_receipt_and_a_receipt_is_no_token() {
    let (key, keys) = key();
    let receipt = sign(&example(), &key);
    assert_eq!(check::check_signature(&receipt, &keys).err(), Some(Refusal::Type));
    let prefixed = format!("wst_{receipt}");
    assert_eq!(check::check_signature(&prefixed, &keys).err(), Some(Refusal::Type));
    // Even with a receipt's content.
    let token = sign_jws(TOKEN_TYPE, &example(), &key);
    assert_eq!(verify(&token, &keys), Err(NotAReceipt::Type));
    assert_eq!(read_unverified(&token), Err(NotAReceipt::Type));
    for typ in ["JWT", "Revocation-Receipt+JWT", "revocation-receipt"] {
        assert_eq!(
            verify(&sign_jws(typ, &example(), &key), &keys),
            Err(NotAReceipt::Type),
            "{typ}"
        );
    }
}

#[test]
fn a_receipt_of_another_authority_is_refused() {
    let ((key, _), (_, others)) = (key(), key());
    let refused = verify(&sign(&example(), &key), &others);
    assert_eq!(refused, Err(NotAReceipt::NotOpened(NotOpened::UnknownKey)));
}

#[test]
fn a_text_that_is_too_long_is_not_looked_at() {
    let (key, keys) = key();
    let iss = "a".repeat(LONGEST);
    let refused = verify(&sign(&Receipt { iss, ..example() }, &key), &keys);
    assert_eq!(refused, Err(NotAReceipt::Malformed(Malformed::TooLong)));
}

#[test]
fn content_that_differs_in_any_type_or_name_is_refused() {
    let (key, keys) = key();
    let good = serde_json::to_value(example()).expect("serialises");
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).expect("is there") = value;
        changed
    };
    let mut added = good.clone();
    added["extra"] = json!(1);
    let mut removed = good.clone();
    removed.as_object_mut().expect("an object").remove("nodes");
    for content in [
        added,
        removed,
        with("/jti", json!("../../x")),
        with("/workspace_id", json!("x")),
        with("/committed_at_ms", json!(-1)),
        with("/in_force_at_ms", json!(1.5)),
        with("/proven", json!("hoped")),
        with("/position/entry_id", json!("0F".repeat(16))),
        with("/position/entry_id", json!("+f".repeat(16))),
        with("/position/entry_id", json!("0f")),
        with("/verifiers/cut_off/0", json!("edge-7")),
        json!([]),
    ] {
        let text = sign_jws(RECEIPT_TYPE, &content, &key);
        assert_eq!(verify(&text, &keys), Err(NotAReceipt::Content), "{content}");
    }
}

proptest! {
    #[test]
    fn a_receipt_with_one_character_changed_is_refused(at in 0_usize..2_000, to in "[A-Za-z0-9_.-]") {
        let (key, keys) = key();
        let mut text = sign(&example(), &key);
        let at = at % text.len();
        prop_assume!(text.as_bytes()[at] != to.as_bytes()[0]);
        text.replace_range(at..=at, &to);
        prop_assert!(verify(&text, &keys).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[A-Za-z0-9._-]{0,200}|.{0,200}") {
        prop_assert!(read_unverified(&text).is_err());
    }
}
