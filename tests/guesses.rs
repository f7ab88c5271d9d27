//! Guessing (contract 1.2): what strangers do from elsewhere keeps no owner out, and no answer tells which names exist.

use bo_auth_core::identifier::OwnerId;
use bo_auth_server::proxy::TrustedProxies;
use bo_auth_service::operator::admin::NewAdmin;
use bo_auth_service::operator::user::NewUser;
use bo_auth_store::record::{AdminReach, AuditFilter, AuditRecord};
use http::Method;
use serde_json::{Value, json};

use crate::captcha::picture_code;
use crate::legacy::{fleet_of, serve, user_with_mobile};
use crate::support::{Answer, Tenant, TestApp, TestRequest, User, route};

each_backend!(
    a_stranger_who_guesses_keeps_no_owner_out,
    no_answer_tells_which_names_exist,
    each_failure_makes_its_own_address_wait_longer,
    guesses_from_many_addresses_ask_strangers_for_a_captcha_and_not_the_owner,
    an_operator_unlocks_a_user,
    a_failed_sign_in_leaves_a_trace,
    names_and_passwords_fit_in_every_form_in_which_they_are_typed,
);
one_backend!(Local:
    a_flood_of_failures_does_not_fill_the_trail,
    an_answer_is_kept_for_the_guess_that_must_wait,
    short_and_common_passwords_are_not_set_and_old_ones_go_on,
);

const OWNER: &str = "198.51.100.7";
const STRANGER: &str = "203.0.113.9";
const MOBILE: &str = "13800000042";

/// One way to sign in: by which contract, and as whom.
#[derive(Clone)]
struct Door {
    app_owner: OwnerId,
    request: TestRequest,
    name: (&'static str, String),
    right: Value,
    wrong: Value,
    captcha_path: String,
    captcha_owner: Option<String>,
}

impl Door {
    fn body(&self, password: &Value, captcha: Option<(&str, &str)>) -> Value {
        let mut body = json!({self.name.0: self.name.1, "password": password});
        if let Some((guid, code)) = captcha {
            body["verifyGuid"] = guid.into();
            body["verifyCode"] = code.into();
        }
        body
    }

    async fn try_from(&self, address: &str, right: bool, captcha: Option<(&str, &str)>) -> Answer {
        let password = if right { &self.right } else { &self.wrong };
        self.fresh().header("X-Forwarded-For", address).json(&self.body(password, captcha)).send().await
    }

    fn fresh(&self) -> TestRequest {
        self.request.clone()
    }

    /// What came of it, in one word.
    fn word(answer: &Answer) -> String {
        let body = answer.json();
        let code = body["error"]["errorCode"].as_str().or(body["code"].as_str()).or(body["errno"].as_str());
        let success = answer.status == 201 || body["code"] == 0 || body["errno"] == "0";
        if success { "OK".to_owned() } else { format!("{} {}", answer.status, code.unwrap_or_default()) }
    }

    /// Signs in as the owner does: with the right password, and with a captcha if it is asked for.
    async fn owner_signs_in(&self, app: &TestApp, guid: &str) -> String {
        let first = Self::word(&self.try_from(OWNER, true, None).await);
        if first == "OK" {
            return first;
        }
        let picture = app.bare_request(Method::GET, &self.captcha_path.replace("{}", guid)).header("X-Forwarded-For", OWNER);
        let picture = self.captcha_owner.iter().fold(picture, |request, owner| request.query("ownerId", owner));
        assert_eq!(picture.send().await.status, 200);
        let code = picture_code(app, &self.app_owner, guid).await;
        Self::word(&self.try_from(OWNER, true, Some((guid, &code))).await)
    }
}

async fn behind_a_proxy(app: &TestApp) {
    app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()])).await;
}

/// A tenant with a user who has a mobile number, and the usual limits for one account.
async fn tenant_with_mobile(app: &TestApp) -> (Tenant, User) {
    let tenant = app.with_tenant("acme").await;
    let user = user_with_mobile(&tenant, "li", "42", MOBILE).await;
    let mut web = tenant.web();
    web.change(json!({"accountLoginsPerMinute": 30, "allowPlainPassword": true, "replay": "off"})).await;
    serve(app, vec![fleet_of(&tenant)]).await;
    behind_a_proxy(app).await;
    (tenant, user)
}

