//! Signals: which of them end a server, and how.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::{Place, Request};

#[tokio::test]
async fn signals_that_mean_no_end_leave_the_server_running() {
    let place = Place::embedded();
    let server = place.serve(&[]).await;
    for _ in 0..10 {
        for signal in ["-HUP", "-USR1", "-USR2", "-PIPE"] {
            server.send_signal(signal).await;
            assert_eq!(server.call(&Request::new("GET", "/healthz")).await.status, 200, "{signal}");
        }
    }
    let (_, log) = server.stop().await;
    let reread = log.iter().filter(|line| line["message"].as_str().is_some_and(|text| text.starts_with("SIGHUP: files read again")));
    assert!(reread.count() > 0, "{log:?}");
}

#[tokio::test]
async fn whatever_the_files_have_become_the_server_goes_on() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let fleets = place.file("fleets.toml", "[[legacy_v1]]\nowner = \"acme\"\nsystem = \"web\"\n");
    let server = place.serve(&["--legacy-v1", &fleets]).await;
    for text in ["not a table", "", "[[legacy_v1]]\nowner = \"acme\"\nsystem = \"other\"\n"] {
        std::fs::write(&fleets, text).unwrap();
        server.send_signal("-HUP").await;
        assert_eq!(server.call(&Request::new("GET", "/healthz")).await.status, 200, "{text}");
    }
    std::fs::remove_file(&fleets).unwrap();
    for _ in 0..10 {
        server.send_signal("-HUP").await;
        assert_eq!(server.call(&Request::new("GET", "/healthz")).await.status, 200);
    }
    let (_, log) = server.stop().await;
    let refused = |line: &serde_json::Value| line["message"].as_str().is_some_and(|text| text.contains("nothing was changed"));
    assert!(log.iter().any(refused), "{log:?}");
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_what_is_in_flight() {
    let place = Place::embedded();
    let server = place.serve(&["--shutdown-deadline", "1h", "--request-timeout", "1h", "--header-timeout", "1h"]).await;
    let mut unfinished = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST /bo/api/v3/auth/login HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n";
    unfinished.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    // The server waits for the body once it says so.
    let mut word = [0; 12];
    unfinished.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100");
    server.send_signal("-INT").await;
    server.wait_until_refused().await;
    server.send_signal("-INT").await;
    let (status, _, log) = server.ended().await;
    assert_eq!(status.code(), Some(1), "{log:?}");
}
