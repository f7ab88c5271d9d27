//! The client's address: the peer's, unless a listed proxy says otherwise (contract 1.2).

use bo_auth_server::fault::FaultKind;
use bo_auth_server::proxy::TrustedProxies;
use http::Method;
use serde_json::json;

use crate::support::{Session, TestApp, TestRequest, User, captcha_picture, route};

each_backend!(every_limit_by_address_counts_an_ipv6_network_as_one);
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
        // Nor do its bytes matter.
        (&[("X-Forwarded-For", "张三, 192.0.2.1, 10.0.0.7")], "192.0.2.1"),
        (&[("Forwarded", "for=张三, for=192.0.2.1;host=\"例子\"")], "192.0.2.1"),
        (&[("X-Forwarded-For", "192.0.2.1, 张三")], "127.0.0.1"),
        (&[("X-Forwarded-For", "nonsense")], "127.0.0.1"),
        (&[("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.2")], "127.0.0.1"),
    ] {
        assert_eq!(recorded(&user, headers).await, expected, "{headers:?}");
    }
}

/// The first address of every other call, and the second of the rest: one client, who changes addresses as they like.
fn from_network(number: usize, request: TestRequest) -> TestRequest {
    request.header("X-Forwarded-For", ["2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"][number % 2])
}

/// Sends calls of one network until one is refused for its rate; how many were not.
async fn calls_until_limited(mut request: impl FnMut() -> TestRequest) -> usize {
    for number in 0..200 {
        if from_network(number, request()).send().await.status == 429 {
            return number;
        }
    }
    panic!("200 calls were never limited");
}

async fn every_limit_by_address_counts_an_ipv6_network_as_one(app: TestApp) {
    app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()])).await;
    let elsewhere = |request: TestRequest| request.header("X-Forwarded-For", "2001:db8:1:3::1");
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;

    // The rate of a tenant's calls.
    let other = app.with_tenant("other").await;
    let slow = other.with_system("slow", json!({"addressRequestsPerMinute": 1})).await;
    let limited = other.with_user("wang").await.of(&slow).signed_in().await;
    let admitted = calls_until_limited(|| limited.current_user()).await;
    assert!((10..=11).contains(&admitted), "{admitted}");
    assert_eq!(elsewhere(limited.current_user()).send().await.status, 200);

    // Pictures.
    let admitted = calls_until_limited(|| captcha_picture(&session, "guid")).await;
    assert!(admitted < 60, "{admitted}");
    assert_eq!(elsewhere(captcha_picture(&session, "guid")).send().await.status, 200);

    // Sign-ins to the admin API.
    let mut number = 0;
    let mut sign_in = || {
        number += 1;
        let body = json!({"account": format!("nobody-{number}"), "password": "wrong"});
        app.bare_request(Method::POST, "/admin/api/v1/sessions").json(&body)
    };
    let admitted = calls_until_limited(&mut sign_in).await;
    assert!((50..100).contains(&admitted), "{admitted}");
    assert_eq!(elsewhere(sign_in()).send().await.status, 401);

    // Failed sign-ins.
    let user = &session.user;
    for number in 0..12 {
        let guessed = User { account: format!("account-{number}"), ..user.clone() };
        from_network(number, guessed.login_with("wrong")).send().await.assert_fault(FaultKind::LOGIN_FAILED);
    }
    from_network(0, user.login()).send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
    let signed_in = Session::from_answer(user.clone(), &elsewhere(user.login()).send().await);
    assert_eq!(signed_in.row().await.address.unwrap(), "2001:db8:1:3::1", "the trail keeps the whole address");

    // What an address may ask for at all.
    app.restart_with(|configuration| configuration.address_requests_per_minute = 20).await;
    let admitted = calls_until_limited(|| app.bare_request(Method::GET, route::LOGOUT)).await;
    assert_eq!(admitted, 20);
    elsewhere(app.bare_request(Method::GET, "/bo/api/v3/nothing")).send().await.assert_fault(FaultKind::ROUTE_UNKNOWN);
}
