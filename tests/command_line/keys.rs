//! `bo-auth key`.

use serde_json::{Value, json};

use crate::process::{Frontend, Pair, Place, finish};

fn of_purpose<'a>(listed: &'a Value, purpose: &str) -> Vec<&'a Value> {
    listed["keys"].as_array().unwrap().iter().filter(|key| key["purpose"] == purpose).collect()
}

#[tokio::test]
async fn keys_are_listed_with_their_use() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "OK");
    server.stop().await;

    let listed = place.json(&["key", "list", "--owner", "acme"]).await;
    for (purpose, algorithm, uses) in
        [("stamp", "DES", 2), ("stamp-mac", "HMAC-SHA256", 0), ("access", "HS256", 0), ("refresh", "HMAC-SHA256", 0)]
    {
        let [key] = of_purpose(&listed, purpose)[..] else { panic!("{listed}") };
        assert_eq!((&key["algorithm"], &key["uses"], &key["retiresAt"]), (&json!(algorithm), &json!(uses), &json!(null)), "{purpose}");
        assert_eq!((&key["state"], &key["signsFrom"]), (&json!("signing"), &key["createdAt"]), "{purpose}");
    }
    let table = place.run(&["key", "list", "--owner", "acme"]).await;
    assert_eq!(table.text().lines().next(), Some("KEY         PURPOSE    ALGORITHM    MADE                      STATE    USES  LAST USED"));
    assert_eq!(table.text().lines().count(), 5);
    assert!(!table.text().contains("k3y-of-a") && !listed.to_string().contains("k3y-of-a"), "a listed key is not shown");
    assert!(place.run(&["key", "list", "--owner", "nobody"]).await.failure().contains("there is no tenant `nobody`"));
}

#[tokio::test]
async fn a_stamp_key_is_rotated_with_an_overlap_and_without() {
    let place = Place::embedded();
    let old = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&old).await;
    let rotated = place.run(&["key", "rotate", "stamp", "--owner", "acme", "--des-key", "n3w-key!"]).await;
    let (text, secret) = rotated.text().trim_end().split_once("\nkey (shown once): ").unwrap();
    assert!(text.starts_with("stamp key ") && text.contains(" (DES) is current; the one before it is accepted until "), "{text}");
    assert_eq!((secret, rotated.stderr.as_str()), ("n3w-key!", ""));
    let new = Frontend::new("acme", "n3w-key!");
    for frontend in [&old, &new] {
        assert_eq!(server.code(&frontend.current(&pair)).await, "OK", "both keys are accepted");
        assert_eq!(server.code(&frontend.login()).await, "OK", "a password may come under either");
    }

    let mut command = place.command(&["key", "rotate", "stamp", "--owner", "acme", "--overlap", "0", "--json"]);
    command.env("BO_AUTH_DES_KEY", "th1rd-ke");
    let rotated = finish(command).await.json();
    assert_eq!((&rotated["purpose"], &rotated["algorithm"], &rotated["secret"]), (&json!("stamp"), &json!("DES"), &json!("th1rd-ke")));
    for frontend in [&old, &new] {
        assert_eq!(server.code(&frontend.current(&pair)).await, "VERIFY_API_INVALID");
    }
    assert_eq!(server.code(&Frontend::new("acme", "th1rd-ke").current(&pair)).await, "OK");

    let rotated = place.json(&["key", "rotate", "stamp", "--owner", "acme"]).await;
    let made = Frontend::new("acme", rotated["secret"].as_str().unwrap());
    assert_eq!(server.code(&made.current(&pair)).await, "OK", "a key that was made works as it was printed");
    server.stop().await;
}

#[tokio::test]
async fn a_signing_key_is_rotated_with_an_overlap_and_without() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let old = server.sign_in(&frontend).await;
    let emergency = ["key", "rotate", "access", "--owner", "acme", "--algorithm", "ES256", "--now"];
    let rotated = place.json(&emergency).await;
    assert_eq!((&rotated["algorithm"], &rotated["secret"]), (&json!("ES256"), &json!(null)));
    assert_eq!((&rotated["signsFrom"], &rotated["unknownToVerifiers"]), (&json!(null), &json!(true)));
    let new = server.sign_in(&frontend).await;
    let signature_characters = |pair: &Pair| pair.access.rsplit('.').next().unwrap().len();
    assert_eq!((signature_characters(&old), signature_characters(&new)), (43, 86), "32 bytes of HS256, 64 of ES256");
    for pair in [&old, &new] {
        assert_eq!(server.code(&frontend.current(pair)).await, "OK");
    }

    let rotated = place.json(&["key", "rotate", "access", "--owner", "acme", "--overlap", "0"]).await;
    assert_eq!(rotated["algorithm"], "ES256", "as the one before it");
    for pair in [&old, &new] {
        assert_eq!(server.code(&frontend.current(pair)).await, "TOKEN_INVALID", "withdrawn at once");
    }
    let renewed = Pair::of(&server.call(&frontend.refresh(&old)).await);
    assert_eq!(server.code(&frontend.current(&renewed)).await, "OK", "the session goes on under the next key");
    let accepted: Vec<_> =
        of_purpose(&place.json(&["key", "list", "--owner", "acme"]).await, "access").iter().map(|key| key["retiresAt"].is_null()).collect();
    assert_eq!(accepted, [true, false, false]);
    server.stop().await;
}

