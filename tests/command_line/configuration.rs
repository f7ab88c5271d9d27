//! `bo-auth check-config`.

use serde_json::json;

use crate::process::{Place, finish};

const POSTGRES: &str = "postgres://bo:hunter2@db/bo";
const REDIS: &str = "redis://:hunter2@cache/0";

#[tokio::test]
async fn options_that_fit_are_told_without_their_secrets() {
    let place = Place::embedded();
    let data = place.data().display().to_string();
    let checked = place.run(&["check-config"]).await;
    let expected = format!(
        "the options fit together\nlisten    127.0.0.1:8480\ndata      {data}\ndatabase  sqlite {data}/bo-auth.db\ncache     local\n\
         serves as one node\nnext: `bo-auth doctor` tries the stores\n"
    );
    assert_eq!((checked.text(), checked.stderr.as_str()), (expected.as_str(), ""));

    let shared = place.json(&["check-config", "--database-url", POSTGRES, "--redis-url", REDIS, "--listen", "[::]:80"]).await;
    let expected = json!({"listen": "[::]:80", "data": data, "database": "postgres", "cache": "redis", "singleNode": false});
    assert_eq!(shared, expected);
    assert!(!place.data().exists(), "nothing is made or tried");
}

#[tokio::test]
async fn options_that_do_not_fit_are_refused_with_advice() {
    let place = Place::embedded();
    for (arguments, advice) in [
        (&["--database-url", POSTGRES][..], "give --redis-url, or --single-node"),
        (&["--database-url", POSTGRES, "--redis-url", REDIS, "--cache", "local"], "give --redis-url, or --single-node"),
        (&["--cache", "redis"], "give --redis-url"),
        (&["--database-url", "mysql://bo:hunter2@db/bo"], "must begin with postgres://"),
        (&["--redis-url", "memcached://:hunter2@cache"], "must begin with redis://"),
        (&["--demo", "--listen", "0.0.0.0:80"], "listen on a loopback address"),
        (&["--master-key", "hunter2", "--master-key-file", "/key"], "leave one of them out"),
        (&["--master-key-file", "/nowhere/key"], "check that the file is there"),
    ] {
        let checked = place.run(&[&["check-config"], arguments].concat()).await;
        assert!(checked.failure().contains(advice) && !checked.stderr.contains("hunter2"), "{arguments:?}: {checked:?}");
        let served = place.run(&[&["serve"], arguments].concat()).await;
        assert_eq!(served.failure(), checked.failure(), "`serve` says the same");
    }
}

#[tokio::test]
async fn options_come_from_variables_too() {
    let place = Place::embedded();
    let mut command = place.command(&["check-config", "--json"]);
    command.env("DATABASE_URL", POSTGRES).env("BO_AUTH_SINGLE_NODE", "true").env("BO_AUTH_LISTEN", "127.0.0.1:1");
    let checked = finish(command).await.json();
    let expected = json!({"listen": "127.0.0.1:1", "data": place.data(), "database": "postgres", "cache": "local", "singleNode": true});
    assert_eq!(checked, expected);
}
