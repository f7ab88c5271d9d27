//! Told to stop, a server finishes what is in flight; the next one finds everything as it was. What keeps a server from
//! starting says what to do about it.

use serde_json::json;
use tokio::net::TcpStream;

use crate::process::{Connection, Frontend, Pair, Place, finish, new_owner};
use crate::support::{Backend, TestApp};

each_backend!(
    a_server_that_is_told_to_stop_finishes_what_is_in_flight,
    a_second_start_finds_everything_as_it_was,
    another_master_key_is_refused
);
one_backend!(Local: a_second_server_on_one_data_directory_is_refused, a_taken_address_is_refused);

async fn a_server_that_is_told_to_stop_finishes_what_is_in_flight(app: TestApp) {
    let place = Place::of(&app).await;
    let frontend = place.with_tenant(&new_owner("stop")).await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let mut logout =
        frontend.request("DELETE", "/auth/token/logout?_nodejs=common-data").header("Authorization", format!("Bearer {}", pair.access));
    logout = logout.json(&json!({"refreshToken": pair.refresh}));
    let (first_half, second_half) = logout.body.split_at(logout.body.len() / 2);

    let mut in_flight = Connection::open(server.address()).await.unwrap();
    in_flight.write(&logout.head()).await.unwrap();
    in_flight.write(first_half).await.unwrap();
    let mut idle = Connection::open(server.address()).await.unwrap();
    assert_eq!(idle.send(&frontend.current(&pair)).await.unwrap().code(), "OK");

    server.ask_to_stop().await;
    // The kernel says when the server has closed the door.
    while TcpStream::connect(server.address()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(idle.send(&frontend.current(&pair)).await.is_err(), "nothing new is taken");
    in_flight.write(second_half).await.unwrap();
    assert_eq!(in_flight.answer().await.unwrap().body, Frontend::SIGNED_OUT);

    let (status, _, log) = server.ended().await;
    let last = log.last().unwrap();
    assert!(status.success(), "{status}: {log:?}");
    assert_eq!((&last["message"], &last["cut"]), (&json!("stopped"), &json!(0)));
    assert!(log.iter().all(|line| line["level"] == "INFO"), "{log:?}");

    let server = place.serve(&[]).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_LOGGED_OUT");
    assert_eq!(server.code(&frontend.refresh(&pair)).await, "SESSION_LOGGED_OUT");
    server.stop().await;
}

async fn a_second_start_finds_everything_as_it_was(app: TestApp) {
    let place = Place::of(&app).await;
    let frontend = place.with_tenant(&new_owner("again")).await;
    let server = place.serve(&[]).await;
    let (live, over) = (server.sign_in(&frontend).await, server.sign_in(&frontend).await);
    let stamped = frontend.current(&live);
    assert_eq!(server.code(&stamped).await, "OK");
    assert_eq!(server.call(&frontend.logout("GET", &over)).await.body, Frontend::SIGNED_OUT);
    let next = Pair::of(&server.call(&frontend.refresh(&live)).await);
    let lists = ["tenant", "session", "user", "system", "key"];
    let list = async |what: &str| {
        let owner: &[&str] = if what == "tenant" { &[] } else { &["--owner", frontend.owner.as_str()] };
        let mut listed = place.json(&[&[what, "list"], owner].concat()).await;
        // Uses go on being counted.
        if let Some(keys) = listed["keys"].as_array() {
            listed = keys.iter().map(|key| key["keyId"].clone()).collect();
        }
        listed
    };
    let mut before = Vec::new();
    for what in lists {
        before.push(list(what).await);
    }
    server.stop().await;

    let server = place.serve(&[]).await;
    for (what, before) in lists.into_iter().zip(before) {
        assert_eq!(list(what).await, before, "{what}");
    }
    assert_eq!(server.code(&stamped).await, "VERIFY_API_REPLAYED", "a stamp that was used stays used");
    assert_eq!(server.code(&frontend.current(&live)).await, "OK");
    assert_eq!(Pair::of(&server.call(&frontend.refresh(&live)).await).refresh, next.refresh, "the answer that may have been lost");
    assert_eq!(server.code(&frontend.refresh(&next)).await, "OK");
    assert_eq!(server.code(&frontend.current(&over)).await, "SESSION_LOGGED_OUT");
    assert_eq!(server.code(&frontend.login()).await, "OK");
    server.stop().await;
}

async fn another_master_key_is_refused(app: TestApp) {
    let place = Place::of(&app).await;
    let frontend = place.with_tenant(&new_owner("key")).await;
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["tenant", "add", "--owner", "second"],
        &["key", "rotate", "refresh", "--owner", &frontend.owner],
    ] {
        let mut command = place.command(arguments);
        command.env("BO_AUTH_MASTER_KEY", other);
        let refused = finish(command).await;
        let failure = refused.failure();
        assert!(failure.contains("the master key is not the one") && failure.contains("--master-key-file"), "{arguments:?}: {refused:?}");
        assert!(!failure.contains(other), "{failure}");
    }
    let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("BO_AUTH_MASTER_KEY", "short");
    assert!(finish(command).await.failure().contains("it must be 32 bytes as base64 or 64 hexadecimal digits"));
    if app.backend() == Backend::Redis {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env_remove("BO_AUTH_MASTER_KEY");
        assert!(finish(command).await.failure().contains("there is no master key: give --master-key-file"));
    }
    let server = place.serve(&[]).await;
    server.sign_in(&frontend).await;
    server.stop().await;
}

async fn a_second_server_on_one_data_directory_is_refused(app: TestApp) {
    let place = Place::of(&app).await;
    let frontend = place.with_tenant("first").await;
    let server = place.serve(&[]).await;
    let refused = finish(place.serve_command(&[])).await;
    let expected = format!("error: another server runs on {}; stop it, or give --data another directory", place.data().display());
    assert_eq!(refused.failure(), expected);
    let pair = server.sign_in(&frontend).await;
    place.json(&["session", "end", "--owner", "first", "--account", "lin"]).await;
    assert_eq!(server.code(&frontend.current(&pair)).await, "SESSION_KICKED", "the first one still hears of commands");
    server.kill().await;
    place.serve(&[]).await.stop().await;
}

async fn a_taken_address_is_refused(app: TestApp) {
    let (place, elsewhere) = (Place::of(&app).await, Place::embedded());
    let server = place.serve(&[]).await;
    let address = server.address().to_string();
    let refused = elsewhere.run(&["serve", "--listen", &address]).await;
    assert!(refused.failure().starts_with(&format!("error: cannot listen on {address}: ")), "{refused:?}");
    server.stop().await;
}