fn v3(tenant: &Tenant, name: &str, password: &str) -> Door {
    Door {
        app_owner: tenant.owner_id.clone(),
        request: tenant.request(Method::POST, route::LOGIN),
        name: ("userName", name.to_owned()),
        right: password.into(),
        wrong: "wrong".into(),
        captcha_path: format!("{}/{{}}", route::CAPTCHA),
        captcha_owner: Some(tenant.owner_id.to_string()),
    }
}

fn v1(app: &TestApp, tenant: &Tenant, mobile: &str, password: &str) -> Door {
    let request = app.bare_request(Method::POST, "/api/v1.0/sessions");
    Door { request, name: ("mobile", mobile.to_owned()), ..v3(tenant, mobile, password) }
}

async fn admin(app: &TestApp) -> Door {
    let account = format!("admin-{}", bo_auth_core::random::alphanumeric(&bo_auth_core::random::SystemRandom::default(), 12));
    let new = NewAdmin { name: account.clone(), account: account.clone(), reach: AdminReach::Platform };
    let (_, change) = app.node.operator().add_admin(new, "correct horse battery").await.unwrap();
    app.node.apply(change).await;
    Door {
        app_owner: OwnerId::admin(),
        request: app.bare_request(Method::POST, "/admin/api/v1/sessions"),
        name: ("account", account),
        right: "correct horse battery".into(),
        wrong: "wrong".into(),
        captcha_path: "/admin/api/v1/captchas/{}".to_owned(),
        captcha_owner: None,
    }
}

/// More than two a second: the clock of the test stands, and sixty come first.
async fn a_stranger_who_guesses_keeps_no_owner_out(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    let doors = [v3(&tenant, "li", &user.password()), v1(&app, &tenant, MOBILE, &user.password()), admin(&app).await];
    for (number, door) in doors.iter().enumerate() {
        for _ in 0..60 {
            assert_ne!(Door::word(&door.try_from(STRANGER, false, None).await), "OK");
        }
        let mut got_in = 0;
        for attempt in 0..20 {
            for _ in 0..2 {
                door.try_from(STRANGER, false, None).await;
            }
            got_in += usize::from(door.owner_signs_in(&app, &format!("guid-{number}-{attempt}")).await == "OK");
        }
        assert_eq!(got_in, 20, "{}", door.name.0);
    }
}

async fn no_answer_tells_which_names_exist(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    // An account of this mobile number, one of another, and nobody: each with the same history, from an address of its own.
    let other = NewUser {
        user_id: None,
        account: "13800000043".to_owned(),
        name: "x".to_owned(),
        mobile: None,
        push_name: None,
        area_codes: Vec::new(),
    };
    app.node.operator().add_user(&tenant.owner_id, other, &user.password()).await.unwrap();
    let histories = [
        // Three failures by one contract, then the other; mixed; and so long that delays begin.
        vec!["v1", "v1", "v1", "v3", "v1"],
        vec!["v3", "v3", "v3", "v1", "v3"],
        vec!["v3", "v1", "v3", "v1", "v3"],
    ];
    for (number, history) in histories.iter().enumerate() {
        let mut answers = Vec::new();
        for (place, name) in [MOBILE, "13800000043", "13800000044"].into_iter().enumerate() {
            let address = format!("203.0.113.{}", 10 * number + place);
            app.node.apply(app.node.operator().unlock_user(&tenant.owner_id, "li").await.unwrap()).await;
            app.node.apply(app.node.operator().unlock_user(&tenant.owner_id, "13800000043").await.unwrap()).await;
            let mut words = Vec::new();
            for contract in history {
                let door = if *contract == "v1" { v1(&app, &tenant, name, "wrong") } else { v3(&tenant, name, "wrong") };
                words.push(Door::word(&door.try_from(&address, false, None).await));
            }
            answers.push(words);
        }
        assert_eq!(answers[0], answers[1], "{history:?}");
        assert_eq!(answers[0], answers[2], "{history:?}");
        assert!(answers[0][3].ends_with("CAPTCHA_REQUIRED") || answers[0][3].ends_with("4201"), "they are counted together: {answers:?}");
    }
    // Whose number it is cannot be read from the account either.
    for _ in 0..3 {
        v1(&app, &tenant, MOBILE, "wrong").try_from("203.0.113.99", false, None).await;
    }
    assert_eq!(Door::word(&v3(&tenant, "li", "wrong").try_from("203.0.113.99", false, None).await), "401 LOGIN_FAILED");
}

