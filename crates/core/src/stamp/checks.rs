//! What makes a stamp acceptable or not, apart from its encryption: time, cut-off, keys, size.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::random::SystemRandom;
use crate::settings::SystemSettings;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const GUID: &str = "ddb052a6-4c5d-8379-64d9-5b9693198747";
const NOTHING: SignedRequest<'static> = SignedRequest { method: "GET", path: "/", query: "", body: b"", headers: &[] };

fn rules(document: &Value) -> StampRules {
    StampRules::new(&SystemSettings::from_documents(&[document]).unwrap())
}

fn key(id: &str, secret: &str) -> StampKey {
    StampKey::new(KeyId::parse(id).unwrap(), secret.as_bytes()).unwrap()
}

fn verify(plaintext: &str, document: &Value) -> Result<Stamp, Error> {
    let value = encrypt_stamp(plaintext, &key("k1", "demo-key"), &rules(document));
    verify_stamp(&value, &[(key("k1", "demo-key"), None)], &[], &rules(document), &NOTHING, NOW)
}

#[test]
fn the_window_has_two_sides_and_its_ends_belong_to_it() {
    let narrow = json!({ "stampWindowSeconds": 10 });
    for (time, accepted) in [
        ("1699999990000", true),
        ("1700000010000", true),
        ("1699999989999", false),
        ("1700000010001", false),
        ("1699999990", true),
        ("1699999989", false),
        ("1700000011", false),
        ("0", false),
        ("99999999999999999999999999", false),
    ] {
        let outcome = verify(&format!("{GUID}|{time}"), &narrow);
        assert_eq!(outcome.is_ok(), accepted, "{time}");
        assert!(matches!(outcome, Ok(_) | Err(Error::StampExpired)), "{time}");
    }
}

#[test]
fn a_required_time_may_not_be_missing() {
    let required = json!({ "requireTimestamp": true });
    for plaintext in [GUID.to_owned(), format!("{GUID}|"), format!("{GUID}|web|1700000000"), format!("{GUID}|-1700000000")] {
        assert_eq!(verify(&plaintext, &required), Err(Error::StampInvalid), "{plaintext}");
        assert_eq!(verify(&plaintext, &json!({})).unwrap().timestamp, None, "{plaintext}");
    }
    assert!(verify(&format!("{GUID}|1700000000|web"), &required).is_ok());
}

#[test]
fn des_is_refused_from_its_cut_off_on() {
    assert!(verify(GUID, &json!({ "desRefusedFrom": NOW.millis() + 1 })).is_ok());
    assert_eq!(verify(GUID, &json!({ "desRefusedFrom": NOW.millis() })), Err(Error::StampExpired));
    assert_eq!(verify("not a stamp", &json!({ "desRefusedFrom": NOW.millis() })), Err(Error::StampInvalid));
}

#[test]
fn two_keys_overlap_until_one_retires() {
    let rules = rules(&json!({}));
    let value = encrypt_stamp(GUID, &key("old", "old-key"), &rules);
    let at = |retires_at| {
        let keys = [(key("new", "new-key"), None), (key("old", "old-key"), Some(Timestamp(retires_at)))];
        verify_stamp(&value, &keys, &[], &rules, &NOTHING, NOW)
    };
    assert_eq!(at(NOW.millis() + 1).unwrap().key_id.as_str(), "old");
    assert_eq!(at(NOW.millis()), Err(Error::StampInvalid));
    assert_eq!(verify_stamp(&value, &[], &[], &rules, &NOTHING, NOW), Err(Error::StampInvalid));
}

#[test]
fn a_value_above_1_kib_is_not_decoded() {
    let stamp_of = |filling: usize| format!("{GUID}|1700000000|{}", "x".repeat(filling));
    assert!(verify(&stamp_of(710), &json!({})).is_ok());
    assert_eq!(verify(&stamp_of(730), &json!({})), Err(Error::StampInvalid));
}

#[test]
fn base64_is_taken_in_its_canonical_form_only() {
    let rules = rules(&json!({}));
    let good = encrypt_stamp(GUID, &key("k1", "demo-key"), &rules);
    let keys = [(key("k1", "demo-key"), None)];
    assert!(good.ends_with('='), "the example needs padding: {good}");
    // ASCII white space is skipped, and no other.
    for bad in [good.trim_end_matches('=').to_owned(), format!("\u{a0}{good}"), format!("{good}="), good.replace('=', "\u{b}=")] {
        assert_eq!(verify_stamp(&bad, &keys, &[], &rules, &NOTHING, NOW), Err(Error::StampInvalid), "{bad:?}");
    }
}

#[test]
fn white_space_makes_no_value_of_any_length() {
    let rules = rules(&json!({}));
    let keys = [(key("k1", "demo-key"), None)];
    let stamp = encrypt_stamp(GUID, &keys[0].0, &rules);
    for (spaces, accepted) in [(900, true), (2_048, false), (1 << 20, false)] {
        let value = stamp.clone() + &" ".repeat(spaces);
        assert_eq!(verify_stamp(&value, &keys, &[], &rules, &NOTHING, NOW).is_ok(), accepted, "{spaces}");
    }
}

#[test]
fn a_new_stamp_is_accepted_and_no_two_are_alike() {
    let [one, other] = [(); 2].map(|()| new_stamp_plaintext(&SystemRandom::default(), Some(NOW)));
    let required = json!({ "requireTimestamp": true, "cipher": "des-cbc-pkcs7", "output": "hex" });
    assert_eq!(one.as_bytes()[14], b'4', "{one}");
    assert_ne!(verify(&one, &required).unwrap().digest, verify(&other, &required).unwrap().digest);
    assert_eq!(new_stamp_plaintext(&SystemRandom::default(), None).len(), 36);
}

#[test]
fn keys_do_not_print_their_secrets() {
    let mac_key = StampMacKey::new(KeyId::parse("m1").unwrap(), b"a secret of its own").unwrap();
    assert_eq!(format!("{:?} {mac_key:?}", key("k1", "demo-key")), "StampKey(k1) StampMacKey(m1)");
    assert!(StampKey::new(KeyId::parse("k1").unwrap(), b"").is_err());
    assert!(StampMacKey::new(KeyId::parse("k1").unwrap(), b"fifteen bytes..").is_err());
}

proptest! {
    #[test]
    fn any_plaintext_survives_encryption(guid in "[0-9A-Za-z-]{36}", rest in "(\\|[^|]{0,40}){0,3}", cbc: bool, hex: bool) {
        let document = json!({
            "cipher": if cbc { "des-cbc-pkcs7" } else { "des-ecb-pkcs7" },
            "output": if hex { "hex" } else { "base64" },
        });
        let outcome = verify(&format!("{guid}{rest}"), &document);
        prop_assert!(matches!(outcome, Ok(_) | Err(Error::StampExpired)), "{outcome:?}");
    }

    #[test]
    fn any_other_value_is_refused_alike(value in "\\PC{0,200}|[0-9a-f]{0,200}|v2\\.[a-z0-9.]{0,200}", hex: bool) {
        let rules = rules(&json!({ "output": if hex { "hex" } else { "base64" } }));
        let mac_key = StampMacKey::new(KeyId::parse("m1").unwrap(), &[7; 32]).unwrap();
        let outcome = verify_stamp(&value, &[(key("k1", "demo-key"), None)], &[(mac_key, None)], &rules, &NOTHING, NOW);
        prop_assert_eq!(outcome, Err(Error::StampInvalid));
    }
}
