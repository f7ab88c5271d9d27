//! `bo-auth serve --demo`: what it prints is pasted into a shell as it stands.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::{Frontend, Place, Server};

/// Starts a demo; answers it with the lines it printed.
async fn demo(place: &Place) -> (Server, String) {
    let mut server = place.serve(&["--demo"]).await;
    let printed = server.printed_until("curl -s -X DELETE").await;
    (server, printed)
}

#[tokio::test]
async fn the_printed_calls_run_as_they_stand() {
    let place = Place::embedded();
    let (server, printed) = demo(&place).await;
    assert!(printed.contains(&format!("http://{}/docs", server.address())), "{printed}");
    let calls = printed.split_once("Paste into another terminal, as often as you like:\n").unwrap().1;
    for _ in 0..2 {
        let output = Command::new("bash")
            .args(["-eu", "-c", calls])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let output = String::from_utf8(output.stdout).unwrap();
        let [login, current, logout] = output.lines().collect::<Vec<_>>()[..] else { panic!("three answers: {output}") };
        let (login, current): (Value, Value) = (serde_json::from_str(login).unwrap(), serde_json::from_str(current).unwrap());
        assert_eq!((&login["code"], &login["data"]["user"]["userName"]), (&json!(0), &json!("demo")));
        assert_eq!((&current["code"], &current["data"]), (&json!(0), &login["data"]["user"]));
        assert_eq!(logout, Frontend::SIGNED_OUT);
    }
    server.stop().await;

    let listed = place.json(&["session", "list", "--owner", "demo", "--ended"]).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let (server, _) = demo(&place).await;
    assert_eq!(place.json(&["session", "list", "--owner", "demo", "--ended"]).await, listed, "a second start finds what was there");
    server.stop().await;
}

#[tokio::test]
async fn programs_are_told_the_address_alone() {
    let place = Place::embedded();
    let server = place.serve(&["--demo", "--json"]).await;
    let address = server.address().to_string();
    let (stdout, _) = server.stop().await;
    assert_eq!(stdout, format!("{}\n", json!({"listening": address})));
}
