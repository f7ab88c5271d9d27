//! Keys of access tokens: every algorithm, the public key set, and rotation with an overlap.

use std::process::Stdio;
use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::random::SystemRandom;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::signing_key::set::ANNOUNCEMENT;
use bo_auth_core::stamp::new_stamp_plaintext;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::Change;
use bo_auth_service::operator::key::{Replacement, RotationOptions};
use bo_auth_service::tenant::Tenant as PreparedTenant;
use bo_auth_store::record::{KeyPurpose, RetiredKey, Withdrawal};
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::{Answer, Session, Tenant, TestApp, base64_url};

each_backend!(
    every_algorithm_signs_and_its_public_key_is_published,
    access_keys_overlap_until_the_older_retires,
    a_rotation_keeps_the_algorithm_unless_told_otherwise,
    a_public_key_is_announced_before_it_signs_and_nodes_change_by_their_clocks,
    the_signing_key_may_be_withdrawn_while_another_is_announced,
    two_keys_of_a_purpose_are_accepted_and_no_third,
);

one_backend!(Redis: a_server_of_the_version_before_does_not_sign_with_an_announced_key);

one_backend!(Local:
    a_token_is_judged_by_the_keys_algorithm_and_not_its_own,
    the_key_set_is_kept_no_longer_than_it_is_true,
);

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
    tenant.rotate(Replacement::Access(Some(Algorithm::EdDSA)), Duration::from_mins(30)).await;
    app.advance(ANNOUNCEMENT);
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
    tenant.rotate(Replacement::Access(Some(Algorithm::HS256)), Duration::ZERO).await;
    newer.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    newer.refreshed().await.assert_live().await;
}

/// The `kid` of a token.
fn kid(session: &Session) -> String {
    header(&session.access_token)["kid"].as_str().unwrap().to_owned()
}

/// The ids in the key set.
async fn published(app: &TestApp, tenant: &Tenant) -> Vec<String> {
    let set = key_set(app, tenant).await.json();
    set["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap().to_owned()).collect()
}

async fn a_rotation_keeps_the_algorithm_unless_told_otherwise(app: TestApp) {
    for algorithm in Algorithm::ALL {
        let tenant = app.with_tenant_of("acme", algorithm).await;
        let session = tenant.with_user("li").await.signed_in().await;
        let rotated = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
        assert_eq!(rotated.key.algorithm, algorithm.as_str());
        app.advance(ANNOUNCEMENT);
        let renewed = session.refreshed().await;
        assert_eq!(header(&renewed.access_token)["alg"], algorithm.as_str());
        assert_eq!(kid(&renewed), rotated.key.key_id.as_str());
    }
}

async fn a_public_key_is_announced_before_it_signs_and_nodes_change_by_their_clocks(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let rotated = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
    let (old, new) = (kid(&session), rotated.key.key_id.to_string());
    assert_eq!(rotated.signs_from, Some(app.now().plus(ANNOUNCEMENT)));
    assert_eq!(published(&app, &tenant).await, [old.clone(), new.clone()], "announced at once");
    let session = session.refreshed().await;
    assert_eq!(kid(&session), old, "and does not sign yet");
    // Nobody writes anything and nothing is started again.
    app.advance(ANNOUNCEMENT.saturating_sub(Duration::from_millis(1)));
    let session = session.refreshed().await;
    assert_eq!(kid(&session), old);
    app.advance(Duration::from_millis(1));
    let newer = session.refreshed().await;
    assert_eq!(kid(&newer), new);
    session.assert_live().await;
    // The rows follow for servers of the version before; tokens do not notice.
    app.service().db.exchange_announced_keys(app.now()).await.unwrap();
    tenant.node.apply(Change { owner_id: tenant.owner_id.clone(), user_id: None }).await;
    let newer = newer.refreshed().await;
    assert_eq!(kid(&newer), new);
    app.advance(Duration::from_hours(1));
    let newest = newer.refreshed().await;
    session.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    newest.assert_live().await;
    assert_eq!(published(&app, &tenant).await, [new]);
}

async fn the_signing_key_may_be_withdrawn_while_another_is_announced(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::EdDSA).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let operator = tenant.node.operator();
    let signing = KeyId::parse(&kid(&session)).unwrap();
    assert!(operator.withdraw_key(&tenant.owner_id, &signing).await.is_err(), "nothing would sign");
    let first = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
    let second = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
    assert_eq!(second.retired, [RetiredKey { key_id: first.key.key_id, retires_at: app.now() }], "it never signs");
    let next = second.key.key_id;
    assert_eq!(published(&app, &tenant).await, [signing.to_string(), next.to_string()]);
    let (change, withdrawal) = operator.withdraw_key(&tenant.owner_id, &signing).await.unwrap();
    tenant.node.apply(change).await;
    assert_eq!(withdrawal, Withdrawal::Succeeded(next.clone()));
    session.current_user().send().await.assert_fault(FaultKind::TOKEN_INVALID);
    let renewed = session.refreshed().await;
    assert_eq!(kid(&renewed), next.as_str());
    renewed.assert_live().await;
    assert_eq!(published(&app, &tenant).await, [next.to_string()]);
    // An emergency does not wait.
    let options = RotationOptions { overlap: None, now: true };
    let emergency = tenant.rotate_with(Replacement::Access(None), options).await;
    assert!(emergency.signs_from.is_none() && emergency.is_unknown_to_verifiers);
    assert_eq!(kid(&renewed.refreshed().await), emergency.key.key_id.as_str());
    renewed.assert_live().await;
}

