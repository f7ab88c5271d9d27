//! What is published on one node answers on the other, without a restart and without anybody telling it.

use std::time::{Duration, Instant};

use super::saying;
use crate::support::{Session, TestApp};

one_backend!(Redis:
    a_publication_reaches_the_other_node,
    a_node_that_starts_knows_what_is_published,
);

/// A node looks for itself every second; this much later it must have.
const PATIENCE: Duration = Duration::from_secs(5);

async fn message(session: &Session, node: &TestApp) -> (Option<String>, String) {
    let answer = session.current_user().query("_nodejs", "mine").on(node).send().await;
    (answer.header("x-plugin-error").map(str::to_owned), answer.json()["message"].as_str().unwrap().to_owned())
}

/// Asks until the node answers so.
async fn reached(session: &Session, node: &TestApp, expected: &str) {
    let began = Instant::now();
    loop {
        let (failed, text) = message(session, node).await;
        assert_eq!(failed, None);
        if text == expected {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the node still answers {text}");
    }
}

async fn a_publication_reaches_the_other_node(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    for text in ["one", "two"] {
        app.advance(Duration::from_millis(10));
        tenant.publish("mine", &saying(text)).await;
        assert_eq!(message(&session, &app).await.1, text);
        reached(&session, &second, text).await;
    }
    app.advance(Duration::from_millis(10));
    app.service().plugin_desk().roll_back(&tenant.owner_id, "mine", None, None, "tester").await.unwrap();
    reached(&session, &second, "one").await;
    reached(&session, &app, "one").await;
    // One that fails on the one node is switched off on both.
    tenant.publish("mine", "fn process(response, ctx) { throw 1 }").await;
    for _ in 0..20 {
        session.current_user().query("_nodejs", "mine").send().await;
    }
    app.service().switch_off_failing_plugins().await.unwrap();
    second.service().refresh_plugins().await.unwrap();
    assert_eq!(message(&session, &second).await, (None, "one".to_owned()));
}

async fn a_node_that_starts_knows_what_is_published(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("one")).await;
    let second = app.second_node().await;
    assert_eq!(message(&session, &second).await, (None, "one".to_owned()));
}
