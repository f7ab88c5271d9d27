//! The console's files over the wire.

use crate::process::{Place, Request, Server};

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