async fn two_keys_of_a_purpose_are_accepted_and_no_third(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let web = tenant.web();
    let session = user.signed_in().await;
    let first = session.refreshed().await;
    tenant.rotate(Replacement::Refresh, Duration::from_hours(24)).await;
    let second = first.refreshed().await;
    tenant.rotate(Replacement::Refresh, Duration::from_hours(24)).await;
    second.refreshed().await.assert_live().await;
    let stale = user.signed_in().await;
    for _ in 0..2 {
        tenant.rotate(Replacement::Refresh, Duration::from_hours(24)).await;
    }
    stale.refresh().send().await.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
    stale.assert_live().await;

    let session = user.signed_in().await;
    let mut stamps = vec!["demo-key".to_owned()];
    let mut secrets = Vec::new();
    for number in 0..30 {
        let key = format!("key-{number:04}");
        let rotated = tenant.rotate(Replacement::Stamp(Some(&key)), Duration::from_hours(24)).await;
        assert_eq!(rotated.retired.len(), usize::from(number > 0), "the oldest retires at once");
        stamps.push(key);
        let rotated = tenant.rotate(Replacement::StampMac, Duration::from_hours(24)).await;
        secrets.push((rotated.key.key_id, rotated.secret.unwrap()));
    }
    let (retired, live) = stamps.split_at(stamps.len() - 2);
    for (keys, accepted) in [(live, true), (&retired[retired.len() - 3..], false)] {
        for key in keys {
            let plaintext = new_stamp_plaintext(&SystemRandom::default(), Some(app.now()));
            let request = session.current_user().header("XverifyApi", web.encrypt_under(key, &plaintext));
            let answer = request.send().await;
            assert_eq!(answer.status, if accepted { 200 } else { 401 }, "{key}");
        }
    }
    let record = app.service().db.find_tenant(&tenant.owner_id).await.unwrap().unwrap();
    let prepared = PreparedTenant::assemble(record, &tenant.node.parsed_master_key()).unwrap();
    assert_eq!((prepared.stamp_keys.len(), prepared.stamp_mac_keys.len()), (2, 2));
    let listed = tenant.node.operator().list_keys(&tenant.owner_id).await.unwrap().0;
    assert!(listed.len() <= 4 * 16, "{}", listed.len());
}

/// What the version before reads of a tenant's keys: the newest one without an end signs, the others are accepted until theirs.
async fn a_server_of_the_version_before_does_not_sign_with_an_announced_key(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let rotated = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
    let read = async || {
        let keys = app.service().db.find_tenant(&tenant.owner_id).await.unwrap().unwrap().keys;
        let of_access = keys.into_iter().filter(|key| key.purpose == KeyPurpose::Access).collect::<Vec<_>>();
        let signs = of_access.iter().find(|key| key.retires_at.is_none()).unwrap().key_id.to_string();
        let accepted = of_access.iter().filter(|key| key.retires_at.is_some_and(|end| app.now() < end));
        (signs, accepted.map(|key| key.key_id.to_string()).collect::<Vec<_>>())
    };
    let (old, new) = (kid(&session), rotated.key.key_id.to_string());
    assert_eq!(read().await, (old.clone(), vec![new.clone()]));
    app.advance(ANNOUNCEMENT);
    app.service().db.exchange_announced_keys(app.now()).await.unwrap();
    assert_eq!(read().await, (new, vec![old]));
}

async fn the_key_set_is_kept_no_longer_than_it_is_true(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let answer = key_set(&app, &tenant).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let tag = answer.header("etag").unwrap().to_owned();
    let ask = |tag: &str| {
        let request = app.bare_request(Method::GET, "/.well-known/jwks.json");
        request.query("ownerId", tenant.owner_id.as_str()).header("If-None-Match", tag)
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let unchanged = ask(&known).send().await;
        assert_eq!((unchanged.status, unchanged.text()), (304, ""), "{known}");
        assert_eq!(unchanged.header("etag"), Some(tag.as_str()));
    }
    assert_eq!(ask("\"other\"").send().await.status, 200);
    tenant.rotate(Replacement::Access(None), Duration::from_mins(1)).await;
    let changed = ask(&tag).send().await;
    assert!(changed.status == 200 && changed.header("etag") != Some(tag.as_str()));
    app.advance(ANNOUNCEMENT + Duration::from_secs(50));
    assert_eq!(key_set(&app, &tenant).await.header("cache-control"), Some("public, max-age=10"), "the older retires then");
    app.advance(Duration::from_secs(10));
    assert_eq!(key_set(&app, &tenant).await.header("cache-control"), Some("public, max-age=300"));
    let none = app.bare_request(Method::GET, "/.well-known/jwks.json").query("ownerId", "nobody").send().await;
    assert_eq!(none.header("cache-control"), Some("no-store"), "a tenant may be added");
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
