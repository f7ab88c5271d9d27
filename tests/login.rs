//! Sign in (contract 1.1): what it answers, whom it refuses, and what it records.

use std::time::Duration;

use bo_auth_core::time::Timestamp;
use bo_auth_server::configuration::PasswordCost;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::system::SystemChange;
use bo_auth_store::record::AuditFilter;
use http::Method;
use serde_json::json;

use crate::support::{Session, TestApp, User, claims, route};

each_backend!(
    the_answer_holds_the_user_and_the_tokens,
    unknown_users_and_wrong_passwords_look_alike,
    a_plain_password_is_taken_where_it_is_allowed,
    broken_lines_of_base64_are_read_on,
    who_is_disabled_does_not_sign_in,
    a_hash_of_another_cost_is_renewed,
    the_oldest_session_gives_way_at_the_limit,
    area_and_sharers_are_recorded,
    an_area_or_sharer_that_is_refused_opens_nothing,
    a_login_after_a_logout_reads_the_user_anew,
    a_user_agent_of_other_bytes_is_recorded,
);

async fn the_answer_holds_the_user_and_the_tokens(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let user = tenant.with_user_in("li", &["440100", "110000"]).await;
    let answer = user.login().header("User-Agent", "a browser").send().await;
    let session = Session::from_answer(user, &answer);
    let expected = format!(
        concat!(
            r#"{{"code":0,"success":true,"message":"登录成功","data":{{"user":{{"userId":"id-li","userName":"li","name":"name of li","#,
            r#""ownerId":"{owner}","sysId":"web","areaCodes":["440100","110000"]}},"token":{{"accessToken":"{access}","#,
            r#""refreshToken":"{refresh}","tokenType":"Bearer","expiresIn":{seconds}}}}},"cacheType":"{cache}","cacheDate":"{now}"}}"#
        ),
        owner = tenant.owner_id,
        access = session.access_token,
        refresh = session.refresh_token,
        // Dates in a JWT are whole seconds.
        seconds = app.now().plus(Duration::from_hours(2)).seconds() - app.now().seconds(),
        cache = app.backend().cache_type(),
        now = app.now(),
    );
    answer.assert_body(&expected);
    assert!(session.access_token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6"), "as the published page shows it");
    let claims = claims(&session.access_token);
    let jti = claims["jti"].as_str().unwrap().to_owned();
    assert_eq!(
        claims,
        json!({
            "iss": "bo-auth", "aud": "api", "sub": "id-li", "id": "id-li", "name": "name of li", "client_id": "web",
            "owner_id": tenant.owner_id, "sys_id": "web", "sid": session.id.to_string(), "jti": jti,
            "iat": app.now().seconds(), "exp": app.now().seconds() + 7200,
        })
    );
    let refresh_token = &session.refresh_token;
    assert!(refresh_token.len() == 32 && refresh_token.starts_with('1') && refresh_token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let row = session.row().await;
    assert_eq!((row.address.as_deref(), row.user_agent.as_deref(), row.created_at), (Some("127.0.0.1"), Some("a browser"), app.now()));
    session.assert_live().await;
}

async fn a_user_agent_of_other_bytes_is_recorded(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let long = "浏".repeat(9_000);
    for (sent, kept) in [
        ("微信/8.0".as_bytes(), "微信/8.0".to_owned()),
        (b"caf\xe9/1.0", "caf\u{fffd}/1.0".to_owned()),
        (long.as_bytes(), "浏".repeat(256)),
    ] {
        let answer = user.login().header("User-Agent", sent).send().await;
        let row = Session::from_answer(user.clone(), &answer).row().await;
        assert_eq!(row.user_agent, Some(kept));
    }
}

async fn unknown_users_and_wrong_passwords_look_alike(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let nobody = User { account: "nobody".to_owned(), ..user.clone() };
    let foreign = User { account: app.with_tenant("other").await.with_user("zhang").await.account, ..user.clone() };
    let upper = User { account: "LI".to_owned(), ..user.clone() };
    for request in [
        user.login_with("wrong"),
        user.login_with(&"x".repeat(1024)),
        nobody.login_with("wrong"),
        foreign.login(),
        upper.login_with(&user.password()),
    ] {
        let answer = request.send().await;
        answer.assert_fault(FaultKind::LOGIN_FAILED);
    }
    assert_eq!(user.rows().await, []);
}

async fn a_plain_password_is_taken_where_it_is_allowed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let lenient = tenant.with_system("lenient", json!({"allowPlainPassword": true})).await;
    let plain = json!({"userName": "li", "password": user.password()});
    let at = |system: &crate::support::System| system.request(Method::POST, route::LOGIN).json(&plain);
    at(&tenant.web()).send().await.assert_fault_about(FaultKind::PARAMETER_INVALID, "password");
    assert_eq!(at(&lenient).send().await.status, 200);
    user.of(&lenient).log_in().await;
}

async fn broken_lines_of_base64_are_read_on(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    for (cipher, output) in [("ecb", "base64"), ("ecb", "hex"), ("cbc", "base64"), ("cbc", "hex")] {
        let settings = json!({"cipher": format!("des-{cipher}-pkcs7"), "output": output});
        let system = tenant.with_system(&format!("{cipher}-{output}"), settings).await;
        let user = user.of(&system);
        let (head, tail) = (|text: &str| text[..20].to_owned(), |text: &str| text[20..].to_owned());
        for (inside, end) in [("\n", "\n"), ("\r\n", "\r\n"), (" ", "")] {
            let sent = system.encrypt(&user.password());
            let password = format!("{}{inside}{}{end}", head(&sent), tail(&sent));
            let body = json!({"userName": user.account, "password": password});
            // A header has no line breaks: what stood there are spaces or tabs by then.
            let stamp = system.new_stamp();
            let stamp = format!("{} \t{}", head(&stamp), tail(&stamp));
            let request = system.request(Method::POST, route::LOGIN).json(&body).header("XverifyApi", stamp);
            let answer = request.send().await;
            assert_eq!(answer.status, 200, "{cipher} {output} {inside:?}: {}", answer.text());
            // One GUID is one, however it is written.
            request.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
        }
    }
}

async fn who_is_disabled_does_not_sign_in(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let session = user.signed_in().await;
    let (change, ended) = tenant.node.operator().set_user_disabled(&tenant.owner_id, "li", true).await.unwrap();
    tenant.node.apply(change).await;
    assert_eq!(ended.len(), 1);
    user.login().send().await.assert_fault(FaultKind::USER_DISABLED);
    // Without the password nobody learns of it.
    user.login_with("wrong").send().await.assert_fault(FaultKind::LOGIN_FAILED);
    session.assert_ended("USER_DISABLED").await;
    let (change, _) = tenant.node.operator().set_user_disabled(&tenant.owner_id, "li", false).await.unwrap();
    tenant.node.apply(change).await;
    user.log_in().await;
    session.assert_ended("SESSION_KICKED").await;

    let system = tenant.with_system("app", json!({})).await;
    let at_system = user.of(&system);
    let session = at_system.log_in().await;
    system.alter(SystemChange { disabled: Some(true), ..SystemChange::default() }).await;
    at_system.login().send().await.assert_fault(FaultKind::SYSTEM_DISABLED);
    session.logout().send().await.assert_fault(FaultKind::SYSTEM_DISABLED);
    system.alter(SystemChange { disabled: Some(false), ..SystemChange::default() }).await;
    // Disabling has ended it.
    session.assert_ended("SESSION_KICKED").await;
    let session = at_system.log_in().await;
    session.assert_live().await;

    tenant.set_disabled(true).await;
    user.login().send().await.assert_fault(FaultKind::TENANT_DISABLED);
    session.logout().send().await.assert_fault(FaultKind::TENANT_DISABLED);
    tenant.set_disabled(false).await;
    session.assert_ended("SESSION_KICKED").await;
    user.log_in().await.assert_live().await;
}

async fn a_hash_of_another_cost_is_renewed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let hash = async || app.service().db.find_credentials(&tenant.owner_id, "li").await.unwrap().unwrap().password_hash;
    let session = user.log_in().await;
    let before = hash().await;
    assert!(before.contains("$m=64,t=1,p=1$"), "{before}");
    app.restart_with(|configuration| configuration.password_cost = PasswordCost { memory_kib: 128, iterations: 1, lanes: 1 }).await;
    user.login_with("wrong").send().await.assert_fault(FaultKind::LOGIN_FAILED);
    assert_eq!(hash().await, before);
    user.log_in().await;
    let renewed = hash().await;
    assert!(renewed.contains("$m=128,t=1,p=1$"), "{renewed}");
    user.log_in().await;
    assert_eq!(hash().await, renewed, "once is enough");
    // It is the same password: what was opened under the old hash goes on.
    session.assert_live().await;
}

