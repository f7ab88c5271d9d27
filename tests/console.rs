//! The console in a browser: the whole task of an administrator on the real binary, in headless Chromium
//! (`tests/clients/console/task.mjs` tells the steps). With `BO_AUTH_WRITE_DOCS` set it also draws the pictures of
//! `docs/console.md` anew.

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;

use crate::process::{Frontend, Place, Request, Server, new_owner};

/// What the administrator signs in with.
const ADMIN_PASSWORD: &str = "correct horse battery";

/// A server with a tenant, a user and an administrator of the platform.
async fn started() -> (Place, Server, Frontend) {
    let place = Place::embedded();
    let owner = new_owner("console");
    let made = place.json(&["tenant", "add", "--owner", &owner, "--name", "Console test", "--sys", "web"]).await;
    let frontend = Frontend::new(&owner, made["desKey"].as_str().unwrap());
    let password = place.file("password", Frontend::PASSWORD);
    place.json(&["user", "add", "--owner", &owner, "--account", "lin", "--name", "林晓", "--password-file", &password]).await;
    let password = place.file("admin-password", ADMIN_PASSWORD);
    place.json(&["admin", "add", "--account", "operator", "--name", "Operator", "--password-file", &password]).await;
    let server = Server::start(place.command(&["serve", "--listen", "127.0.0.1:0"])).await;
    (place, server, frontend)
}

#[tokio::test]
async fn an_administrator_does_the_whole_task_in_a_browser() {
    let (place, server, frontend) = started().await;
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/console");
    assert!(client.join("node_modules/.package-lock.json").exists(), "the client is not installed: run scripts/test");
    let stamps: Vec<String> = (0..20).map(|_| frontend.stamp()).collect();
    let mut task = Command::new("node");
    task.arg("task.mjs").current_dir(&client).env("BASE_URL", format!("http://{}", server.address()));
    task.env("OWNER", &frontend.owner).env("ADMIN_ACCOUNT", "operator").env("ADMIN_PASSWORD", ADMIN_PASSWORD);
    task.env("ACCOUNT", "lin").env("PASSWORD", frontend.encrypt(Frontend::PASSWORD)).env("STAMPS", stamps.join(" "));
    if std::env::var_os("BO_AUTH_WRITE_DOCS").is_some() {
        task.env("SCREENSHOTS", Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/console"));
    }
    let output = task.kill_on_drop(true).output().await.expect("Node.js is installed");
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{said}");
    let (_, log) = server.stop().await;
    let errors: Vec<&Value> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    assert!(errors.is_empty(), "{errors:?}");
    drop(place);
}

#[tokio::test]
async fn the_console_is_served_beside_the_contracts() {
    let place = Place::embedded();
    let server = Server::start(place.command(&["serve", "--listen", "127.0.0.1:0"])).await;
    let page = server.call(&Request::new("GET", "/console")).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(server.call(&Request::new("GET", "/console/")).await.body, page.body);

    let tag = page.header("etag").unwrap();
    let again = server.call(&Request::new("GET", "/console").header("If-None-Match", tag)).await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(tag)));

    let missing = server.call(&Request::new("GET", "/console/../app.rs")).await;
    assert_eq!((missing.status, missing.body.as_str()), (404, "Not found\n"));
    let refused = server.call(&Request::new("POST", "/console")).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    let other = server.call(&Request::new("GET", "/consoles")).await;
    assert_eq!((other.status, other.json()["error"]["errorCode"].as_str()), (404, Some("ROUTE_UNKNOWN")));
}