#[tokio::test]
async fn a_public_key_is_announced_and_the_oldest_key_retires() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let rotate = async |more: &[&str]| place.json(&[&["key", "rotate", "access", "--owner", "acme"], more].concat()).await;
    let first = rotate(&["--algorithm", "EdDSA", "--now"]).await;
    let next = rotate(&[]).await;
    assert_eq!((&next["algorithm"], next["signsFrom"].is_string()), (&json!("EdDSA"), true));
    let signature = |pair: &Pair| pair.access.split('.').next().unwrap().to_owned();
    let header = String::from_utf8(crate::support::base64_url(&signature(&server.sign_in(&frontend).await))).unwrap();
    assert!(header.contains(first["keyId"].as_str().unwrap()), "{header}: the announced one does not sign yet");
    let states = async || {
        let listed = place.json(&["key", "list", "--owner", "acme"]).await;
        of_purpose(&listed, "access").iter().map(|key| key["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["announced", "signing", "accepted"]);
    let table = place.run(&["key", "list", "--owner", "acme"]).await;
    assert!(table.text().contains("announced, signs from ") && table.text().contains("signing until "), "{}", table.text());
    let told = place.run(&["key", "rotate", "access", "--owner", "acme"]).await;
    let gone = next["keyId"].as_str().unwrap();
    assert!(told.text().contains(" is announced and signs from "), "{}", told.text());
    assert!(told.text().contains(&format!("key {gone} retires early, at ")), "{}", told.text());

    let current = first["keyId"].as_str().unwrap();
    let withdrawn = place.run(&["key", "withdraw", "--owner", "acme", current]).await;
    assert!(withdrawn.text().contains(", which was announced, signs from now on"), "{}", withdrawn.text());
    assert_eq!(states().await[..2], ["signing", "retired"]);
    let third = place.run(&["key", "rotate", "access", "--owner", "acme", "--now"]).await;
    assert!(third.stderr.contains("refuse new tokens until they read it again"), "{}", third.stderr);
    let fourth = rotate(&["--now"]).await;
    assert_eq!(fourth["retired"].as_array().unwrap().len(), 1, "{fourth}");
    assert_eq!(states().await[..3], ["signing", "accepted", "retired"]);
    server.stop().await;
}

#[tokio::test]
async fn keys_of_refresh_tokens_and_signed_stamps_are_rotated() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let (one, two) = (server.sign_in(&frontend).await, server.sign_in(&frontend).await);
    place.json(&["key", "rotate", "refresh", "--owner", "acme"]).await;
    let renewed = Pair::of(&server.call(&frontend.refresh(&one)).await);
    place.json(&["key", "rotate", "refresh", "--owner", "acme", "--overlap", "0"]).await;
    for pair in [&two, &renewed] {
        assert_eq!(server.code(&frontend.refresh(pair)).await, "REFRESH_TOKEN_INVALID");
        assert_eq!(server.code(&frontend.current(pair)).await, "SESSION_KICKED", "nothing could prove it any more");
    }
    let two = server.sign_in(&frontend).await;

    let signed = async || {
        let printed = place.run(&["stamp", "--owner", "acme", "--sign", "GET", "--path", "/bo/api/v3/auth/user/current"]).await;
        printed.text().trim_end().to_owned()
    };
    let mut request = frontend.current(&two);
    for (overlap, earlier, later) in [("60", "OK", "OK"), ("0", "VERIFY_API_INVALID", "OK")] {
        let before = signed().await;
        let rotated = place.json(&["key", "rotate", "stamp-mac", "--owner", "acme", "--overlap", overlap]).await;
        assert_eq!(rotated["secret"].as_str().unwrap().len(), 43);
        for (stamp, code) in [(before, earlier), (signed().await, later)] {
            request.replace_header("XverifyApi", stamp);
            assert_eq!(server.code(&request).await, code, "overlap {overlap}");
        }
    }
    server.stop().await;
}