async fn the_oldest_session_gives_way_at_the_limit(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let limited = user.of(&tenant.with_system("limited", json!({"sessionLimit": 2})).await);
    let elsewhere = user.signed_in().await;
    let other = tenant.with_user("wang").await.of(&limited.system).log_in().await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(limited.log_in().await);
        app.advance(Duration::from_secs(1));
    }
    for replaced in &sessions[..2] {
        replaced.assert_ended("SESSION_REPLACED").await;
    }
    for live in sessions[2..].iter().chain([&elsewhere, &other]) {
        live.assert_live().await;
    }
    // One that has signed out makes room.
    assert_eq!(sessions[3].logout().send().await.status, 200);
    limited.log_in().await;
    sessions[2].assert_live().await;
}

async fn area_and_sharers_are_recorded(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let user = tenant.with_user_in("li", &["440100"]).await;
    tenant.with_user("wang").await;
    tenant.with_user("zhao").await;
    let request = user.login().header("XfilterAreaCode", "440106");
    let answer = request.header("XuserFromFirstShareId", "id-wang").header("XuserFromSecondShareId", "id-zhao").send().await;
    let session = Session::from_answer(user, &answer);
    let row = session.row().await;
    assert_eq!(row.area_code.unwrap().as_str(), "440106");
    assert_eq!(row.first_share_user_id.unwrap().as_str(), "id-wang");
    assert_eq!(row.second_share_user_id.unwrap().as_str(), "id-zhao");
    let trail = tenant.audit(&AuditFilter { session_id: Some(session.id), ..AuditFilter::default() }).await;
    assert_eq!(trail.len(), 1);
    assert_eq!(trail[0].kind, "session.started");
    let recorded = trail[0].trace.as_object().unwrap();
    for (name, value) in
        [("area_code", "440106"), ("first_share_user_id", "id-wang"), ("second_share_user_id", "id-zhao"), ("address", "127.0.0.1")]
    {
        assert_eq!(recorded[name], value);
    }
}

