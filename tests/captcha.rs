//! The captcha that a login needs after repeated failures (contract 1.1): who is asked, and what an answer is good for.

use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_server::fault::FaultKind;
use bo_auth_server::proxy::TrustedProxies;
use bo_auth_store::cache::Cached;
use http::Method;
use serde_json::json;

use crate::support::{Session, Tenant, TestApp, TestRequest, User, captcha_picture, route};

each_backend!(
    an_account_is_asked_after_three_failures,
    an_answer_counts_once_right_or_wrong,
    a_success_clears_the_accounts_failures,
    an_address_is_asked_after_four_times_as_many,
    a_new_picture_voids_the_one_before,
    an_answer_is_of_its_own_tenant,
);

one_backend!(Local: a_picture_is_valid_for_five_minutes);

/// What the cache holds for a picture.
struct CachedPicture;

impl Cached for CachedPicture {
    const PURPOSE: &'static str = "captcha";
    const LIFETIME: Duration = Duration::from_mins(5);
    type Id = str;
    type Value = String;
}

/// Draws a picture and reads its answer behind the wire.
async fn draw(app: &TestApp, session: &Session, verify_guid: &str) -> String {
    let answer = captcha_picture(session, verify_guid).send().await;
    assert_eq!((answer.status, answer.header("content-type"), answer.header("cache-control")), (200, Some("image/png"), Some("no-store")));
    assert!(answer.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    picture_code(app, &session.user.system.tenant.owner_id, verify_guid).await
}

/// What a picture that was drawn shows.
pub(crate) async fn picture_code(app: &TestApp, owner_id: &OwnerId, verify_guid: &str) -> String {
    app.service().cache.get::<CachedPicture>(owner_id, verify_guid).await.unwrap().expect("the answer is kept").value.as_ref().clone()
}

fn login_answering(user: &User, password: &str, guid: &str, code: &str) -> TestRequest {
    let body = json!({"userName": user.account, "password": user.system.encrypt(password), "verifyGuid": guid, "verifyCode": code});
    user.system.request(Method::POST, route::LOGIN).json(&body)
}

/// Three logins that fail.
async fn fail_thrice(user: &User) {
    for _ in 0..3 {
        user.login_with("wrong").send().await.assert_fault(FaultKind::LOGIN_FAILED);
    }
}

async fn tenant_of_li(app: &TestApp) -> (Tenant, Session) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    (tenant, session)
}

async fn an_account_is_asked_after_three_failures(app: TestApp) {
    let (tenant, session) = tenant_of_li(&app).await;
    let user = &session.user;
    fail_thrice(user).await;
    for request in [user.login(), user.login_with("wrong")] {
        request.send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    }
    // Half an answer is none.
    let half = json!({"userName": "li", "password": user.system.encrypt(&user.password()), "verifyGuid": "g"});
    tenant.request(Method::POST, route::LOGIN).json(&half).send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    // An account that does not exist is asked alike, and another one is not asked at all.
    let nobody = User { account: "nobody".to_owned(), ..user.clone() };
    fail_thrice(&nobody).await;
    nobody.login_with("wrong").send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    tenant.with_user("wang").await.log_in().await;
    // What is signed in stays so.
    session.assert_live().await;
}

async fn an_answer_counts_once_right_or_wrong(app: TestApp) {
    let (_, session) = tenant_of_li(&app).await;
    let user = &session.user;
    fail_thrice(user).await;
    let right = draw(&app, &session, "guid-1").await;
    let login = |code: &str| login_answering(user, &user.password(), "guid-1", code);
    login("AAAAAA").send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    login(&right).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    let right = draw(&app, &session, "guid-1").await;
    // Right, for a wrong password: used up all the same.
    login_answering(user, "wrong", "guid-1", &right).send().await.assert_fault(FaultKind::LOGIN_FAILED);
    login(&right).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    for guid in ["never-drawn", "a b", "../x", &"x".repeat(65)] {
        login_answering(user, &user.password(), guid, &right).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    }
    let right = draw(&app, &session, "guid-1").await;
    assert_eq!(login(&right.to_lowercase()).send().await.status, 200, "its case does not matter");
}

