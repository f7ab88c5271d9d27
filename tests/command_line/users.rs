//! `bo-auth user`.

use serde_json::json;

use crate::process::{Frontend, Pair, Place};

#[tokio::test]
async fn users_are_added_and_listed() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let made =
        place.run(&["user", "add", "--owner", "acme", "--account", "mei", "--id", "u-mei", "--name", "小梅", "--mobile", "139"]).await;
    let (heading, password) = made.text().trim_end().split_once("\npassword (shown once): ").unwrap();
    assert_eq!((heading, password.len()), ("user mei (u-mei) of tenant acme", 18));
    let made = place.json(&["user", "add", "--owner", "acme", "--account", "bo", "--push-name", "bo-push"]).await;
    assert_eq!(made["userId"].as_str().unwrap().len(), 16);
    let made_password = made["password"].as_str().unwrap();
    let read = place
        .run_with_input(&["user", "add", "--owner", "acme", "--account", "ann", "--password-file", "-", "--json"], "from a pipe\r\n")
        .await;
    assert_eq!(read.json()["password"], json!(null), "a password that was given is not shown");

    let listed = place.run(&["user", "list", "--owner", "acme", "--after", "bo"]).await;
    assert_eq!(listed.text(), "ACCOUNT  USER   NAME  STATE\nlin      u-lin  lin   enabled\nmei      u-mei  小梅  enabled\n");
    let listed = place.json(&["user", "list", "--owner", "acme", "--after", "lin", "--limit", "1"]).await;
    let mei = json!({"userId": "u-mei", "userName": "mei", "name": "小梅", "mobile": "139", "pushName": null, "areaCodes": [], "disabled": false});
    assert_eq!(listed, json!([mei]));

    let server = place.serve(&[]).await;
    for (account, password) in [("mei", password), ("bo", made_password), ("ann", "from a pipe"), ("lin", Frontend::PASSWORD)] {
        assert_eq!(server.code(&frontend.login_as(account, password)).await, "OK", "{account}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_user_that_cannot_be_added_is_refused_with_the_reason() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let (empty, nowhere) = (place.file("empty", "\n"), "/nowhere/password");
    for (arguments, reason) in [
        (&["--account", "lin"][..], "the user id, account or mobile number is taken"),
        (&["--account", "x", "--id", "u-lin"], "the user id, account or mobile number is taken"),
        (&["--account", ""], "an account has 1 to 128 bytes"),
        (&["--account", "x", "--password-file", &empty], "the password is empty"),
        (&["--account", "x", "--password-file", nowhere], "/nowhere/password: "),
    ] {
        let refused = place.run(&[&["user", "add", "--owner", "acme"], arguments].concat()).await;
        assert!(refused.failure().contains(reason), "{arguments:?}: {refused:?}");
    }
    for command in ["disable", "set-password"] {
        let refused = place.run(&["user", command, "--owner", "acme", "--account", "nobody"]).await;
        assert!(refused.failure().contains("`bo-auth user list` shows them"), "{refused:?}");
    }
}

#[tokio::test]
async fn disabling_a_user_ends_the_sessions_on_the_running_server() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pairs = [server.sign_in(&frontend).await, server.sign_in(&frontend).await];
    let disabled = place.run(&["user", "disable", "--owner", "acme", "--account", "lin"]).await;
    assert_eq!((disabled.text(), disabled.stderr.as_str()), ("user lin is disabled; 2 sessions ended\n", ""));
    for pair in &pairs {
        assert_eq!(server.code(&frontend.current(pair)).await, "USER_DISABLED");
        assert_eq!(server.code(&frontend.refresh(pair)).await, "USER_DISABLED");
    }
    assert_eq!(server.code(&frontend.login()).await, "USER_DISABLED");

    let enabled = place.json(&["user", "disable", "--owner", "acme", "--account", "lin", "--undo"]).await;
    assert_eq!(enabled, json!({"userName": "lin", "disabled": false, "endedSessions": 0}));
    assert_eq!(server.code(&frontend.current(&pairs[0])).await, "SESSION_KICKED", "what has ended stays so");
    server.sign_in(&frontend).await;
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_on_the_running_server() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let set = place
        .run_with_input(&["user", "set-password", "--owner", "acme", "--account", "lin", "--password-file", "-"], "another horse\n")
        .await;
    assert_eq!((set.text(), set.stderr.as_str()), ("user lin has a new password; 1 session ended\n", ""));
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_PASSWORD_CHANGED");
    assert_eq!(server.code(&frontend.refresh(&pair)).await, "SESSION_PASSWORD_CHANGED");
    assert_eq!(server.code(&frontend.login()).await, "LOGIN_FAILED");
    let next = Pair::of(&server.call(&frontend.login_as("lin", "another horse")).await);
    assert_eq!(server.code(&frontend.current(&next)).await, "OK");
    server.stop().await;

    let made = place.json(&["user", "set-password", "--owner", "acme", "--account", "lin"]).await;
    assert_eq!((made["endedSessions"].clone(), made["password"].as_str().unwrap().len()), (json!(1), 18));
    let server = place.serve(&[]).await;
    assert_eq!(server.code(&frontend.current(&next)).await, "SESSION_PASSWORD_CHANGED", "also where no server was there to be told");
    assert_eq!(server.code(&frontend.login_as("lin", made["password"].as_str().unwrap())).await, "OK");
    server.stop().await;
}

#[tokio::test]
async fn a_failed_sign_in_is_a_line_of_the_log_and_unlocking_forgets_it() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    // What a stranger chose makes no line that names another address.
    let forged = r#"x","address":"192.0.2.66","reason":"LOGIN_FAILED"#;
    assert_eq!(server.code(&frontend.login_as(forged, "hunter2 hunter2")).await, "LOGIN_FAILED");
    for _ in 0..3 {
        assert_eq!(server.code(&frontend.login_as("lin", "hunter2 hunter2")).await, "LOGIN_FAILED");
    }
    assert_eq!(server.code(&frontend.login()).await, "CAPTCHA_REQUIRED");
    let unlocked = place.run(&["user", "unlock", "--owner", "acme", "--account", "lin"]).await;
    assert_eq!((unlocked.text(), unlocked.stderr.as_str()), ("the failed sign-ins of user lin are forgotten\n", ""));
    server.sign_in(&frontend).await;
    let (_, lines) = server.stop().await;
    let lines: Vec<String> = lines.iter().filter(|line| line["message"] == "sign-in failed").map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    for line in lines {
        let (_, rest) = line.split_once(r#"","level":"WARN","message":"sign-in failed","address":""#).expect(&line);
        assert!(rest.starts_with(r#"127.0.0.1","#), "{line}");
        assert!(!rest.contains(r#","address":"#) && !line.contains("hunter2"), "{line}");
        assert_eq!(line.matches(r#","reason":""#).count(), 1, "{line}");
    }
    let refused = place.run(&["user", "unlock", "--owner", "acme", "--account", "nobody"]).await;
    assert!(refused.failure().contains("`bo-auth user list` shows them"), "{refused:?}");
}