async fn each_failure_makes_its_own_address_wait_longer(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    let mut web = tenant.web();
    web.change(json!({"captchaAfterFailures": 1_000})).await;
    let door = v3(&tenant, "li", &user.password());
    for _ in 0..5 {
        assert_eq!(Door::word(&door.try_from(STRANGER, false, None).await), "401 LOGIN_FAILED");
    }
    // The sixth is still made; from then on each must wait for the one before.
    assert_eq!(Door::word(&door.try_from(STRANGER, false, None).await), "401 LOGIN_FAILED");
    let refused = door.try_from(STRANGER, true, None).await;
    assert_eq!(Door::word(&refused), "429 RATE_LIMITED");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&seconds), "{seconds}");
    assert_eq!(door.owner_signs_in(&app, "guid").await, "OK", "another address does not wait");
    assert_eq!(Door::word(&v3(&tenant, "nobody", "wrong").try_from(STRANGER, false, None).await), "401 LOGIN_FAILED");
}

async fn guesses_from_many_addresses_ask_strangers_for_a_captcha_and_not_the_owner(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    let door = v3(&tenant, "li", &user.password());
    assert_eq!(Door::word(&door.try_from(OWNER, true, None).await), "OK");
    for number in 0..12 {
        assert_eq!(Door::word(&door.try_from(&format!("203.0.113.{number}"), false, None).await), "401 LOGIN_FAILED");
    }
    // From an address that has not signed the owner in, the right password needs a captcha now, and gets in with one.
    assert_eq!(Door::word(&door.try_from("192.0.2.1", true, None).await), "401 CAPTCHA_REQUIRED");
    assert_eq!(Door::word(&door.try_from(OWNER, true, None).await), "OK", "the owner's own address is known");
    let picture = app.bare_request(Method::GET, &format!("{}/other", route::CAPTCHA)).query("ownerId", tenant.owner_id.as_str());
    assert_eq!(picture.send().await.status, 200);
    let code = picture_code(&app, &tenant.owner_id, "other").await;
    assert_eq!(Door::word(&door.try_from("192.0.2.1", true, Some(("other", &code))).await), "OK");
    assert_eq!(Door::word(&door.try_from("192.0.2.1", true, None).await), "OK", "and is known from then on");
}

async fn an_operator_unlocks_a_user(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    let (by_account, by_mobile) = (v3(&tenant, "li", &user.password()), v1(&app, &tenant, MOBILE, &user.password()));
    for _ in 0..3 {
        by_account.try_from(OWNER, false, None).await;
        by_mobile.try_from(OWNER, false, None).await;
    }
    assert_eq!(Door::word(&by_account.try_from(OWNER, true, None).await), "401 CAPTCHA_REQUIRED");
    assert_eq!(Door::word(&by_mobile.try_from(OWNER, true, None).await), "200 4201");
    app.node.apply(app.node.operator().unlock_user(&tenant.owner_id, "li").await.unwrap()).await;
    assert_eq!(Door::word(&by_account.try_from(OWNER, true, None).await), "OK");
    assert_eq!(Door::word(&by_mobile.try_from(OWNER, true, None).await), "OK");
    assert_eq!(kinds(&tenant, "user.unlocked").await.len(), 1);

    let admin = admin(&app).await;
    for _ in 0..3 {
        admin.try_from(OWNER, false, None).await;
    }
    assert_eq!(Door::word(&admin.try_from(OWNER, true, None).await), "401 CAPTCHA_REQUIRED");
    app.node.apply(app.node.operator().unlock_admin(&admin.name.1).await.unwrap()).await;
    assert_eq!(Door::word(&admin.try_from(OWNER, true, None).await), "OK");
}

async fn kinds(tenant: &Tenant, kind: &str) -> Vec<AuditRecord> {
    tenant.audit(&AuditFilter { kind: Some(kind.to_owned()), ..AuditFilter::default() }).await
}

