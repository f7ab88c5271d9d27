//! Sign out, the headline operation (contract 1.5).

use http::Method;

use crate::support::TestApp;

each_backend!(both_methods_answer_to_the_byte);

async fn both_methods_answer_to_the_byte(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for method in [Method::GET, Method::DELETE] {
        let session = user.log_in().await;
        session.logout_by(method).send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
        session.assert_ended("SESSION_LOGGED_OUT").await;
    }
}
