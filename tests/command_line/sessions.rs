//! `bo-auth session`.

use serde_json::{Value, json};

use super::NO_SERVER;
use crate::process::Place;

fn ids(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|session| session["sessionId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn sessions_are_listed_and_ended_on_the_running_server() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let (first, second, third) = (server.sign_in(&frontend).await, server.sign_in(&frontend).await, server.sign_in(&frontend).await);
    let listed = place.json(&["session", "list", "--owner", "acme"]).await;
    let [third_id, second_id, first_id] = ids(&listed)[..] else { panic!("{listed}") };
    assert!(third_id > second_id && second_id > first_id, "the newest first");
    assert_eq!((&listed[0]["userId"], &listed[0]["sysId"], &listed[0]["endedAt"]), (&json!("u-lin"), &json!("web"), &json!(null)));
    assert_eq!(ids(&place.json(&["session", "list", "--owner", "acme", "--limit", "1", "--before", third_id]).await), [second_id]);

    let ended = place.run(&["session", "end", "--owner", "acme", first_id]).await;
    assert_eq!((ended.text(), ended.stderr.as_str()), ("1 session ended\n", ""));
    assert_eq!(server.code(&frontend.current(&first)).await, "SESSION_KICKED");
    assert_eq!(server.code(&frontend.refresh(&first)).await, "SESSION_KICKED");
    assert_eq!(server.code(&frontend.current(&second)).await, "OK");
    let again = place.run(&["session", "end", "--owner", "acme", first_id]).await;
    assert_eq!(again.text(), "nothing to do: it had ended before\n");
    assert_eq!(ids(&place.json(&["session", "list", "--owner", "acme"]).await), [third_id, second_id]);

    let all = place.json(&["session", "list", "--owner", "acme", "--account", "lin", "--ended"]).await;
    assert_eq!((ids(&all).len(), &all[2]["endReason"]), (3, &json!("KICKED")));
    let table = place.run(&["session", "list", "--owner", "acme", "--ended"]).await;
    let states: Vec<_> = table.text().lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    assert_eq!(states, ["STATE", "live", "live", "KICKED"]);

    assert_eq!(place.json(&["session", "end", "--owner", "acme", "--account", "lin"]).await, json!({"endedSessions": 2}));
    for pair in [&second, &third] {
        assert_eq!(server.code(&frontend.current(pair)).await, "SESSION_KICKED");
        assert_eq!(server.code(&frontend.refresh(pair)).await, "SESSION_KICKED");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_users_sessions_in_one_system_are_counted_and_ended() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    place.json(&["system", "add", "--owner", "acme", "--sys", "app"]).await;
    let server = place.serve(&[]).await;
    let (first, second) = (server.sign_in(&frontend).await, server.sign_in(&frontend).await);
    let end = ["session", "end", "--owner", "acme", "--all-of-user", "lin", "--sys"];
    let counted = place.run(&[&end[..], &["web", "--dry-run"]].concat()).await;
    assert_eq!(counted.text(), "2 live sessions would end\n");
    assert_eq!(place.json(&[&end[..], &["app", "--dry-run"]].concat()).await["liveSessions"], 0);
    let elsewhere = place.run(&[&end[..], &["app"]].concat()).await;
    assert_eq!(elsewhere.text(), "nothing to do: it had ended before\n");
    assert_eq!(server.code(&frontend.current(&first)).await, "OK");
    assert_eq!(place.run(&[&end[..], &["web"]].concat()).await.text(), "2 sessions ended\n");
    for pair in [&first, &second] {
        assert_eq!(server.code(&frontend.current(pair)).await, "SESSION_KICKED");
    }
    let unknown = place.run(&[&end[..], &["tv"]].concat()).await;
    assert!(unknown.failure().contains("has no system `tv`"));
    let alone = place.run(&["session", "end", "--owner", "acme", "--sys", "web"]).await;
    assert_eq!(alone.code, Some(2), "a system alone is `--all-of-system`");
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_ended_without_a_server_too() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    server.stop().await;
    let ended = place.run(&["session", "end", "--owner", "acme", "--account", "lin"]).await;
    assert_eq!((ended.text(), ended.stderr.as_str()), ("1 session ended\n", NO_SERVER));
    let server = place.serve(&[]).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_KICKED");
    assert_eq!(server.code(&frontend.refresh(&pair)).await, "SESSION_KICKED");
    server.stop().await;
}

#[tokio::test]
async fn a_session_that_is_not_there_is_refused_with_the_reason() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let unknown = "0123456789abcdef";
    for (arguments, reason) in [
        (&["end", "--owner", "acme", unknown][..], "tenant `acme` has no session `0123456789abcdef`"),
        (&["end", "--owner", "nobody", unknown], "there is no tenant `nobody`"),
        (&["end", "--owner", "acme", "--account", "nobody"], "`bo-auth user list` shows them"),
        (&["list", "--owner", "acme", "--account", "nobody"], "`bo-auth user list` shows them"),
    ] {
        let refused = place.run(&[&["session"], arguments].concat()).await;
        assert!(refused.failure().contains(reason), "{arguments:?}: {refused:?}");
    }
    for arguments in
        [&["end", "--owner", "acme"][..], &["end", "--owner", "acme", "17"], &["end", "--owner", "acme", unknown, "--account", "lin"]]
    {
        assert_eq!(place.run(&[&["session"], arguments].concat()).await.code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn all_of_a_user_a_system_or_a_tenant_end_by_one_command() {
    let place = Place::embedded();
    let (frontend, stranger) = (place.with_tenant("acme").await, place.with_tenant("other").await);
    let server = place.serve(&[]).await;
    let theirs = server.sign_in(&stranger).await;
    for (whose, said) in [
        (&["--all-of-user", "lin"][..], "1 session ended\n"),
        (&["--all-of-system", "web"], "all sessions of system web of tenant acme that began before "),
        (&["--all-of-tenant"], "all sessions of tenant acme that began before "),
    ] {
        let pair = server.sign_in(&frontend).await;
        assert_eq!(server.code(&frontend.current(&pair)).await, "OK");
        let ended = place.run(&[&["session", "end", "--owner", "acme"], whose].concat()).await;
        assert!(ended.text().starts_with(said), "{}", ended.text());
        assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_KICKED", "{whose:?}");
        assert_eq!(server.code(&frontend.refresh(&pair)).await, "SESSION_KICKED", "{whose:?}");
        assert_eq!(server.code(&stranger.current(&theirs)).await, "OK", "{whose:?}");
        let listed = place.json(&["session", "list", "--owner", "acme"]).await;
        assert_eq!(listed, json!([]), "{whose:?}");
    }
    let unknown = place.command(&["session", "end", "--owner", "acme", "--all-of-system", "none"]).output().await.unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let both = place.command(&["session", "end", "--owner", "acme", "--all-of-tenant", "--all-of-user", "lin"]).output().await.unwrap();
    assert_eq!(both.status.code(), Some(2), "one of them");
    server.stop().await;
}
