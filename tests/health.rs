//! `/readyz`: which store is gone, whether the node holds its lease, and whether its clock is right.

use std::time::Duration;

use http::Method;

use crate::support::{Backend, TestApp};

each_backend!(a_node_is_ready_while_its_clock_is_right);

async fn a_node_is_ready_while_its_clock_is_right(app: TestApp) {
    let ready = async || app.bare_request(Method::GET, "/readyz").send().await;
    let answer = ready().await;
    let body = answer.json();
    assert_eq!((answer.status, &body["database"]), (200, &"ok".into()), "{body}");
    let is_cluster = app.backend() == Backend::Redis;
    assert_eq!(body["lease"].is_string(), is_cluster, "{body}");
    assert_eq!(body["redis"] == "ok", is_cluster, "{body}");
    assert_eq!(body["clockSkewMillis"].is_number(), is_cluster, "{body}");
    app.advance(Duration::from_mins(1));
    let answer = ready().await;
    if is_cluster {
        assert_eq!((answer.status, &answer.json()["database"]), (503, &"clock skew".into()));
        assert_eq!(answer.json()["status"], "unavailable");
    } else {
        assert_eq!(answer.status, 200, "one machine has one clock");
    }
    let metrics = app.bare_request(Method::GET, "/metrics").send().await;
    assert!(metrics.text().contains("bo_auth_verifications_total"), "{}", metrics.text());
}
