//! Who am I: the profile, and the truth about where it came from (`cacheType`, `cacheDate`).

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_server::fault::FaultKind;

use crate::support::{Session, TestApp};

each_backend!(
    the_answer_holds_the_profile,
    the_date_is_that_of_the_read_and_stays_while_the_cache_serves,
    what_changes_the_user_makes_the_next_call_read_anew,
    areas_and_sharers_are_checked,
);

one_backend!(Local: a_profile_is_read_anew_after_ten_minutes);

async fn read_at(session: &Session) -> String {
    let answer = session.current_user().send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["cacheDate"].as_str().unwrap().to_owned()
}

fn text(instant: Timestamp) -> String {
    instant.to_string()
}

async fn the_answer_holds_the_profile(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let expected = format!(
        concat!(
            r#"{{"code":0,"success":true,"message":"{message}","data":{{"userId":"id-li","userName":"li","name":"name of li","#,
            r#""ownerId":"{owner}","sysId":"web","areaCodes":[]}},"cacheType":"{cache}","cacheDate":"{now}"}}"#
        ),
        message = "获取成功",
        owner = tenant.owner_id,
        cache = app.backend().cache_type(),
        now = app.now(),
    );
    session.current_user().send().await.assert_body(&expected);
    let english = session.current_user().header("Accept-Language", "en").send().await;
    english.assert_body(&expected.replace("获取成功", "OK"));
}

async fn the_date_is_that_of_the_read_and_stays_while_the_cache_serves(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let (session, other) = (user.signed_in().await, user.signed_in().await);
    let first = app.now();
    assert_eq!(read_at(&session).await, text(first));
    for _ in 0..3 {
        app.advance(Duration::from_secs(30));
        assert_eq!(read_at(&session).await, text(first));
        assert_eq!(read_at(&other).await, text(first), "one profile for all of the user's sessions");
    }
}

async fn what_changes_the_user_makes_the_next_call_read_anew(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let bystander = tenant.with_user("wang").await.signed_in().await;
    let beginning = app.now();
    let (session, leaving, kicked) = (user.signed_in().await, user.signed_in().await, user.signed_in().await);
    assert_eq!(read_at(&session).await, text(beginning));
    assert_eq!(read_at(&bystander).await, text(beginning));
    app.advance(Duration::from_secs(1));
    assert_eq!(leaving.logout().send().await.status, 200);
    let after_logout = app.now();
    assert_eq!(read_at(&session).await, text(after_logout));
    app.advance(Duration::from_secs(1));
    assert_eq!(read_at(&session).await, text(after_logout));
    let (change, _) = tenant.node.operator().end_session(&tenant.owner_id, kicked.id, EndReason::Kicked).await.unwrap();
    tenant.node.apply(change).await;
    assert_eq!(read_at(&session).await, text(app.now()));
    assert_eq!(read_at(&bystander).await, text(beginning));
}

/// On a clock that can be moved; Redis keeps its own.
async fn a_profile_is_read_anew_after_ten_minutes(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let first = app.now();
    assert_eq!(read_at(&session).await, text(first));
    app.advance(Duration::from_secs(599));
    assert_eq!(read_at(&session).await, text(first));
    app.advance(Duration::from_secs(1));
    assert_eq!(read_at(&session).await, text(app.now()));
}

async fn areas_and_sharers_are_checked(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let session = tenant.with_user_in("li", &["440100"]).await.signed_in().await;
    for (area, kind) in
        [("440100", None), ("440106", None), ("440000", Some(FaultKind::AREA_FORBIDDEN)), ("999999", Some(FaultKind::AREA_UNKNOWN))]
    {
        let answer = session.current_user().header("XfilterAreaCode", area).send().await;
        match kind {
            None => assert_eq!(answer.status, 200, "{area}"),
            Some(kind) => answer.assert_fault(kind),
        }
    }
    let answer = session.current_user().header("XuserFromFirstShareId", "id-li").header("XuserFromSecondShareId", "nobody").send().await;
    answer.assert_fault(FaultKind::SHARE_USER_UNKNOWN);
}
