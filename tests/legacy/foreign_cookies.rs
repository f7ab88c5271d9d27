//! Cookies of others, whatever bytes they hold, beside ours (contract 2.1).

use bo_auth_server::legacy::errno::Errno;
use http::Method;

use super::fleet_of_test::{FleetOfTest, OK, OutcomeAnswer, SESSION};
use crate::support::{Answer, TestApp, TestRequest};

one_backend!(Local: a_foreign_cookie_hides_nothing, the_lines_of_http2_count_together, a_user_agent_of_other_bytes_is_kept);

/// What pages and gateways set beside ours: raw UTF-8, Latin-1, and no text at all.
const FOREIGN: [&[u8]; 4] = ["nick=张三".as_bytes(), b"nick=caf\xe9", b"\xff\xfe=\x80", b"=;;nick"];

/// A request whose cookies are these lines.
fn with_cookies(fleet: &FleetOfTest, method: Method, lines: &[Vec<u8>]) -> TestRequest {
    let request = fleet.app.bare_request(method, SESSION);
    lines.iter().fold(request, |request, line| request.repeat("Cookie", line))
}

#[track_caller]
fn assert_signed_out(answer: &Answer) {
    assert_eq!((answer.status, answer.text()), (200, OK));
    assert_eq!(answer.header("set-cookie"), Some("userlogin=; Path=/; Max-Age=0"));
}

async fn a_foreign_cookie_hides_nothing(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for foreign in FOREIGN {
        let mut browser = fleet.signed_in().await;
        let own = format!("userlogin={}", browser.cookie()).into_bytes();
        let behind = [foreign, b"; ", &own].concat();
        let before = [own.as_slice(), b"; ", foreign].concat();
        let apart = vec![foreign.to_vec(), own.clone()];
        for lines in [vec![behind], vec![before], apart] {
            let who = with_cookies(&fleet, Method::GET, &lines).send_raw().await;
            assert!(who.text().contains("name of li"), "{lines:?}: {}", who.text());
        }
        let line = [foreign, b"; ", &own].concat();
        assert_signed_out(&with_cookies(&fleet, Method::DELETE, &[line]).send_raw().await);
        browser.who().await.assert_outcome(Errno::SESSION);
    }
    // Alone they are nobody's.
    for foreign in FOREIGN {
        let answer = with_cookies(&fleet, Method::DELETE, &[foreign.to_vec()]).send_raw().await;
        answer.assert_outcome(Errno::SESSION);
    }
}

async fn the_lines_of_http2_count_together(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    let own = format!("userlogin={}", browser.cookie()).into_bytes();
    let lines = [b"theme=dark".to_vec(), FOREIGN[0].to_vec(), own, FOREIGN[1].to_vec()];
    assert_signed_out(&with_cookies(&fleet, Method::DELETE, &lines).send_by_http2().await);
    browser.who().await.assert_outcome(Errno::SESSION);
}

async fn a_user_agent_of_other_bytes_is_kept(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let browser = fleet.browser();
    let request = browser.request(Method::POST, super::fleet_of_test::SESSIONS).json(&fleet.credentials());
    for (sent, kept) in [("微信/8.0".as_bytes(), "微信/8.0"), (b"caf\xe9/1.0", "caf\u{fffd}/1.0")] {
        request.clone().header("User-Agent", sent).send().await.assert_outcome(Errno::OK);
        let rows = fleet.user.rows().await;
        assert!(rows.iter().any(|row| row.user_agent.as_deref() == Some(kept)), "{rows:?}");
    }
}
