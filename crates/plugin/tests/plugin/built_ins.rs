//! `common-data` and `common-data-under`, as the server runs them.

use bo_auth_plugin::{Plugins, casing};
use serde_json::{Value, json};

use super::{context, envelope};

async fn run(name: &str, envelope: Value) -> Value {
    let plugins = Plugins::new().unwrap();
    let plugin = plugins.find(None, name).unwrap();
    let outcome = plugins.run(&plugin, envelope, &context()).await;
    assert_eq!((outcome.failure, outcome.log), (None, String::new()));
    outcome.response
}

#[tokio::test]
async fn common_data_is_the_native_camel_case() {
    let mixed = json!({"code": 0, "success": true, "DATA": {"user_id": 1, "User_Name": [{"area2_code": "4"}]}});
    let mut expected = mixed.clone();
    casing::camel(&mut expected);
    assert_eq!(run("common-data", mixed).await.to_string(), expected.to_string());
}

#[tokio::test]
async fn common_data_under_is_the_native_snake_case() {
    let mut expected = envelope();
    casing::snake(&mut expected);
    assert_eq!(run("common-data-under", envelope()).await.to_string(), expected.to_string());
    assert!(expected.to_string().contains("access_token"));
}

#[tokio::test]
async fn no_envelope_is_too_large_or_too_strange_for_a_built_in() {
    let many: Value = (0..50_000).map(|number| (format!("key_{number}_x"), Value::from(number))).collect();
    assert_eq!(run("common-data", json!({"data": many})).await["data"].as_object().unwrap().len(), 50_000);
    for strange in [Value::Null, json!([1, {"a_b": 2}]), json!("text"), json!({})] {
        run("common-data", strange).await;
    }
}

#[tokio::test]
async fn built_ins_need_no_tenant_and_no_other_name_is_found() {
    let plugins = Plugins::new().unwrap();
    for owner in [None, Some("demo")] {
        assert!(plugins.find(owner, "common-data").is_some_and(|plugin| plugin.is_built_in()));
        for name in ["", "common", "Common-Data", "fn-common-data", "../scripts/fn-common-data", "common-data.rhai"] {
            assert!(plugins.find(owner, name).is_none(), "{name}");
        }
    }
}
