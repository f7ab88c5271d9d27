//! `XverifyApi` over HTTP (contract 1.3): every form of it, the time window, replay, keys and their overlap.

use std::time::Duration;

use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::stamp::new_stamp_plaintext;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::key::Replacement;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, DES_KEY, Session, System, TestApp, route};

each_backend!(
    every_cipher_output_and_guid_is_accepted,
    the_window_has_two_sides,
    a_time_may_be_required,
    a_guid_counts_once_in_its_tenant_however_it_is_dressed,
    replay_may_be_allowed,
    two_keys_overlap_until_the_older_retires,
    a_refused_stamp_says_nothing_of_why,
);

one_backend!(Redis: a_guid_counts_once_on_two_nodes);

one_backend!(Local:
    a_guid_is_forgotten_after_its_window,
    what_the_vectors_encrypt_is_read_and_what_they_refuse_is_refused_alike,
);

fn new_guid() -> String {
    new_stamp_plaintext(&SystemRandom::default(), None)
}

/// Asks who the user is, with this stamp.
async fn ask(session: &Session, stamp: &str) -> Answer {
    session.current_user().header("XverifyApi", stamp).send().await
}

/// The same, with this plaintext encrypted as the session's system has it.
async fn ask_plain(session: &Session, plaintext: &str) -> String {
    ask(session, &session.user.system.encrypt(plaintext)).await.error_code()
}

async fn every_cipher_output_and_guid_is_accepted(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let now = app.now();
    for (position, (cipher, iv)) in
        [("des-ecb-pkcs7", None), ("des-cbc-pkcs7", None), ("des-cbc-pkcs7", Some("1234567890abcdef"))].into_iter().enumerate()
    {
        for output in ["base64", "hex"] {
            let mut settings = json!({"cipher": cipher, "output": output});
            if let Some(iv) = iv {
                settings["cipherIv"] = json!(iv);
            }
            let system = tenant.with_system(&format!("{output}-{position}"), settings).await;
            let session = user.of(&system).signed_in().await;
            let digits = || new_guid().replace('-', "");
            for plaintext in [
                digits(),
                digits().to_uppercase(),
                new_guid(),
                format!("{{{}}}", new_guid().to_uppercase()),
                format!("{{{}}}", digits()),
                // The old platform puts the owner id before what is left of the GUID.
                format!("demo{}", alphanumeric(&SystemRandom::default(), 32)),
                format!("{}|{}", new_guid(), now.seconds()),
                format!("{}|{}", new_guid(), now.millis()),
                format!("{}|{}|web|zh", new_guid(), now.millis()),
                format!("{}|", new_guid()),
                format!("{}|web|1", new_guid()),
            ] {
                assert_eq!(ask_plain(&session, &plaintext).await, "", "{plaintext} by {cipher} as {output}");
            }
            let stamp = system.encrypt(&new_guid());
            let other_case = if output == "hex" { stamp.to_uppercase() } else { stamp };
            assert_eq!(ask(&session, &other_case).await.status, 200);
            // The password travels in the same dress.
            user.of(&system).log_in().await;
        }
    }
}

async fn the_window_has_two_sides(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let narrow = tenant.with_system("narrow", json!({"stampWindowSeconds": 10})).await;
    let now = app.now();
    for (system, seconds) in [(tenant.web(), 300), (narrow, 10)] {
        let session = user.of(&system).signed_in().await;
        let window = Duration::from_secs(seconds);
        let beyond = Duration::from_millis(1);
        for (at, expected) in [
            (now.minus(window), ""),
            (now.plus(window), ""),
            (now.minus(window + beyond), "VERIFY_API_EXPIRED"),
            (now.plus(window + beyond), "VERIFY_API_EXPIRED"),
        ] {
            assert_eq!(ask_plain(&session, &format!("{}|{}", new_guid(), at.millis())).await, expected, "{at}");
        }
        let past = now.seconds() - i64::try_from(seconds).unwrap() - 1;
        for time in [past.to_string(), "0".to_owned(), "9".repeat(40)] {
            assert_eq!(ask_plain(&session, &format!("{}|{time}", new_guid())).await, "VERIFY_API_EXPIRED", "{time}");
        }
    }
}