async fn a_failed_sign_in_leaves_a_trace(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    v3(&tenant, "li", "wrong").try_from(STRANGER, false, None).await;
    v1(&app, &tenant, "13900000000", "wrong").try_from(STRANGER, false, None).await;
    let mut events = kinds(&tenant, "sign-in.failed").await;
    // Ids of one instant follow no order of their own; the clock stands still here.
    events.sort_by_key(|event| event.trace["details"]["contract"] == "v3");
    let told: Vec<Value> = events.iter().rev().map(|event| event.trace.clone()).collect();
    let line = |name: &str, contract: &str| json!({"address": STRANGER, "details": {"name": name, "reason": "LOGIN_FAILED", "contract": contract}});
    assert_eq!(told, [line("li", "v3"), line("13900000000", "v1")]);
    assert_eq!(events.iter().rev().map(|event| event.user_id.clone()).collect::<Vec<_>>(), [Some(user.id.clone()), None]);

    let admin = admin(&app).await;
    admin.try_from(STRANGER, false, None).await;
    let filter = AuditFilter { kind: Some("sign-in.failed".to_owned()), ..AuditFilter::default() };
    let events = app.service().db.list_audit_events(&OwnerId::admin(), &filter, None, 10).await.unwrap();
    assert_eq!(events[0].trace["details"], json!({"name": admin.name.1, "reason": "LOGIN_FAILED", "contract": "admin"}));
}

async fn a_flood_of_failures_does_not_fill_the_trail(app: TestApp) {
    let (tenant, _) = tenant_with_mobile(&app).await;
    for _ in 0..30 {
        v3(&tenant, "li", "wrong").try_from(STRANGER, false, None).await;
    }
    assert_eq!(kinds(&tenant, "sign-in.failed").await.len(), 5, "of one name from one address");
    for number in 0..60 {
        v3(&tenant, &format!("name-{number}"), "wrong").try_from(STRANGER, false, None).await;
    }
    assert_eq!(kinds(&tenant, "sign-in.failed").await.len(), 40, "of one address");
}

async fn an_answer_is_kept_for_the_guess_that_must_wait(app: TestApp) {
    let (tenant, user) = tenant_with_mobile(&app).await;
    let door = v3(&tenant, "li", &user.password());
    let draw = async |guid: &str| {
        let picture = app.bare_request(Method::GET, &format!("{}/{guid}", route::CAPTCHA)).query("ownerId", tenant.owner_id.as_str());
        assert_eq!(picture.send().await.status, 200);
        picture_code(&app, &tenant.owner_id, guid).await
    };
    for _ in 0..3 {
        door.try_from(OWNER, false, None).await;
    }
    for number in 0..3 {
        let guid = format!("wrong-{number}");
        let code = draw(&guid).await;
        assert_eq!(Door::word(&door.try_from(OWNER, false, Some((&guid, &code))).await), "401 LOGIN_FAILED");
    }
    let code = draw("right").await;
    assert_eq!(Door::word(&door.try_from(OWNER, true, Some(("right", &code))).await), "429 RATE_LIMITED");
    app.advance(std::time::Duration::from_secs(3));
    assert_eq!(Door::word(&door.try_from(OWNER, true, Some(("right", &code))).await), "OK");
}

