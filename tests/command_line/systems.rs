//! `bo-auth system`.

use serde_json::json;

use super::NO_SERVER;
use crate::process::{Pair, Place, Request};

#[tokio::test]
async fn systems_are_added_listed_and_changed() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let added = place.run(&["system", "add", "--owner", "acme", "--sys", "app", "--name", "手机", "--setting", "output=hex"]).await;
    assert_eq!((added.text(), added.stderr.as_str()), ("system app of tenant acme\n", NO_SERVER));
    let added = place.json(&["system", "add", "--owner", "acme", "--sys", "kiosk"]).await;
    assert_eq!(added, json!({"ownerId": "acme", "sysId": "kiosk"}));

    let changed = place.run(&["system", "set", "--owner", "acme", "--sys", "app", "--name", "App", "--disable", "--default"]).await;
    assert_eq!(changed.text(), "system app of tenant acme is changed\n");
    let listed = place.run(&["system", "list", "--owner", "acme"]).await;
    let expected = "SYSTEM  NAME            STATE     SETTINGS\n\
        app     App    default  disabled  {\"output\":\"hex\"}\n\
        kiosk   kiosk           enabled   {}\n\
        web     web             enabled   {}\n";
    assert_eq!(listed.text(), expected);

    place
        .json(&[
            "system",
            "set",
            "--owner",
            "acme",
            "--sys",
            "app",
            "--enable",
            "--setting",
            "output=null",
            "--setting",
            "cipher=des-cbc-pkcs7",
        ])
        .await;
    let listed = place.json(&["system", "list", "--owner", "acme"]).await;
    let app = json!({"sysId": "app", "name": "App", "default": true, "disabled": false, "settings": {"cipher": "des-cbc-pkcs7"}});
    assert_eq!(listed[0], app);
}

#[tokio::test]
async fn a_system_that_cannot_be_changed_is_refused_with_the_reason() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    for (arguments, reason) in [
        (&["add", "--owner", "acme", "--sys", "web"][..], "exists already"),
        (&["add", "--owner", "nobody", "--sys", "web"], "there is no tenant `nobody`"),
        (&["add", "--owner", "acme", "--sys", "b", "--setting", "sessionLimit=0"], "sessionLimit"),
        (&["set", "--owner", "acme", "--sys", "nothing", "--disable"], "nothing"),
        (&["set", "--owner", "acme", "--sys", "web", "--setting", "colour=red"], "unknown field `colour`"),
        (
            &["set", "--owner", "acme", "--sys", "web", "--setting", r#"allowedOrigins=["https://App.Example:443"]"#],
            "browsers send this origin as `https://app.example`; write it so",
        ),
        (&["list", "--owner", "nobody"], "there is no tenant `nobody`"),
    ] {
        let refused = place.run(&[&["system"], arguments].concat()).await;
        assert!(refused.failure().contains(reason), "{arguments:?}: {refused:?}");
    }
    let both = place.run(&["system", "set", "--owner", "acme", "--sys", "web", "--disable", "--enable"]).await;
    assert_eq!(both.code, Some(2));
}

#[tokio::test]
async fn a_running_server_hears_of_systems_before_the_command_returns() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let set = async |arguments: &[&str]| place.json(&[&["system", "set", "--owner", "acme", "--sys", "web"], arguments].concat()).await;

    set(&["--disable"]).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "SYSTEM_DISABLED");
    set(&["--enable", "--setting", "accessTokenSeconds=60"]).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_KICKED", "disabling has ended it");
    assert_eq!(server.call(&frontend.login()).await.json()["data"]["token"]["expiresIn"], 60);
    set(&["--setting", "accessTokenSeconds=null"]).await;
    assert_eq!(server.call(&frontend.login()).await.json()["data"]["token"]["expiresIn"], 7_200);

    let preflight = Request::new("OPTIONS", "/bo/api/v3/auth/token/logout")
        .header("Origin", "https://app.example")
        .header("Access-Control-Request-Method", "DELETE");
    assert_eq!(server.call(&preflight).await.header("Access-Control-Allow-Origin"), None);
    set(&["--setting", r#"allowedOrigins=["https://app.example"]"#]).await;
    assert_eq!(server.call(&preflight).await.header("Access-Control-Allow-Origin"), Some("https://app.example"));

    place.json(&["system", "add", "--owner", "acme", "--sys", "app"]).await;
    let in_app = Pair::of(&server.call(&frontend.login().header("XsysId", "app")).await);
    assert_eq!(server.code(&frontend.current(&in_app)).await, "OK", "the token names its system");
    let elsewhere = frontend.current(&in_app).header("XsysId", "web");
    assert_eq!(server.code(&elsewhere).await, "TOKEN_INVALID", "a token of one system in another");
    place.json(&["system", "set", "--owner", "acme", "--sys", "app", "--default"]).await;
    let by_default = server.sign_in(&frontend).await;
    let named = frontend.current(&by_default).header("XsysId", "app");
    assert_eq!(server.code(&named).await, "OK", "a sign-in that names no system is one in the default system");
    server.stop().await;
}