async fn an_area_or_sharer_that_is_refused_opens_nothing(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let user = tenant.with_user_in("li", &["440100", "440300"]).await;
    let refusals = [
        ("XfilterAreaCode", "440000", FaultKind::AREA_FORBIDDEN),
        ("XfilterAreaCode", "110000", FaultKind::AREA_FORBIDDEN),
        ("XfilterAreaCode", "990000", FaultKind::AREA_UNKNOWN),
        ("XuserFromFirstShareId", "nobody", FaultKind::SHARE_USER_UNKNOWN),
        ("XuserFromSecondShareId", "nobody", FaultKind::SHARE_USER_UNKNOWN),
    ];
    for (opened, (name, value, kind)) in refusals.into_iter().enumerate() {
        user.login().header(name, value).send().await.assert_fault(kind);
        // Without the password nobody learns which areas and users there are.
        user.login_with("wrong").header(name, value).send().await.assert_fault(FaultKind::LOGIN_FAILED);
        assert_eq!(user.rows().await.len(), opened);
        user.log_in().await;
    }
    for area in ["440100", "440106", "440300"] {
        assert_eq!(user.login().header("XfilterAreaCode", area).send().await.status, 200);
    }
}

async fn a_login_after_a_logout_reads_the_user_anew(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let cache_date = async |request: crate::support::TestRequest| {
        let answer = request.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["cacheType"], app.backend().cache_type());
        answer.json()["cacheDate"].as_str().unwrap().to_owned()
    };
    let text = |instant: Timestamp| instant.to_string();
    let first = app.now();
    assert_eq!(cache_date(user.login()).await, text(first));
    app.advance(Duration::from_secs(5));
    assert_eq!(cache_date(user.login()).await, text(first), "the cached profile serves");
    let session = user.signed_in().await;
    assert_eq!(cache_date(session.current_user()).await, text(first));
    assert_eq!(session.logout().send().await.status, 200);
    let second = app.now();
    assert_eq!(cache_date(user.login()).await, text(second), "the logout asked for it");
    app.advance(Duration::from_secs(5));
    assert_eq!(cache_date(user.login()).await, text(second), "once");
}
