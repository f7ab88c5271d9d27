//! The client's address: the peer's, unless a listed proxy says otherwise (contract 1.2).

use bo_auth_server::proxy::TrustedProxies;

use crate::support::{Session, TestApp, User};

one_backend!(Local: forwarding_headers_of_strangers_do_not_count, a_listed_proxy_is_believed);

/// The address that a login with these headers is recorded with.
async fn recorded(user: &User, headers: &[(&str, &str)]) -> String {
    let mut request = user.login();
    for (name, value) in headers {
        request = request.repeat(name, value);
    }
    let session = Session::from_answer(user.clone(), &request.send().await);
    session.row().await.address.unwrap()
}

async fn forwarding_headers_of_strangers_do_not_count(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for headers in [[("X-Forwarded-For", "192.0.2.1")], [("Forwarded", "for=192.0.2.1")], [("X-Real-Ip", "192.0.2.1")]] {
        assert_eq!(recorded(&user, &headers).await, "127.0.0.1");
    }
}

async fn a_listed_proxy_is_believed(app: TestApp) {
    let proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|network| network.parse().unwrap());
    app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(proxies.to_vec())).await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    for (headers, expected) in [
        (&[][..], "127.0.0.1"),
        (&[("X-Forwarded-For", "192.0.2.1")], "192.0.2.1"),
        // What stands left of the first address that is no proxy's was written by nobody we trust.
        (&[("X-Forwarded-For", "198.51.100.9, 192.0.2.1, 10.0.0.7")], "192.0.2.1"),
        (&[("X-Forwarded-For", "198.51.100.9"), ("X-Forwarded-For", "192.0.2.1")], "192.0.2.1"),
        (&[("Forwarded", "for=192.0.2.1;proto=https, for=10.1.2.3")], "192.0.2.1"),
        (&[("Forwarded", "for=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
        (&[("X-Forwarded-For", "nonsense")], "127.0.0.1"),
        (&[("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2")], "127.0.0.1"),
    ] {
        assert_eq!(recorded(&user, headers).await, expected, "{headers:?}");
    }
}
