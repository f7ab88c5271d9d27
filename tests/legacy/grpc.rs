//! gRPC with a client that nobody here wrote: Python's grpcio, which learns the messages from `proto/` or by reflection.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::process::Command;

use super::fleet_of_test::FleetOfTest;
use crate::support::TestApp;

one_backend!(Local: a_standard_client_signs_out_over_both_paths, it_learns_by_reflection_and_asks_for_health);

/// Runs the client and reads its answer.
async fn client(app: &TestApp, arguments: &[&str]) -> Value {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/grpc-client/bin/python");
    assert!(python.exists(), "the gRPC client is not installed; scripts/test installs it");
    let output = Command::new(python)
        .arg(root.join("tests/clients/grpc/client.py"))
        .arg(app.address().to_string())
        .args(arguments)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn a_standard_client_signs_out_over_both_paths(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for service in ["go.micro.srv.DeleteSession.Example", "example.Example"] {
        let mut browser = fleet.signed_in().await;
        let answer = client(&fleet.app, &["delete", service, browser.cookie()]).await;
        assert_eq!(answer, json!({"code": "OK", "Errno": "0", "Errmsg": "OK"}));
        assert!(browser.who().await.text().contains("4101"));
    }
    let answer = client(&fleet.app, &["delete", "example.Example", ""]).await;
    assert_eq!(answer, json!({"code": "OK", "Errno": "4101", "Errmsg": "用户未登录"}));
    let answer = client(&fleet.app, &["delete", "example.Sample", "x"]).await;
    assert_eq!(answer["code"], "UNIMPLEMENTED");
}

async fn it_learns_by_reflection_and_asks_for_health(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let answer = client(&fleet.app, &["reflect"]).await;
    let expected = json!(["go.micro.srv.DeleteSession.Example", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]);
    assert_eq!(answer["services"], expected);
    assert_eq!(answer["request"], json!({"Sessionid": 1}));
    assert_eq!(answer["response"], json!({"Errno": 1, "Errmsg": 2}));
    let mut browser = fleet.signed_in().await;
    let answer = client(&fleet.app, &["delete-by-reflection", browser.cookie()]).await;
    assert_eq!(answer, json!({"code": "OK", "Errno": "0", "Errmsg": "OK"}));
    assert!(browser.who().await.text().contains("4101"));
    for service in ["", "go.micro.srv.DeleteSession.Example"] {
        assert_eq!(client(&fleet.app, &["health", service]).await, json!({"code": "OK", "status": "SERVING"}));
    }
}