async fn names_and_passwords_fit_in_every_form_in_which_they_are_typed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let mut web = tenant.web();
    web.change(json!({"allowPlainPassword": true})).await;
    let operator = app.node.operator();
    let new = |account: &str, mobile: Option<&str>| NewUser {
        user_id: None,
        account: account.to_owned(),
        name: account.to_owned(),
        mobile: mobile.map(str::to_owned),
        push_name: None,
        area_codes: Vec::new(),
    };
    let zoe = operator
        .add_user(&tenant.owner_id, new(" Zoe\u{308}４２\u{3000}", Some("１３８００００００４２")), "café ｈｏｒｓｅ 张三")
        .await
        .unwrap();
    assert_eq!((zoe.account.as_str(), zoe.mobile.as_deref()), ("Zo\u{eb}42", Some("13800000042")));
    for (name, password) in [
        ("Zo\u{eb}42", "caf\u{e9} horse 张三"),
        ("Zoe\u{308}42", "cafe\u{301} horse 张三"),
        ("  Ｚｏ\u{eb}４２ ", "cafe\u{301} ｈｏｒｓｅ 张三"),
    ] {
        let answer = tenant.request(Method::POST, route::LOGIN).json(&json!({"userName": name, "password": password})).send().await;
        assert_eq!(answer.status, 200, "{name:?} {password:?}: {}", answer.text());
    }
    // What an older version has stored goes on working, and nobody else can have it in another form.
    let old = |account: &str| bo_auth_store::record::UserRecord {
        user_id: bo_auth_core::identifier::UserId::parse("old").unwrap(),
        account: account.to_owned(),
        name: "old".to_owned(),
        mobile: Some("１３９".to_owned()),
        push_name: None,
        area_codes: Vec::new(),
        disabled: false,
        updated_at: app.now(),
    };
    let password = "ｏｌｄ password of 2020";
    let hash = hash_as_typed(password);
    app.service().db.insert_user(&tenant.owner_id, &old("ｗａｎｇ"), &hash, app.now()).await.unwrap();
    for name in ["ｗａｎｇ", "wang"] {
        let answer = tenant.request(Method::POST, route::LOGIN).json(&json!({"userName": name, "password": password})).send().await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    let answer = tenant.request(Method::POST, route::LOGIN).json(&json!({"userName": "wang", "password": "old password of 2020"}));
    assert_eq!(answer.send().await.status, 200, "the sign-in has hashed it anew, in its normal form");
    for taken in [new("wang", None), new("Zoe\u{308}42", None), new("another", Some("139")), new("another", Some("13800000042"))] {
        let refused = operator.add_user(&tenant.owner_id, taken, "correct horse").await;
        assert!(matches!(refused, Err(bo_auth_service::Error::Conflict(_))), "{refused:?}");
    }
}

/// A hash as older versions made it, of the bytes that were typed: "ｏｌｄ password of 2020" at the cost of the tests.
fn hash_as_typed(password: &str) -> String {
    use bo_auth_core::password::{Fit, PasswordHasher};
    assert_eq!(password, "ｏｌｄ password of 2020");
    let hash = OLD_HASH.to_owned();
    assert_eq!(PasswordHasher::new(crate::support::CHEAP).unwrap().verify(password.as_bytes(), &hash), Fit::AsTyped);
    hash
}

const OLD_HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$AwMDAwMDAwMDAwMDAwMDAw$B/RoI73GdqOBarJKkBn4x+xQahSZFN67gVBPbQOpAWY";

async fn short_and_common_passwords_are_not_set_and_old_ones_go_on(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let operator = app.node.operator();
    let user = tenant.with_user("li").await;
    for password in ["x", "1234567", "password", "12345678", "woaini520"] {
        let refused = operator.set_password(&tenant.owner_id, "li", password).await;
        assert!(matches!(refused, Err(bo_auth_service::Error::Refused(_))), "{password}");
    }
    user.log_in().await;
    // A tenant that asks for less has set a short one; asking for more again ends nobody's.
    let mut record = app.service().db.find_tenant(&tenant.owner_id).await.unwrap().unwrap();
    record.settings["passwordMinLength"] = 1.into();
    record.settings["passwordRefuseCommon"] = false.into();
    change_tenant(&app, &record).await;
    let (change, _) = operator.set_password(&tenant.owner_id, "li", "x").await.unwrap();
    app.node.apply(change).await;
    record.settings["passwordMinLength"] = 12.into();
    change_tenant(&app, &record).await;
    assert_eq!(user.login_with("x").send().await.status, 200);
    assert!(operator.set_password(&tenant.owner_id, "li", "elevenchars").await.is_err());
}

async fn change_tenant(app: &TestApp, record: &bo_auth_store::record::TenantRecord) {
    let change = bo_auth_store::record::Administration::ChangeTenant(record);
    app.service().db.administer(&record.owner_id, &change, None, app.now(), None, None).await.unwrap();
    app.node.apply(bo_auth_service::operator::Change { owner_id: record.owner_id.clone(), user_id: None }).await;
}
