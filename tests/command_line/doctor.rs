//! `bo-auth doctor`.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use serde_json::{Value, json};

use crate::process::{Finished, Place, finish};

/// What is not well, with the advice.
fn complaints(finished: &Finished) -> Vec<(String, String, String)> {
    let findings: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(finished.code, Some(i32::from(findings.iter().any(|finding| finding["ok"] == false))), "{finished:?}");
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    let bad = findings.iter().filter(|finding| finding["ok"] == false);
    bad.map(|finding| (text(finding, "subject"), text(finding, "found"), text(finding, "advice"))).collect()
}

async fn doctor(place: &Place) -> Vec<(String, String, String)> {
    complaints(&place.run(&["doctor", "--json"]).await)
}

#[tokio::test]
async fn a_healthy_place_is_found_so() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    for (running, server) in [(true, "one runs on this data directory, and answers"), (false, "none runs on this data directory")] {
        let process = if running { Some(place.serve(&[]).await) } else { None };
        let found = place.run(&["doctor"]).await;
        let (clock, steady): (Vec<_>, Vec<_>) = found.text().lines().partition(|line| line.starts_with("ok   clock"));
        let data = place.data();
        let expected = [
            "ok   configuration  the options fit together".to_owned(),
            format!("ok   data           {}", data.display()),
            "ok   master key     found".to_owned(),
            "ok   database       sqlite answers".to_owned(),
            "ok   migrations     all applied".to_owned(),
            "ok   tenants        1, and their keys and settings can be read".to_owned(),
            format!("ok   server         {server}"),
        ];
        assert_eq!(steady, expected);
        assert!(clock[0].ends_with(" ms from the database's"), "{clock:?}");
        assert_eq!(doctor(&place).await, []);
        if let Some(process) = process {
            process.stop().await;
        }
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_named_with_what_to_do() {
    let place = Place::embedded();
    let found = place.run(&["doctor"]).await;
    assert_eq!(found.code, Some(1));
    let expected = [
        format!("BAD  data           {} is not there yet\n     → `bo-auth serve` makes it\n", place.data().display()),
        "BAD  master key     ".to_owned(),
        "\n     → `bo-auth serve` makes one on the first start; restore it from a backup if there was one\n".to_owned(),
        format!(
            "BAD  database       {}/bo-auth.db is not there yet\n     → start the server once: `bo-auth serve`\n",
            place.data().display()
        ),
    ];
    for part in &expected {
        assert!(found.stdout.contains(part.as_str()), "{part:?} in {found:?}");
    }
    assert!(!place.data().exists(), "looking makes nothing");
}

#[tokio::test]
async fn a_database_on_which_nobody_has_started_is_named() {
    let place = Place::embedded();
    std::fs::DirBuilder::new().mode(0o700).create(place.data()).unwrap();
    std::fs::write(place.data().join("bo-auth.db"), "").unwrap();
    let key = ["--master-key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
    let found = place.run(&[&["doctor", "--json"], &key[..]].concat()).await;
    let complaint = |subject: &str, found: &str, advice: &str| (subject.to_owned(), found.to_owned(), advice.to_owned());
    let expected = complaint("migrations", "nobody has started on this database yet", "start the server once: it applies them");
    assert_eq!(complaints(&found), [expected]);
    // Nobody can sign in to an empty one either.
    place.json(&["tenant", "list"]).await;
    let expected = complaint("tenants", "there is none, so that nobody can sign in", "add one: `bo-auth tenant add`");
    assert_eq!(doctor(&place).await, [expected]);
}

#[tokio::test]
async fn another_master_key_is_found_out() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    std::fs::write(place.data().join("master.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
    let [(subject, found, advice)] = &doctor(&place).await[..] else { panic!("one finding") };
    assert_eq!((subject.as_str(), advice.as_str()), ("tenants", "restore the master key that sealed them, or mend the settings named"));
    assert!(found.starts_with("acme: "), "{found}");

    std::fs::write(place.data().join("master.key"), "too short").unwrap();
    let [(subject, found, _)] = &doctor(&place).await[..] else { panic!("one finding") };
    assert_eq!(
        (subject.as_str(), found.as_str()),
        ("master key", "the master key is not usable: it must be 32 bytes as base64 or 64 hexadecimal digits")
    );
}

#[tokio::test]
async fn a_directory_that_others_may_read_is_found_out() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    std::fs::set_permissions(place.data(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = place.data();
    let expected = ("data".to_owned(), format!("other users may look into {}", data.display()), format!("chmod 700 {}", data.display()));
    assert_eq!(doctor(&place).await, [expected]);
}

#[tokio::test]
async fn stores_that_do_not_answer_are_named_without_their_passwords() {
    let place = Place::embedded();
    let stores = ["--database-url", "postgres://bo:hunter2@127.0.0.1:1/bo", "--redis-url", "redis://:hunter2@127.0.0.1:1/0"];
    let key = ["--master-key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="];
    let found = place.run(&[&["doctor", "--json"], &stores[..], &key[..]].concat()).await;
    let subjects: Vec<_> = complaints(&found).into_iter().map(|(subject, ..)| subject).collect();
    assert_eq!(subjects, ["data", "database", "redis"]);
    assert!(!found.stdout.contains("hunter2") && !found.stderr.contains("hunter2") && !found.stdout.contains("AAAA"), "{found:?}");
}

#[tokio::test]
async fn options_that_do_not_fit_are_a_finding_too() {
    let place = Place::embedded();
    let found = finish(place.command(&["doctor", "--json", "--cache", "redis"])).await;
    let [(subject, found, advice)] = &complaints(&found)[..] else { panic!("one finding") };
    assert!(found.contains("give --redis-url"), "{found}");
    assert_eq!((json!(subject), json!(advice)), (json!("configuration"), json!("mend the options named")));
}