async fn a_time_may_be_required(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let strict = tenant.with_system("strict", json!({"requireTimestamp": true})).await;
    let session = tenant.with_user("li").await.of(&strict).signed_in().await;
    for plaintext in [new_guid(), format!("{}|", new_guid()), format!("{}|web|{}", new_guid(), app.now().millis())] {
        assert_eq!(ask_plain(&session, &plaintext).await, "VERIFY_API_INVALID", "{plaintext}");
    }
    assert_eq!(ask_plain(&session, &format!("{}|{}", new_guid(), app.now().seconds())).await, "");
}

async fn a_guid_counts_once_in_its_tenant_however_it_is_dressed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let session = user.signed_in().await;
    let elsewhere = user.of(&tenant.with_system("cbc", json!({"cipher": "des-cbc-pkcs7", "output": "hex"})).await).signed_in().await;
    let guid = new_guid();
    assert_eq!(ask_plain(&session, &guid).await, "");
    let digits = guid.replace('-', "");
    for dressed in [
        guid.clone(),
        guid.to_uppercase(),
        digits.clone(),
        format!("{{{digits}}}"),
        format!("{guid}|{}", app.now().millis()),
        format!("{guid}|{}|anew", app.now().seconds()),
    ] {
        ask(&session, &session.user.system.encrypt(&dressed)).await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
        assert_eq!(ask_plain(&elsewhere, &dressed).await, "VERIFY_API_REPLAYED", "{dressed}");
    }
    // Another tenant's frontends know nothing of it, even under the same key.
    let foreign = app.with_tenant("other").await.with_user("li").await.signed_in().await;
    assert_eq!(ask_plain(&foreign, &guid).await, "");
    // A call that is refused later has used its GUID all the same.
    let stamp = session.user.system.new_stamp();
    let refused = session.logout().header("XverifyApi", &stamp).query("refreshToken", "x");
    assert_eq!(refused.send().await.error_code(), "REFRESH_TOKEN_INVALID");
    assert_eq!(ask(&session, &stamp).await.error_code(), "VERIFY_API_REPLAYED");
}

async fn replay_may_be_allowed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let lenient = tenant.with_system("lenient", json!({"replay": "off"})).await;
    let user = tenant.with_user("li").await;
    let session = user.of(&lenient).signed_in().await;
    let stamp = lenient.encrypt(&new_guid());
    for _ in 0..3 {
        assert_eq!(ask(&session, &stamp).await.status, 200);
    }
    // What it let pass as often as it came is still new to the others.
    let session = user.signed_in().await;
    assert_eq!(ask(&session, &stamp).await.status, 200);
    assert_eq!(ask(&session, &stamp).await.error_code(), "VERIFY_API_REPLAYED");
}

async fn a_guid_counts_once_on_two_nodes(app: TestApp) {
    let second = app.second_node().await;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for (one, other) in [(&app, &second), (&second, &app)] {
        let request = session.current_user();
        assert_eq!(request.clone().on(one).send().await.status, 200);
        for node in [other, one] {
            request.clone().on(node).send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
        }
    }
}

/// On a clock that can be moved; Redis keeps its own.
async fn a_guid_is_forgotten_after_its_window(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let stamp = session.user.system.encrypt(&new_guid());
    assert_eq!(ask(&session, &stamp).await.status, 200);
    app.advance(Duration::from_secs(599));
    assert_eq!(ask(&session, &stamp).await.error_code(), "VERIFY_API_REPLAYED");
    app.advance(Duration::from_secs(2));
    assert_eq!(ask(&session, &stamp).await.status, 200);
}

async fn two_keys_overlap_until_the_older_retires(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let web = tenant.web();
    tenant.rotate(Replacement::Stamp(Some("key two!")), Duration::from_hours(1)).await;
    let under = |key: &str| web.encrypt_under(key, &new_guid());
    let password = |key: &str| {
        let body = json!({"userName": "li", "password": web.encrypt_under(key, &session.user.password())});
        web.request(Method::POST, route::LOGIN).header("XverifyApi", under("key two!")).json(&body)
    };
    for key in [DES_KEY, "key two!"] {
        assert_eq!(ask(&session, &under(key)).await.status, 200, "{key}");
        assert_eq!(password(key).send().await.status, 200, "{key}");
    }
    app.advance(Duration::from_hours(1));
    ask(&session, &under(DES_KEY)).await.assert_fault(FaultKind::VERIFY_API_INVALID);
    assert_eq!(password(DES_KEY).send().await.error_code(), "PARAMETER_INVALID");
    assert_eq!(ask(&session, &under("key two!")).await.status, 200);
    assert_eq!(password("key two!").send().await.status, 200);
}

