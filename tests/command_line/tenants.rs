//! `bo-auth tenant`.

use serde_json::json;

use super::NO_SERVER;
use crate::process::Place;

#[tokio::test]
async fn tenants_are_added_and_listed() {
    let place = Place::embedded();
    let added = place.run(&["tenant", "add", "--owner", "acme", "--name", "绿地", "--sys", "app", "--des-key", "k3y"]).await;
    let expected = "tenant acme with system app\nDES key (shown once; it goes into the frontend's bundle): k3y\nnext: bo-auth user add --owner acme --account NAME\n";
    assert_eq!((added.text(), added.stderr.as_str()), (expected, NO_SERVER));

    let added = place.run(&["tenant", "add", "--owner", "zeta", "--setting", "accessTokenSeconds=900", "--json"]).await;
    let key = added.json()["desKey"].as_str().unwrap().to_owned();
    assert!(key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
    assert_eq!((added.json(), added.stderr.as_str()), (json!({"ownerId": "zeta", "sysId": "web", "desKey": key}), ""));

    let listed = place.run(&["tenant", "list"]).await;
    let expected = "OWNER  NAME  DEFAULT SYSTEM  STATE\nacme   绿地  app             enabled\nzeta   zeta  web             enabled\n";
    assert_eq!((listed.text(), listed.stderr.as_str()), (expected, ""));
    let acme = json!({"ownerId": "acme", "name": "绿地", "defaultSysId": "app", "disabled": false, "settings": {}});
    let zeta =
        json!({"ownerId": "zeta", "name": "zeta", "defaultSysId": "web", "disabled": false, "settings": {"accessTokenSeconds": 900}});
    assert_eq!(place.json(&["tenant", "list"]).await, json!([acme, zeta]));
    assert_eq!(place.json(&["tenant", "list", "--limit", "1"]).await, json!([acme]));
    assert_eq!(place.json(&["tenant", "list", "--after", "acme"]).await, json!([zeta]));
}

#[tokio::test]
async fn a_tenant_that_cannot_be_added_is_refused_with_the_reason() {
    let place = Place::embedded();
    place.json(&["tenant", "add", "--owner", "acme"]).await;
    for (arguments, reason) in [
        (&["--owner", "acme"][..], "tenant `acme` exists already"),
        (&["--owner", "b", "--setting", "colour=red"], "the settings document is not valid: unknown field `colour`"),
        (&["--owner", "b", "--setting", "accessTokenSeconds=1"], "accessTokenSeconds"),
        (&["--owner", "b", "--des-key", ""], "a DES key has at least one character"),
    ] {
        let refused = place.run(&[&["tenant", "add"], arguments].concat()).await;
        assert!(refused.failure().starts_with("error: ") && refused.failure().contains(reason), "{refused:?}");
    }
    for arguments in [&["--owner", "a b"][..], &["--owner", "b", "--setting", "colour"], &["--owner", "b", "--algorithm", "none"]] {
        let refused = place.run(&[&["tenant", "add"], arguments].concat()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    assert_eq!(place.json(&["tenant", "list"]).await.as_array().unwrap().len(), 1);

    let refused = place.run(&["tenant", "disable", "--owner", "b", "--json"]).await;
    let expected = json!({"error": "there is no tenant `b`; `bo-auth tenant list` shows those there are"}).to_string();
    assert_eq!(refused.failure(), expected);
}

#[tokio::test]
async fn a_running_server_hears_of_tenants_before_the_command_returns() {
    let place = Place::embedded();
    let server = place.serve(&[]).await;
    let frontend = place.with_tenant("acme").await;
    let pair = server.sign_in(&frontend).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "OK");

    let disabled = place.run(&["tenant", "disable", "--owner", "acme"]).await;
    assert_eq!((disabled.text(), disabled.stderr.as_str()), ("tenant acme is disabled\n", ""));
    for request in [frontend.current(&pair), frontend.refresh(&pair), frontend.login(), frontend.logout("GET", &pair)] {
        assert_eq!(server.code(&request).await, "TENANT_DISABLED");
    }
    assert_eq!(place.json(&["tenant", "disable", "--owner", "acme", "--undo"]).await, json!({"ownerId": "acme", "disabled": false}));
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_KICKED", "disabling has ended it");
    let pair = server.sign_in(&frontend).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "OK");
    server.stop().await;
}
