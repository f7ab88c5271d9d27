//! TLS to Postgres and Redis, as libpq has it: stores that refuse clear text, and certificates that nobody vouches for.

use bo_auth_store::{Db, Error, RedisConnection, RedisHealth, Transport};

use crate::encrypted_stores::{Authority, Store};

/// A Postgres whose certificate names `localhost` and not its address.
async fn postgres(authority: &Authority, rules: &str) -> Store {
    let issued = authority.issue("postgres", &["localhost"]);
    Store::postgres(rules, Some((authority, &issued))).await
}

async fn transport(url: &str) -> Result<Transport, Error> {
    let db = Db::connect_postgres(url, 1).await?;
    let transport = db.transport().await;
    db.close().await;
    transport
}

/// What keeps a connection from being made, down to its first cause.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_postgres_that_refuses_clear_text_is_spoken_to_by_tls() {
    let authority = Authority::new();
    let store = postgres(&authority, "hostssl all all 127.0.0.1/32 trust\n").await;
    let root = format!("sslrootcert={}", authority.certificate());
    for parameters in [String::new(), "?sslmode=prefer".into(), "?sslmode=allow".into(), "?sslmode=require".into()] {
        let found = transport(&store.postgres_url(&parameters)).await.unwrap();
        assert!(matches!(&found, Transport::Encrypted(Some(how)) if how.starts_with("TLSv1.3, ")), "{parameters}: {found:?}");
    }
    let by_name = store.postgres_url(&format!("?sslmode=verify-full&{root}")).replace("127.0.0.1", "localhost");
    assert!(matches!(transport(&by_name).await.unwrap(), Transport::Encrypted(_)));
    let by_authority = store.postgres_url(&format!("?sslmode=verify-ca&{root}"));
    assert!(matches!(transport(&by_authority).await.unwrap(), Transport::Encrypted(_)));
    assert!(transport(&store.postgres_url("?sslmode=disable")).await.is_err(), "it refuses clear text");
}

#[tokio::test]
async fn a_postgres_that_nobody_vouches_for_is_refused_and_the_cause_is_said() {
    let (authority, other) = (Authority::new(), Authority::new());
    let store = postgres(&authority, "hostssl all all 127.0.0.1/32 trust\n").await;
    for (parameters, cause) in [
        ("?sslmode=verify-full".to_owned(), "UnknownIssuer"),
        ("?sslmode=verify-ca".to_owned(), "UnknownIssuer"),
        (format!("?sslmode=verify-ca&sslrootcert={}", other.certificate()), "invalid peer certificate"),
        (format!("?sslmode=require&sslrootcert={}", other.certificate()), "invalid peer certificate"),
        (format!("?sslmode=verify-full&sslrootcert={}", authority.certificate()), "not valid for name"),
    ] {
        let error = transport(&store.postgres_url(&parameters)).await.unwrap_err();
        assert!(error.is_unavailable() && causes(&error).contains(cause), "{parameters}: {}", causes(&error));
    }
    for (parameters, cause) in [
        ("?sslmode=verify_full", "sslmode is one of"),
        ("?sslrootcert=/nowhere/ca.pem", "sslrootcert: the file cannot be read"),
        ("?sslpassword=hunter2", "not known: sslpassword"),
        ("?ssl-root-cert=/nowhere/hunter2", "not known: ssl-root-cert"),
    ] {
        let error = transport(&store.postgres_url(parameters)).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(&error, Error::Configuration(_)) && text.contains(cause) && !text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_postgres_that_asks_for_a_client_certificate_is_shown_one() {
    let authority = Authority::new();
    let store = postgres(&authority, "hostssl all all 127.0.0.1/32 cert\n").await;
    assert!(transport(&store.postgres_url("?sslmode=require")).await.is_err());
    let client = authority.issue("client", &[]);
    let files = format!("sslcert={}&sslkey={}", client.certificate.display(), client.key.display());
    assert!(matches!(transport(&store.postgres_url(&format!("?sslmode=require&{files}"))).await, Ok(Transport::Encrypted(_))));
    let stranger = Authority::new().issue("client", &[]);
    let files = format!("sslcert={}&sslkey={}", stranger.certificate.display(), stranger.key.display());
    assert!(transport(&store.postgres_url(&format!("?sslmode=require&{files}"))).await.is_err());
}

#[tokio::test]
async fn clear_text_is_spoken_where_a_postgres_takes_nothing_else_and_it_may_be() {
    let authority = Authority::new();
    let without = Store::postgres("host all all 127.0.0.1/32 trust\n", None).await;
    let refusing = postgres(&authority, "hostnossl all all 127.0.0.1/32 trust\n").await;
    for store in [&without, &refusing] {
        for parameters in ["", "?sslmode=allow", "?sslmode=disable"] {
            assert_eq!(transport(&store.postgres_url(parameters)).await.unwrap(), Transport::Local, "{parameters}");
        }
        for parameters in ["?sslmode=require", "?sslmode=verify-full"] {
            assert!(transport(&store.postgres_url(parameters)).await.is_err(), "{parameters}");
        }
    }
}

#[tokio::test]
async fn a_redis_that_refuses_clear_text_is_spoken_to_by_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let store = Store::redis(Some((&authority, &authority.issue("redis", &["localhost"]))), true).await;
    let client = authority.issue("client", &[]);
    let client = format!("sslcert={}&sslkey={}", client.certificate.display(), client.key.display());
    let health = async |address: String| RedisConnection::open(&address).unwrap().health().await;
    let address = |host: &str, files: &str| format!("rediss://{host}:{}?{files}", store.port());
    let root = |authority: &Authority| format!("sslrootcert={}", authority.certificate());

    let proven = address("localhost", &format!("{}&{client}", root(&authority)));
    assert_eq!(*RedisConnection::open(&proven).unwrap().transport(), Transport::Encrypted(None));
    assert_eq!(health(proven).await.unwrap(), RedisHealth::Writable);
    for refused in [
        format!("redis://localhost:{}", store.port()),
        address("localhost", &client),
        address("localhost", &root(&authority)),
        address("localhost", &format!("{}&{client}", root(&other))),
        address("127.0.0.1", &format!("{}&{client}", root(&authority))),
    ] {
        assert!(health(refused.clone()).await.is_err_and(|error| error.is_unavailable()), "{refused}");
    }
}