async fn a_refused_stamp_says_nothing_of_why(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let web = tenant.web();
    let good = web.encrypt(&new_guid());
    let cbc = tenant.with_system("cbc", json!({"cipher": "des-cbc-pkcs7"})).await;
    for stamp in [
        good.replace(&good[..4], "AAAA"),
        good[..good.len() - 4].to_owned(),
        format!("{good}="),
        web.encrypt_under("another!", &new_guid()),
        web.encrypt("not a GUID at all"),
        web.encrypt(""),
        cbc.encrypt(&new_guid()),
        "A".repeat(20_000),
        "***".to_owned(),
    ] {
        let answer = ask(&session, &stamp).await;
        answer.assert_fault(FaultKind::VERIFY_API_INVALID);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

async fn what_the_vectors_encrypt_is_read_and_what_they_refuse_is_refused_alike(app: TestApp) {
    let vectors: Value = serde_json::from_str(include_str!("vectors/des.json")).unwrap();
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let system = async |row: &Value, output: &str| {
        let (cipher, iv) = row["cipher"].as_str().unwrap().split_once(", iv = ").unwrap_or((row["cipher"].as_str().unwrap(), ""));
        let iv = iv.strip_suffix(" (hex)");
        // The moments of the vectors have long passed, and their GUIDs are not all different.
        let settings = json!({"cipher": cipher, "cipherIv": iv, "output": output, "replay": "off"});
        tenant.with_system(&alphanumeric(&SystemRandom::default(), 16), settings).await
    };
    let mut systems: Vec<((Value, &str), Session)> = Vec::new();
    let mut current_key = DES_KEY;
    let mut rows: Vec<&Value> = vectors["rows"].as_array().unwrap().iter().collect();
    rows.sort_by_key(|row| row["key"].as_str());
    for row in rows {
        let key = row["key"].as_str().unwrap();
        if key != current_key {
            tenant.rotate(Replacement::Stamp(Some(key)), Duration::ZERO).await;
            current_key = key;
        }
        for output in ["base64", "hex"] {
            let kind = (row["cipher"].clone(), output);
            if !systems.iter().any(|(known, _)| *known == kind) {
                let session = user.of(&system(row, output).await).signed_in().await;
                systems.push((kind.clone(), session));
            }
            let (_, session) = systems.iter().find(|(known, _)| *known == kind).unwrap();
            let answer = ask(session, row[output].as_str().unwrap()).await;
            let carries_time = row["plaintext"].as_str().unwrap().split('|').nth(1).is_some_and(|field| field.parse::<i64>().is_ok());
            assert_eq!(answer.error_code(), if carries_time { "VERIFY_API_EXPIRED" } else { "" }, "{row} as {output}");
        }
    }
    refuse_all(&app, &vectors).await;
}

async fn refuse_all(app: &TestApp, vectors: &Value) {
    let session = app.with_tenant("refusing").await.with_user("li").await.signed_in().await;
    let system: &System = &session.user.system;
    let mut refused = 0;
    for row in vectors["refuse"].as_array().unwrap() {
        assert_eq!((row["key"].as_str(), row["cipher"].as_str()), (Some(DES_KEY), Some("des-ecb-pkcs7")));
        let value = row["value"].as_str().unwrap();
        let request = system.request(Method::GET, route::CURRENT_USER).header("Authorization", format!("Bearer {}", session.access_token));
        let kind = if value.is_empty() {
            (FaultKind::PARAMETER_MISSING, "XverifyApi")
        } else if value.ends_with("repeat to 1 MiB") {
            // Longer than all headers together may be.
            request.clone().header("XverifyApi", "A".repeat(1 << 20)).send_raw().await.assert_fault(FaultKind::PAYLOAD_TOO_LARGE);
            continue;
        } else {
            (FaultKind::VERIFY_API_INVALID, "")
        };
        request.header("XverifyApi", value).send().await.assert_fault_about(kind.0, kind.1);
        refused += 1;
    }
    assert_eq!(refused, 8);
}
