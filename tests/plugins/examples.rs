//! The worked examples of the documentation on what routes really answer.

use bo_auth_core::identifier::UserId;
use bo_auth_plugin::examples::ALL;
use bo_auth_service::operator::user::NewUser;
use serde_json::json;

use crate::support::{Answer, Tenant, TestApp, TestRequest, User};

one_backend!(Local:
    each_does_its_work_on_its_route_and_fails_on_none,
    the_consoles_sample_is_in_the_servers_words,
);

/// Sends a request with a plugin. A busy machine may let the time of a run pass; then it gets another chance.
async fn shaped(request: impl AsyncFn() -> TestRequest, plugin: &str) -> Answer {
    for _ in 0..9 {
        let answer = request().await.query("_nodejs", plugin).send().await;
        if !answer.header("x-plugin-error").is_some_and(|code| ["starved", "deadline", "queue_full"].contains(&code)) {
            assert_eq!(answer.header("x-plugin-error"), None, "{plugin}: {}", answer.text());
            return answer;
        }
    }
    panic!("{plugin} never got its time");
}

async fn with_mobile(tenant: &Tenant) -> User {
    let user = User { system: tenant.web(), account: "wang".to_owned(), id: UserId::parse("u-wang").unwrap() };
    let new = NewUser {
        user_id: Some(user.id.clone()),
        account: user.account.clone(),
        name: "王芳".to_owned(),
        mobile: Some("13800008000".to_owned()),
        push_name: Some("芳".to_owned()),
        area_codes: Vec::new(),
    };
    tenant.node.operator().add_user(&tenant.owner_id, new, &user.password()).await.unwrap();
    user
}

async fn each_does_its_work_on_its_route_and_fails_on_none(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    for example in ALL {
        tenant.publish(example.name, example.source).await;
    }
    let user = with_mobile(&tenant).await;
    let login = async || user.login();
    let refused = async || user.login_with("wrong");
    let session = user.signed_in().await;

    let answer = shaped(&login, "rename").await.json();
    assert_eq!((&answer["msg"], &answer["data"]["user"]["loginName"]), (&json!("登录成功"), &json!("wang")));
    assert_eq!(answer["data"]["user"]["pushAlias"], "芳");
    let answer = shaped(async || session.current_user(), "drop-empty").await.json();
    assert!(answer["data"]["userName"].is_string() && answer["data"].get("areaCodes").is_none(), "{answer}");
    let answer = shaped(&login, "display-name").await.json();
    assert_eq!(answer["data"]["user"]["displayName"], "王芳 (web)");
    let answer = shaped(&login, "mask-mobile").await.json();
    assert_eq!(answer["data"]["user"]["mobile"], "138****8000");
    let answer = shaped(&refused, "error-texts").await.json();
    assert_eq!((&answer["message"], &answer["error"]["errorText"]), (&json!("账号或密码不对，请再试一次"), &answer["message"]));
    let answer = shaped(async || session.refresh(), "number-format").await.json();
    assert_eq!(answer["data"]["token"]["hoursText"], "2.0 h");
    let session = user.log_in().await;
    let answer = shaped(async || session.list(), "time-format").await.json();
    assert!(answer["data"][0]["createdText"].as_str().is_some_and(|text| text.len() == 16), "{answer}");
    assert!(answer["data"][0]["minutes"].is_i64() && answer["writtenAt"].is_string(), "{answer}");
    let answer = shaped(async || session.list(), "totals,common-data-under").await.json();
    assert_eq!(answer["row_count"], json!(answer["data"].as_array().unwrap().len()));
    let answer = shaped(&login, "defaults").await.json();
    assert_eq!((&answer["data"]["user"]["pushName"], &answer["data"]["user"]["tags"]), (&json!("芳"), &json!([])));
    let app_system = tenant.with_system("app", json!({})).await;
    let app_user = user.of(&app_system);
    let answer = shaped(async || app_user.login(), "per-system").await.json();
    assert!(answer["data"]["token"]["access_token"].is_string() && answer["data"]["user"].get("user_name").is_none(), "{answer}");

    // Whoever names one of them for another route gets an answer of it too.
    for example in ALL {
        shaped(&login, example.name).await;
        shaped(&refused, example.name).await;
        shaped(async || session.current_user(), example.name).await;
        shaped(async || session.list(), example.name).await;
        shaped(async || session.logout().query("refreshToken", "x"), example.name).await;
        shaped(async || session.logout().header("Prefer", "return=representation"), example.name).await;
    }
}

async fn the_consoles_sample_is_in_the_servers_words(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let answer = session.current_user().send().await.json();
    let script = include_str!("../../crates/server/console/plugin/sample.js");
    let sample = script.split('`').nth(3).unwrap();
    let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
    assert_eq!(sample["message"], answer["message"]);
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sample), names(&answer));
}
