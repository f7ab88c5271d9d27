//! `_nodejs=a,b`: one after the other, all or none.

use bo_auth_server::fault::FaultKind;
use serde_json::json;

use super::saying;
use crate::support::TestApp;

each_backend!(each_gets_what_the_one_before_made);

one_backend!(Local:
    an_unknown_name_is_refused_before_anything_is_done,
    where_one_fails_the_envelope_goes_out_as_it_was,
    no_detour_changes_a_reserved_member,
    a_systems_default_may_be_a_chain,
);

const ADD: &str = r#"fn process(response, ctx) { response.set("data.display_name", "<" + response.data.user_name + ">") }"#;

async fn each_gets_what_the_one_before_made(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("add", ADD).await;
    let answer = session.current_user().query("_nodejs", "common-data-under,add,common-data").send().await;
    assert_eq!(answer.header("x-plugin-error"), None);
    assert_eq!(answer.json()["data"]["displayName"], "<li>");
    // In another order the name is not there yet.
    let answer = session.current_user().query("_nodejs", "add,common-data-under").send().await.json();
    assert_eq!((&answer["data"]["display_name"], &answer["data"]["user_name"]), (&json!("<>"), &json!("li")));
}

async fn an_unknown_name_is_refused_before_anything_is_done(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("mine")).await;
    for names in ["mine,no-such", "no-such,mine", "mine,", ",mine", "mine,,mine", "mine, common-data", "mine,mine,mine,mine,mine"] {
        session.logout().query("_nodejs", names).send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    }
    session.assert_live().await;
    assert_eq!(session.current_user().query("_nodejs", "mine,mine,mine,mine").send().await.status, 200);
}

async fn where_one_fails_the_envelope_goes_out_as_it_was(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("good", &saying("changed")).await;
    tenant.publish("bad", r#"fn process(response, ctx) { throw "no" }"#).await;
    for names in ["good,bad", "bad,good", "common-data-under,good,bad"] {
        let answer = session.logout().query("_nodejs", names).send().await;
        answer.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
        assert_eq!(answer.header("x-plugin-error"), Some("exception"));
    }
}

async fn no_detour_changes_a_reserved_member(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("away", r#"fn process(response, ctx) { response.rename(#{code: "status"}) }"#).await;
    tenant.publish("fake", r#"fn process(response, ctx) { response.set("status", 0) }"#).await;
    tenant.publish("back", r#"fn process(response, ctx) { response.rename(#{status: "code"}) }"#).await;
    for names in ["away,fake", "away,fake,back"] {
        let answer = session.current_user().query("_nodejs", names).header("XsysId", "nowhere").send().await;
        answer.assert_fault(FaultKind::SYSTEM_UNKNOWN);
        assert_eq!(answer.header("x-plugin-error"), Some("reserved_changed"), "{names}");
    }
    let renamed = session.current_user().query("_nodejs", "away").send().await;
    assert_eq!(renamed.json()["status"], 0);
}

async fn a_systems_default_may_be_a_chain(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.publish("add", ADD).await;
    let system = tenant.with_system("old", json!({"defaultPlugin": "common-data-under,add"})).await;
    let session = tenant.with_user("li").await.of(&system).signed_in().await;
    assert_eq!(session.current_user().send().await.json()["data"]["display_name"], "<li>");
}
