//! `bo-auth admin`.

use serde_json::json;

use crate::process::{Place, finish};

#[tokio::test]
async fn administrators_are_added_listed_and_disabled() {
    let place = Place::embedded();
    assert_eq!(place.json(&["admin", "list"]).await, json!([]));
    place.json(&["tenant", "add", "--owner", "acme"]).await;
    let root = place.json(&["admin", "add", "--account", "root"]).await;
    assert_eq!((&root["role"], &root["ownerId"], root["password"].as_str().unwrap().len()), (&json!("platform"), &json!(null), 18));
    let carol = place.json(&["admin", "add", "--account", "carol", "--name", "Carol", "--owner", "acme"]).await;
    assert_eq!((&carol["role"], &carol["ownerId"], &carol["name"]), (&json!("tenant"), &json!("acme"), &json!("Carol")));
    assert_eq!(place.json(&["admin", "disable", "--account", "carol"]).await["disabled"], true);
    let listed = place.json(&["admin", "list"]).await;
    let states: Vec<_> = listed.as_array().unwrap().iter().map(|admin| (&admin["account"], &admin["disabled"])).collect();
    assert_eq!(states, [(&json!("carol"), &json!(true)), (&json!("root"), &json!(false))]);
    assert_eq!(place.json(&["admin", "disable", "--account", "carol", "--undo"]).await["disabled"], false);
    let renewed = place.json(&["admin", "set-password", "--account", "root"]).await;
    assert_ne!(renewed["password"], root["password"]);
    // The tenant they are of is nobody's to see or to add.
    let tenants = place.json(&["tenant", "list"]).await;
    assert_eq!(tenants.as_array().unwrap().len(), 1);
    for (arguments, expected) in [
        (&["admin", "add", "--account", "root"][..], "error: there is an administrator of this account already"),
        (&["admin", "add", "--account", "dave", "--owner", "nowhere"], "error: there is no tenant `nowhere`"),
        (&["admin", "disable", "--account", "nobody"], "error: there is no administrator of this account"),
        (&["tenant", "add", "--owner", "bo-admin"], "error: `bo-admin` is reserved"),
        (&["user", "list", "--owner", "bo-admin"], "error: there is no tenant `bo-admin`"),
        (&["user", "add", "--owner", "bo-admin", "--account", "x"], "error: there is no tenant `bo-admin`"),
    ] {
        let refused = finish(place.command(arguments)).await;
        assert!(refused.failure().starts_with(expected), "{arguments:?}: {refused:?}");
    }
}
