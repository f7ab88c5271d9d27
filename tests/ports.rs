//! The admin API and metrics on ports of their own, and what the public port then says.

use crate::process::{Place, Request, call};

/// What the operator alone is to reach, and what goes where.
const ADMIN: [&str; 4] = ["/console", "/admin/api/v1/sessions/current", "/docs/admin", "/openapi/admin-v1.json"];
const PUBLIC: [&str; 3] = ["/docs", "/openapi/bo-v3.json", "/.well-known/jwks.json"];

async fn status(address: std::net::SocketAddr, path: &str) -> u16 {
    call(address, &Request::new("GET", path)).await.status
}

#[tokio::test]
async fn the_admin_api_and_metrics_leave_the_public_port() {
    let place = Place::embedded();
    let server = place.serve(&["--admin-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]).await;
    let (public, admin, metrics) = (server.address(), server.address_of("admin"), server.address_of("metrics"));
    for (paths, home) in [(&ADMIN[..], admin), (&["/metrics"], metrics), (&PUBLIC, public)] {
        for path in paths {
            for port in [public, admin, metrics] {
                assert_eq!(status(port, path).await != 404, port == home, "{path} on {port}");
            }
        }
    }
    for port in [public, admin, metrics] {
        for path in ["/healthz", "/readyz"] {
            assert_eq!(status(port, path).await, 200, "{path} on {port}");
        }
        assert_eq!(status(port, "/bo/api/v3/auth/user/current").await != 404, port == public);
    }
    server.stop().await;
}

#[tokio::test]
async fn one_more_port_can_have_both() {
    let place = Place::embedded();
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = free.to_string();
    let server = place.serve(&["--admin-listen", &address, "--metrics-listen", &address]).await;
    for path in ["/metrics", "/console", "/healthz"] {
        assert_eq!(status(free, path).await, 200, "{path}");
    }
    assert_eq!(status(server.address(), "/metrics").await, 404);
    server.stop().await;
}

#[tokio::test]
async fn without_the_options_all_is_on_one_port() {
    let place = Place::embedded();
    let server = place.serve(&[]).await;
    for path in ADMIN.iter().chain(&PUBLIC).chain(&["/metrics", "/healthz"]) {
        assert_ne!(status(server.address(), path).await, 404, "{path}");
    }
    server.stop().await;
}
