//! `bo-auth stamp`: what it prints works with a real request.

use serde_json::json;

use crate::process::{Frontend, Pair, Place, Request};

const CURRENT: &str = "/bo/api/v3/auth/user/current";

/// A stamp as the command prints it.
async fn stamp(place: &Place, arguments: &[&str]) -> String {
    place.run(&[&["stamp", "--owner", "acme"], arguments].concat()).await.text().trim_end().to_owned()
}

fn request(stamp: String, pair: &Pair) -> Request {
    Request::new("GET", CURRENT)
        .header("XownerId", "acme")
        .header("XverifyApi", stamp)
        .header("Authorization", format!("Bearer {}", pair.access))
}

#[tokio::test]
async fn a_printed_stamp_is_accepted_once() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let printed = request(stamp(&place, &[]).await, &pair);
    assert_eq!(server.code(&printed).await, "OK");
    assert_eq!(server.code(&printed).await, "VERIFY_API_REPLAYED");
    let json = place.json(&["stamp", "--owner", "acme"]).await;
    assert_eq!(server.code(&request(json["XverifyApi"].as_str().unwrap().to_owned(), &pair)).await, "OK");

    assert_eq!(server.code(&request(stamp(&place, &["--no-time"]).await, &pair)).await, "OK");
    place.json(&["system", "set", "--owner", "acme", "--sys", "web", "--setting", "requireTimestamp=true"]).await;
    assert_eq!(server.code(&request(stamp(&place, &["--no-time"]).await, &pair)).await, "VERIFY_API_INVALID");
    assert_eq!(server.code(&request(stamp(&place, &[]).await, &pair)).await, "OK");
    server.stop().await;
}

#[tokio::test]
async fn a_printed_password_signs_in_under_the_systems_cipher() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let cipher = ["--setting", "cipher=des-cbc-pkcs7", "--setting", "output=hex"];
    place.json(&[&["system", "add", "--owner", "acme", "--sys", "app"], &cipher[..]].concat()).await;
    let server = place.serve(&[]).await;
    let file = place.file("typed", format!("{}\n", Frontend::PASSWORD));
    for sys in ["web", "app"] {
        let from_file = stamp(&place, &["--sys", sys, "--password-file", &file]).await;
        assert_eq!(sys == "app", from_file.bytes().all(|byte| byte.is_ascii_hexdigit()), "{from_file}");
        let piped = place.run_with_input(&["stamp", "--owner", "acme", "--sys", sys, "--password-file", "-"], Frontend::PASSWORD).await;
        assert_eq!(piped.text().trim_end(), from_file);
        let login = Request::new("POST", "/bo/api/v3/auth/login")
            .header("XownerId", "acme")
            .header("XsysId", sys)
            .header("XverifyApi", stamp(&place, &["--sys", sys]).await)
            .json(&json!({"userName": "lin", "password": from_file}));
        assert_eq!(server.code(&login).await, "OK", "{sys}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_signed_stamp_covers_the_request() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let path = format!("/bo/api/v3/auth/token/refresh?_nodejs=common-data&refreshToken={}", pair.refresh);
    let signed = stamp(&place, &["--sys", "web", "--sign", "GET", "--path", &path]).await;
    assert!(signed.starts_with("v2."), "{signed}");
    let with =
        |target: &str| Request::new("GET", target).header("XownerId", "acme").header("XsysId", "web").header("XverifyApi", signed.as_str());
    assert_eq!(server.code(&with(&format!("{path}&more=1"))).await, "VERIFY_API_INVALID", "another query");
    assert_eq!(server.code(&with(&path).header("XfilterAreaCode", "44")).await, "VERIFY_API_INVALID", "a header more");
    let renewed = Pair::of(&server.call(&with(&path)).await);
    assert_eq!(server.code(&with(&path)).await, "VERIFY_API_REPLAYED");

    let body = json!({"refreshToken": renewed.refresh}).to_string();
    let file = place.file("body.json", &body);
    let path = "/bo/api/v3/auth/token/logout?_nodejs=common-data";
    let share = "XuserFromFirstShareId: u-lin";
    let signed = stamp(&place, &["--sign", "DELETE", "--path", path, "--body", &file, "--header", share]).await;
    let mut logout = Request::new("DELETE", path)
        .header("XownerId", "acme")
        .header("XverifyApi", signed)
        .header("XuserFromFirstShareId", "u-lin")
        .header("Authorization", format!("Bearer {}", renewed.access))
        .json(&json!({"refreshToken": renewed.refresh, "more": 1}));
    assert_eq!(server.code(&logout).await, "VERIFY_API_INVALID", "another body");
    logout.body = body;
    assert_eq!(server.call(&logout).await.body, Frontend::SIGNED_OUT);
    server.stop().await;
}

#[tokio::test]
async fn a_stamp_that_cannot_be_made_is_refused_with_the_reason() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    for (arguments, reason) in [
        (&["--owner", "nobody"][..], "there is no tenant `nobody`"),
        (&["--owner", "acme", "--sys", "nothing"], "tenant acme has no system nothing"),
        (&["--owner", "acme", "--password-file", "/nowhere"], "/nowhere: "),
        (&["--owner", "acme", "--sign", "GET", "--path", "/", "--header", "x"], "a header is written NAME: VALUE"),
        (&["--owner", "acme", "--sign", "GET", "--path", "/", "--body", "/nowhere"], "/nowhere: "),
    ] {
        let refused = place.run(&[&["stamp"], arguments].concat()).await;
        assert!(refused.failure().contains(reason), "{arguments:?}: {refused:?}");
    }
    assert_eq!(place.run(&["stamp", "--owner", "acme", "--sign", "GET"]).await.code, Some(2), "a signed stamp needs the path");
}
