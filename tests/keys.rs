//! Keys of access tokens: every algorithm, the public key set, and rotation with an overlap.

use std::process::Stdio;
use std::time::Duration;

use bo_auth_core::signing_key::Algorithm;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::key::Replacement;
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::{Answer, Session, Tenant, TestApp, base64_url};

each_backend!(every_algorithm_signs_and_its_public_key_is_published, access_keys_overlap_until_the_older_retires,);

one_backend!(Local: a_token_is_judged_by_the_keys_algorithm_and_not_its_own);

async fn key_set(app: &TestApp, tenant: &Tenant) -> Answer {
    let request = app.bare_request(Method::GET, "/.well-known/jwks.json").query("ownerId", tenant.owner_id.as_str());
    request.send().await
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&base64_url(token.split('.').next().unwrap())).unwrap()
}

/// Whether OpenSSL, by way of Node, finds the token signed by the key.
async fn openssl_verifies(jwk: &Value, token: &str) -> bool {
    const SCRIPT: &str = "
        const { createPublicKey, verify } = require('node:crypto');
        const { jwk, token } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
        const [header, payload, signature] = token.split('.');
        const key = createPublicKey({ key: jwk, format: 'jwk' });
        const digest = jwk.alg === 'EdDSA' ? null : 'sha256';
        const good = verify(digest, `${header}.${payload}`, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
        process.stdout.write(String(good));";
    let mut node = Command::new("node").args(["-e", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("tests need Node");
    let mut input = node.stdin.take().unwrap();
    input.write_all(json!({"jwk": jwk, "token": token}).to_string().as_bytes()).await.unwrap();
    drop(input);
    let output = node.wait_with_output().await.unwrap();
    assert!(output.status.success());
    output.stdout == b"true"
}

async fn every_algorithm_signs_and_its_public_key_is_published(app: TestApp) {
    for algorithm in Algorithm::ALL {
        let tenant = app.with_tenant_of("acme", algorithm).await;
        let session = tenant.with_user("li").await.log_in().await;
        session.assert_live().await;
        let session = session.refreshed().await;
        let header = header(&session.access_token);
        assert_eq!((&header["alg"], &header["typ"]), (&json!(algorithm.as_str()), &json!("JWT")));
        let answer = key_set(&app, &tenant).await;
        assert_eq!(answer.status, 200);
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        if algorithm == Algorithm::HS256 {
            assert_eq!(keys, Vec::<Value>::new(), "a shared secret has no public half");
        } else {
            assert_eq!((keys.len(), &keys[0]["kid"], &keys[0]["alg"], &keys[0]["use"]), (1, &header["kid"], &header["alg"], &json!("sig")));
            assert!(keys[0].get("d").is_none(), "the private half stays here");
            assert!(openssl_verifies(&keys[0], &session.access_token).await, "{algorithm:?}");
            let foreign = app.with_tenant_of("other", algorithm).await;
            let keys = key_set(&app, &foreign).await.json();
            assert!(!openssl_verifies(&keys["keys"][0], &session.access_token).await, "{algorithm:?}");
        }
        assert_eq!(session.logout().send().await.status, 200);
        session.assert_ended("SESSION_LOGGED_OUT").await;
    }
    for (query, status) in [("", 400), ("ownerId=nobody", 404), ("ownerId=a%20b", 400), ("ownerId=%ff", 400)] {
        let answer = app.bare_request(Method::GET, &format!("/.well-known/jwks.json?{query}")).send().await;
        assert_eq!(answer.status, status, "{query}");
    }
}

async fn access_keys_overlap_until_the_older_retires(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let older = tenant.with_user("li").await.signed_in().await;
    tenant.rotate(Replacement::Access(Algorithm::EdDSA), Duration::from_mins(30)).await;
    let newer = older.refreshed().await;
    assert_eq!((&header(&older.access_token)["alg"], &header(&newer.access_token)["alg"]), (&json!("ES256"), &json!("EdDSA")));
    assert_eq!(key_set(&app, &tenant).await.json()["keys"].as_array().map(Vec::len), Some(2));
    older.assert_live().await;
    newer.assert_live().await;
    app.advance(Duration::from_mins(30));
    older.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    newer.assert_live().await;
    let keys = key_set(&app, &tenant).await.json();
    assert_eq!((keys["keys"].as_array().map(Vec::len), &keys["keys"][0]["kid"]), (Some(1), &header(&newer.access_token)["kid"]));
    // Withdrawn at once, it takes a refresh to go on.
    tenant.rotate(Replacement::Access(Algorithm::HS256), Duration::ZERO).await;
    newer.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    newer.refreshed().await.assert_live().await;
}

async fn a_token_is_judged_by_the_keys_algorithm_and_not_its_own(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let [header, payload, signature]: [&str; 3] = session.access_token.split('.').collect::<Vec<_>>().try_into().unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for token in [
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}."),
        format!("{header}.{payload}.{signature}="),
        format!("{header}..{signature}"),
        format!("{header}.{payload}.{}", "A".repeat(signature.len())),
    ] {
        let forged = Session { access_token: token, ..session.clone() };
        forged.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
        forged.logout().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    }
    session.assert_live().await;
}