async fn a_success_clears_the_accounts_failures(app: TestApp) {
    let (_, session) = tenant_of_li(&app).await;
    let user = &session.user;
    user.login_with("wrong").send().await.assert_fault(FaultKind::LOGIN_FAILED);
    user.login_with("wrong").send().await.assert_fault(FaultKind::LOGIN_FAILED);
    user.log_in().await;
    fail_thrice(user).await;
    user.login().send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    let right = draw(&app, &session, "guid").await;
    assert_eq!(login_answering(user, &user.password(), "guid", &right).send().await.status, 200);
    user.log_in().await;
}

async fn an_address_is_asked_after_four_times_as_many(app: TestApp) {
    app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()])).await;
    let (tenant, session) = tenant_of_li(&app).await;
    let user = &session.user;
    let from = |address: &str, request: TestRequest| request.header("X-Forwarded-For", address);
    for number in 0..12 {
        let guessed = User { account: format!("account-{number}"), ..user.clone() };
        from("192.0.2.1", guessed.login_with("wrong")).send().await.assert_fault(FaultKind::LOGIN_FAILED);
    }
    from("192.0.2.1", user.login()).send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    assert_eq!(from("192.0.2.2", user.login()).send().await.status, 200);
    let right = draw(&app, &session, "guid").await;
    assert_eq!(from("192.0.2.1", login_answering(user, &user.password(), "guid", &right)).send().await.status, 200);
    // The address is known for this account from now on; the guessing of others it does not hide.
    assert_eq!(from("192.0.2.1", user.login()).send().await.status, 200);
    tenant.with_user("wang").await;
    let wang = User { account: "wang".to_owned(), ..user.clone() };
    from("192.0.2.1", wang.login()).send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    let events = tenant.audit(&bo_auth_store::record::AuditFilter::default()).await;
    assert_eq!(events.iter().filter(|event| event.kind == "session.started").count(), 4);
}

async fn a_new_picture_voids_the_one_before(app: TestApp) {
    let (_, session) = tenant_of_li(&app).await;
    let user = &session.user;
    fail_thrice(user).await;
    let earlier = draw(&app, &session, "guid").await;
    let later = draw(&app, &session, "guid").await;
    assert_ne!(earlier, later, "two of 3 million");
    login_answering(user, &user.password(), "guid", &earlier).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    let later = draw(&app, &session, "guid").await;
    assert_eq!(login_answering(user, &user.password(), "guid", &later).send().await.status, 200);
}

async fn an_answer_is_of_its_own_tenant(app: TestApp) {
    let (_, session) = tenant_of_li(&app).await;
    let foreign = app.with_tenant("other").await.with_user("li").await;
    fail_thrice(&foreign).await;
    // The failures of one tenant's account are not those of the other's.
    session.user.log_in().await;
    let right = draw(&app, &session, "guid").await;
    login_answering(&foreign, &foreign.password(), "guid", &right).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    fail_thrice(&session.user).await;
    assert_eq!(login_answering(&session.user, &session.user.password(), "guid", &right).send().await.status, 200);
}

/// On a clock that can be moved; Redis keeps its own.
async fn a_picture_is_valid_for_five_minutes(app: TestApp) {
    let (_, session) = tenant_of_li(&app).await;
    let user = &session.user;
    fail_thrice(user).await;
    let right = draw(&app, &session, "guid").await;
    app.advance(Duration::from_mins(5));
    login_answering(user, &user.password(), "guid", &right).send().await.assert_fault(FaultKind::CAPTCHA_INVALID);
    // A quarter of an hour after the first failure all is forgotten.
    app.advance(Duration::from_mins(10));
    user.log_in().await;
}
