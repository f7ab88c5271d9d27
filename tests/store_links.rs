//! The way to the stores, as an operator sees it: encrypted or not, and led to a server that takes no writes.

use serde_json::{Value, json};

use crate::process::{Place, Request, Server};
use crate::support::encrypted_stores::{Authority, Store};

const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What `doctor` found of one subject.
async fn found(place: &Place, stores: &[&str], subject: &str) -> Value {
    let finished = place.run(&[&["doctor", "--json", "--master-key", MASTER_KEY], stores].concat()).await;
    let findings: Vec<Value> = serde_json::from_str(&finished.stdout).unwrap();
    let finding = findings.iter().find(|finding| finding["subject"] == subject);
    finding.unwrap_or_else(|| panic!("nothing about {subject}: {findings:?}")).clone()
}

async fn ready(server: &Server) -> (u16, Value) {
    let answer = server.call(&Request::new("GET", "/readyz")).await;
    (answer.status, answer.json())
}

/// Readiness as soon as it says this of a store: one look serves everybody for a moment.
async fn ready_once(server: &Server, store: &str, state: &str) -> (u16, Value) {
    for _ in 0..200 {
        let (status, body) = ready(server).await;
        if body[store] == state {
            return (status, body);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the {store} never was {state}: {:?}", ready(server).await)
}

#[tokio::test]
async fn a_server_works_over_tls_alone_and_doctor_says_that_it_does() {
    let authority = Authority::new();
    let postgres = authority.issue("postgres", &["localhost"]);
    let postgres = Store::postgres("hostssl all all 127.0.0.1/32 trust\n", Some((&authority, &postgres))).await;
    let redis = Store::redis(Some((&authority, &authority.issue("redis", &["localhost"]))), false).await;
    let root = authority.certificate();
    let database = postgres.postgres_url(&format!("?sslmode=verify-full&sslrootcert={root}")).replace("127.0.0.1", "localhost");
    let cache = format!("rediss://localhost:{}?sslrootcert={root}", redis.port());
    let stores = ["--database-url", &database, "--redis-url", &cache];
    let place = Place::embedded();

    let server = place.serve(&[&["--master-key", MASTER_KEY], &stores[..]].concat()).await;
    let (status, body) = ready(&server).await;
    assert_eq!((status, &body["database"], &body["redis"]), (200, &json!("ok"), &json!("ok")), "{body}");
    let database_link = found(&place, &stores, "database link").await;
    assert!(database_link["found"].as_str().unwrap().starts_with("encrypted (TLSv1.3, "), "{database_link}");
    assert_eq!(found(&place, &stores, "redis link").await["found"], "encrypted");
    server.stop().await;

    let other = Authority::new();
    let of_other = |url: &str| url.replace(&root, &other.certificate());
    let (untrusted, shown) = (of_other(&database), of_other(&cache));
    let finished = place.run(&["serve", "--master-key", MASTER_KEY, "--database-url", &untrusted, "--redis-url", &cache]).await;
    assert!(finished.failure().contains("invalid peer certificate"), "{finished:?}");
    let redis = found(&place, &["--database-url", &database, "--redis-url", &shown], "redis").await;
    assert!(redis["ok"] == false && redis["found"].as_str().unwrap().contains("certificate"), "{redis}");
}

#[tokio::test]
async fn a_postgres_that_takes_no_writes_is_not_called_healthy() {
    let postgres = Store::postgres("host all all 127.0.0.1/32 trust\n", None).await;
    let database = postgres.postgres_url("");
    let place = Place::embedded();
    let server = place.serve(&["--master-key", MASTER_KEY, "--database-url", &database, "--single-node"]).await;
    assert_eq!(ready(&server).await.0, 200);
    let alter = async |statement: &'static str| {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&database).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        sqlx::query("SELECT pg_reload_conf()").execute(&mut connection).await.unwrap();
    };

    alter("ALTER SYSTEM SET default_transaction_read_only = on").await;
    let (status, body) = ready_once(&server, "database", "read-only").await;
    assert_eq!((status, &body["status"]), (503, &json!("unavailable")));
    let stores = ["--database-url", &database, "--single-node"];
    let finding = found(&place, &stores, "database").await;
    assert!(finding["ok"] == false && finding["found"] == "postgres answers and takes no writes", "{finding}");
    assert_eq!(found(&place, &stores, "database link").await["found"], "in clear text, on this machine");

    alter("ALTER SYSTEM RESET default_transaction_read_only").await;
    assert_eq!(ready_once(&server, "database", "ok").await.0, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_named() {
    let postgres = Store::postgres("host all all 127.0.0.1/32 trust\n", None).await;
    let redis = Store::redis(None, false).await;
    let (database, cache) = (postgres.postgres_url(""), format!("redis://127.0.0.1:{}", redis.port()));
    let place = Place::embedded();
    let stores = ["--database-url", &database, "--redis-url", &cache];
    let server = place.serve(&[&["--master-key", MASTER_KEY], &stores[..]].concat()).await;
    let mut connection = redis::Client::open(cache.clone()).unwrap().get_multiplexed_async_connection().await.unwrap();

    let () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(1).query_async(&mut connection).await.unwrap();
    let replica = found(&place, &stores, "redis").await;
    assert!(replica["ok"] == false && replica["found"].as_str().unwrap().contains("replica"), "{replica}");
    let (status, body) = ready_once(&server, "redis", "read-only").await;
    assert_eq!((status, &body["status"]), (200, &json!("degraded")), "{body}");

    let () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut connection).await.unwrap();
    let () = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).query_async(&mut connection).await.unwrap();
    let full = found(&place, &stores, "redis").await;
    assert_eq!((&full["ok"], &full["found"]), (&json!(false), &json!("answers and refuses writes")), "{full}");
    server.stop().await;
}
