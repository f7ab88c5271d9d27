//! What is published on one node answers on the others when that is answered, without a restart and without their looking for it.

use std::time::Duration;

use bo_auth_plugin::Plugin;
use bo_auth_service::Error;
use bo_auth_service::call::{PluginRule, RequestFacts, Shaping};
use bo_auth_service::plugin::platform;

use super::saying;
use crate::support::{Session, TestApp};

one_backend!(Redis:
    a_publication_holds_on_the_other_node_at_once,
    what_is_offered_to_all_holds_there_too,
    what_a_command_publishes_is_announced,
    what_fails_on_one_node_is_switched_off_on_both,
    what_is_no_longer_recorded_is_recorded_nowhere,
    a_node_without_a_lease_finds_it_in_the_database,
    a_node_that_starts_knows_what_is_published,
);

/// Nodes look for themselves every second. So many publications take a few of those seconds, so that looking could account for a
/// few of them, and not for all.
const PUBLICATIONS: usize = 60;

async fn message(session: &Session, node: &TestApp) -> (Option<String>, String) {
    let answer = session.current_user().query("_nodejs", "mine").on(node).send().await;
    (answer.header("x-plugin-error").map(str::to_owned), answer.json()["message"].as_str().unwrap().to_owned())
}

/// Lets both nodes get a lease, by which they hear of changes.
async fn both_hear(app: &TestApp, second: &TestApp) {
    while ![app, second].iter().all(|node| node.service().revocations.answers_from_memory()) {
        tokio::task::yield_now().await;
    }
}

async fn a_publication_holds_on_the_other_node_at_once(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    both_hear(&app, &second).await;
    for number in 0..PUBLICATIONS {
        app.advance(Duration::from_millis(10));
        tenant.publish("mine", &saying(&format!("version {number}"))).await;
        for node in [&second, &app] {
            assert_eq!(message(&session, node).await, (None, format!("version {number}")));
        }
    }
    let (desk_of, name) = (app.service(), "mine");
    desk_of.plugin_desk().roll_back(&tenant.owner_id, name, None, None, "tester").await.unwrap();
    assert_eq!(message(&session, &second).await.1, format!("version {}", PUBLICATIONS - 2));
    let canary = tenant.draft("mine", &saying("canary")).await;
    tenant.publish_version("mine", canary, Some(99)).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(message(&session, &second).await.1);
    }
    assert!(answers.iter().any(|answer| answer == "canary"), "{answers:?}");
    desk_of.plugin_desk().withdraw(&tenant.owner_id, name, None, "tester").await.unwrap();
    assert_eq!(message(&session, &second).await.1, "插件不存在");
    assert!(app.service().db.pending_marks(app.now().plus(Duration::from_secs(9)), app.now(), 9).await.unwrap().is_empty(), "all is told");
}

async fn what_is_offered_to_all_holds_there_too(app: TestApp) {
    let second = app.second_node().await;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let stranger = app.with_tenant("other").await.with_user("wu").await.signed_in().await;
    both_hear(&app, &second).await;
    let service = app.service();
    let desk = service.plugin_desk();
    for number in 0..PUBLICATIONS {
        app.advance(Duration::from_millis(10));
        let text = format!("version {number}");
        let version = desk.store(&platform(), "mine", &saying(&text), "tester", "").await.unwrap().version;
        desk.publish(&platform(), "mine", version, None, None, "tester").await.unwrap();
        for session in [&session, &stranger] {
            assert_eq!(message(session, &second).await, (None, text.clone()));
            assert_eq!(message(session, &app).await, (None, text.clone()));
        }
    }
    desk.withdraw(&platform(), "mine", None, "tester").await.unwrap();
    assert_eq!(message(&session, &second).await.1, "插件不存在");
}

async fn what_a_command_publishes_is_announced(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    both_hear(&app, &second).await;
    // As an operator's process does it, which is no node.
    let operator = app.node.operator();
    let service = app.service();
    let desk = operator.plugin_desk(&service.plugins);
    for number in 0..PUBLICATIONS {
        app.advance(Duration::from_millis(10));
        let text = format!("version {number}");
        let version = desk.store(&tenant.owner_id, "mine", &saying(&text), "tester", "").await.unwrap().version;
        desk.publish(&tenant.owner_id, "mine", version, None, None, "tester").await.unwrap();
        for node in [&second, &app] {
            assert_eq!(message(&session, node).await, (None, text.clone()));
        }
    }
}

async fn what_fails_on_one_node_is_switched_off_on_both(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    both_hear(&app, &second).await;
    tenant.publish("mine", &saying("one")).await;
    app.advance(Duration::from_millis(10));
    tenant.publish("mine", "fn process(response, ctx) { throw 1 }").await;
    let others = [tenant.with_user("wu").await.signed_in().await, tenant.with_user("xu").await.signed_in().await];
    for _ in 0..7 {
        for session in others.iter().chain([&session]) {
            session.current_user().query("_nodejs", "mine").send().await;
        }
    }
    app.service().switch_plugins().await.unwrap();
    for node in [&second, &app] {
        assert_eq!(message(&session, node).await, (None, "one".to_owned()));
    }
}

async fn what_is_no_longer_recorded_is_recorded_nowhere(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    both_hear(&app, &second).await;
    let service = app.service();
    for samples in [Some(3), None, Some(5), None] {
        service.plugin_desk().set_recording(&tenant.owner_id, samples, None, "tester").await.unwrap();
        session.current_user().on(&second).send().await;
        assert_eq!(second.service().plugin_activity.records(Some(tenant.owner_id.as_str())), samples.is_some());
    }
}

async fn a_node_without_a_lease_finds_it_in_the_database(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    // It hears nothing, keeps no lease, and never looks for itself.
    let service = app.idle_service().await;
    while service.revocations.answers_from_memory() {
        tokio::task::yield_now().await;
    }
    for number in 1..=3 {
        app.advance(Duration::from_millis(10));
        assert_eq!(tenant.publish("mine", &saying(&format!("version {number}"))).await, number);
        let owner_id = Some(tenant.owner_id.as_str());
        let facts = RequestFacts { owner_id, plugin: Some("mine"), ..RequestFacts::of_legacy("127.0.0.1", None) };
        let mut shaping = Shaping::default();
        let refused = service.open_call(&facts, PluginRule::Optional, &mut shaping).await.err();
        assert!(matches!(refused, Some(Error::ParameterMissing("XverifyApi"))), "the plugin is found before the stamp is read");
        assert_eq!(shaping.plugins.plugins().iter().map(Plugin::version).collect::<Vec<_>>(), [number]);
    }
}

async fn a_node_that_starts_knows_what_is_published(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("one")).await;
    let second = app.second_node().await;
    assert_eq!(message(&session, &second).await, (None, "one".to_owned()));
}
