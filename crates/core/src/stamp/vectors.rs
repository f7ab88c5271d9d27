//! Stamps that crypto-js made, read and made again; and values that must all be refused alike.

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::settings::SystemSettings;

#[derive(Deserialize)]
struct Vectors {
    rows: Vec<Row>,
    refuse: Vec<Refused>,
    same_key_to_des: Vec<[String; 2]>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    cipher: String,
    plaintext: String,
    base64: String,
    hex: String,
}

#[derive(Deserialize)]
struct Refused {
    why: String,
    key: String,
    cipher: String,
    value: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../../tests/vectors/des.json")).unwrap()
}

/// The settings that a row's cipher describes in words.
fn rules(cipher: &str, output: &str) -> StampRules {
    let document = match cipher {
        "des-ecb-pkcs7" => json!({ "cipher": "des-ecb-pkcs7", "output": output }),
        "des-cbc-pkcs7, iv = first 8 key bytes" => json!({ "cipher": "des-cbc-pkcs7", "output": output }),
        "des-cbc-pkcs7, iv = 1234567890abcdef (hex)" => {
            json!({ "cipher": "des-cbc-pkcs7", "cipherIv": "1234567890abcdef", "output": output })
        }
        other => panic!("a cipher the test does not know: {other}"),
    };
    StampRules::new(&SystemSettings::from_documents(&[&document]).unwrap())
}

fn key(secret: &str) -> StampKey {
    StampKey::new(KeyId::parse("k1").unwrap(), secret.as_bytes()).unwrap()
}

const NOTHING: SignedRequest<'static> = SignedRequest { method: "GET", path: "/", query: "", body: b"", headers: &[] };

fn verify(value: &str, secret: &str, rules: &StampRules, now: Timestamp) -> Result<Stamp, Error> {
    verify_stamp(value, &[(key(secret), None)], &[], rules, &NOTHING, now)
}

/// The value as encoders and headers may break it: in lines of 76 with one or two characters behind each, or anywhere.
pub(super) fn with_white_space(value: &str) -> [String; 4] {
    let lines = |length: usize, end: &str| {
        let characters: Vec<char> = value.chars().collect();
        let lines: Vec<String> = characters.chunks(length).map(|line| line.iter().collect()).collect();
        lines.join(end)
    };
    let last = format!("{}\n", lines(76, "\n"));
    [last, lines(76, "\r\n"), format!(" \t{}\x0c ", lines(7, " ")), lines(64, "\r")]
}

#[test]
fn every_row_is_read_and_made() {
    let rows = vectors().rows;
    assert_eq!(rows.len(), 176);
    for Row { key: secret, cipher, plaintext, base64, hex } in rows {
        let (guid, rest) = plaintext.split_once('|').unwrap_or((&plaintext, ""));
        let time = match rest.split('|').next().unwrap() {
            "" => None,
            "1700000000" => Some(Timestamp(1_700_000_000_000)),
            "1700000000123" => Some(Timestamp(1_700_000_000_123)),
            other => panic!("a time the test does not know: {other}"),
        };
        for (output, value) in [("base64", &base64), ("hex", &hex)] {
            let rules = rules(&cipher, output);
            assert_eq!(&encrypt_stamp(&plaintext, &key(&secret), &rules), value, "{plaintext}");
            let stamp = verify(value, &secret, &rules, Timestamp(1_700_000_000_000)).unwrap();
            assert_eq!(stamp.timestamp, time, "{plaintext}");
            assert_eq!(stamp.scheme.as_str(), &cipher[..13]);
            assert_eq!(stamp.digest, plaintext::Plaintext::read(guid.as_bytes()).unwrap().digest());
            for broken in with_white_space(value) {
                let read = verify(&broken, &secret, &rules, Timestamp(1_700_000_000_000));
                assert_eq!(read.as_ref(), Ok(&stamp), "{broken:?}");
            }
        }
        let capitals = verify(&hex.to_uppercase(), &secret, &rules(&cipher, "hex"), Timestamp(1_700_000_000_000));
        assert!(capitals.is_ok(), "hexadecimal digits of either case");
    }
}

#[test]
fn every_refused_value_is_refused_alike() {
    let refused = vectors().refuse;
    assert_eq!(refused.len(), 9);
    for Refused { why, key: secret, cipher, value } in refused {
        let value = if why == "1 MiB" { "A".repeat(1 << 20) } else { value };
        for output in ["base64", "hex"] {
            assert_eq!(verify(&value, &secret, &rules(&cipher, output), Timestamp(0)), Err(Error::StampInvalid), "{why}");
        }
    }
}

#[test]
fn parity_bits_make_no_difference() {
    let plaintext = "ddb052a6-4c5d-8379-64d9-5b9693198747";
    for [one, other] in vectors().same_key_to_des {
        for cipher in ["des-ecb-pkcs7", "des-cbc-pkcs7, iv = 1234567890abcdef (hex)"] {
            let rules = rules(cipher, "base64");
            let value = encrypt_stamp(plaintext, &key(&one), &rules);
            assert_eq!(value, encrypt_stamp(plaintext, &key(&other), &rules));
            assert!(verify(&value, &other, &rules, Timestamp(0)).is_ok());
        }
    }
}

#[test]
fn the_example_in_the_guide_is_a_row() {
    let row = &vectors().rows[0];
    let guide = include_str!("../../../../docs/xverifyapi.md");
    for text in [&row.key, &row.plaintext, &row.base64, &row.hex] {
        assert!(guide.contains(text.as_str()), "{text}");
    }
}
