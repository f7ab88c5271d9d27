//! A version that answers some of the requests, with its error rate beside the active one's.

use super::saying;
use crate::support::TestApp;

each_backend!(a_canary_gets_its_share_and_its_own_error_rate);

one_backend!(Local: a_failing_canary_stands_back_alone);

async fn a_canary_gets_its_share_and_its_own_error_rate(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("active")).await;
    let canary = r#"fn process(response, ctx) { if ctx.params._fail == "yes" { throw 1 } response.set("message", "canary") }"#;
    let version = tenant.draft("mine", canary).await;
    tenant.publish_version("mine", version, Some(20)).await;
    let mut seen = [0, 0, 0];
    for call in 0..100 {
        let fail = if call < 50 { "yes" } else { "no" };
        let answer = session.current_user().query("_nodejs", "mine").query("_fail", fail).send().await;
        match (answer.header("x-plugin-error"), answer.json()["message"].as_str()) {
            (None, Some("active")) => seen[0] += 1,
            (None, Some("canary")) => seen[1] += 1,
            (Some("exception"), _) => seen[2] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, [80, 10, 10]);
    let service = app.service();
    service.save_plugin_activity().await.unwrap();
    let desk = service.plugin_desk();
    let record = desk.find(&tenant.owner_id, "mine").await.unwrap();
    assert_eq!(record.canary.map(|canary| (canary.version, canary.share_percent)), Some((version, 20)));
    let statistics = desk.statistics(&tenant.owner_id, &record, 24).await.unwrap();
    let canary = statistics.canary.unwrap();
    assert_eq!((statistics.active.runs, statistics.active.failures, canary.runs, canary.failures), (80, 0, 20, 10));
    // For all: it is the active version then.
    tenant.publish_version("mine", version, None).await;
    assert_eq!(session.current_user().query("_nodejs", "mine").send().await.json()["message"], "canary");
}

async fn a_failing_canary_stands_back_alone(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("active")).await;
    let version = tenant.draft("mine", "fn process(response, ctx) { throw 1 }").await;
    tenant.publish_version("mine", version, Some(50)).await;
    let others = [tenant.with_user("wu").await.signed_in().await, tenant.with_user("xu").await.signed_in().await];
    for _ in 0..14 {
        for session in others.iter().chain([&session]) {
            session.current_user().query("_nodejs", "mine").send().await;
        }
    }
    let answers = async || {
        let answer = session.current_user().query("_nodejs", "mine").send().await;
        (answer.header("x-plugin-error").map(str::to_owned), answer.json()["message"].as_str().map(str::to_owned))
    };
    for _ in 0..3 {
        assert_eq!(answers().await, (None, Some("active".to_owned())), "this node leaves it out at once");
    }
    let service = app.service();
    service.switch_plugins().await.unwrap();
    assert_eq!(answers().await, (None, Some("active".to_owned())));
    let listed = service.plugin_desk().list(&tenant.owner_id).await.unwrap();
    let listed = listed.iter().find(|plugin| plugin.name == "mine").unwrap();
    assert_eq!(listed.switches.iter().map(|off| off.version).collect::<Vec<_>>(), [version]);
    let record = listed.record.as_ref().unwrap();
    assert_eq!((record.active_version, record.canary.map(|canary| canary.version)), (Some(1), Some(version)), "it is tried again");
}
