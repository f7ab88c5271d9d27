//! Recorded answers: only where a tenant has asked for them, as many as it has asked for, and nothing in them that names anyone.

use std::time::Duration;

use bo_auth_service::Error;
use bo_auth_service::plugin::PluginRefusal;

use crate::support::TestApp;

each_backend!(answers_are_recorded_redacted_and_capped);

async fn answers_are_recorded_redacted_and_capped(app: TestApp) {
    let (tenant, other) = (app.with_tenant("acme").await, app.with_tenant("other").await);
    let service = app.service();
    let desk = service.plugin_desk();
    let session = tenant.with_user("li").await.signed_in().await;
    service.save_plugin_activity().await.unwrap();
    assert!(desk.recorded(&tenant.owner_id, 10).await.unwrap().is_empty(), "nobody has asked");

    desk.set_recording(&tenant.owner_id, Some(3), None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    let login = session.user.login().send().await;
    for _ in 0..4 {
        // Within one millisecond there is no newest.
        app.advance(Duration::from_millis(10));
        session.current_user().send().await;
    }
    app.advance(Duration::from_millis(10));
    other.with_user("wu").await.signed_in().await;
    session.current_user().query("_nodejs", "no-such").send().await;
    let login = login.json();
    service.save_plugin_activity().await.unwrap();
    let recorded = desk.recorded(&tenant.owner_id, 10).await.unwrap();
    assert_eq!(recorded.len(), 3, "no more than was asked for");
    let written: String = recorded.iter().map(|subject| subject.envelope.to_string()).collect();
    for secret in [
        "name of li",
        "id-li",
        login["data"]["token"]["accessToken"].as_str().unwrap(),
        login["data"]["token"]["refreshToken"].as_str().unwrap(),
    ] {
        assert!(!written.contains(secret), "{secret} stands in {written}");
    }
    assert!(written.contains("PLUGIN_UNKNOWN") && written.contains(r#""name":"xxxx xx xx""#), "{written}");
    assert!(desk.recorded(&other.owner_id, 10).await.unwrap().is_empty());

    desk.set_recording(&tenant.owner_id, None, None, "tester").await.unwrap();
    assert!(desk.recorded(&tenant.owner_id, 10).await.unwrap().is_empty(), "what was recorded goes with it");
    for samples in [0, -1, 201] {
        let refused = desk.set_recording(&tenant.owner_id, Some(samples), None, "tester").await;
        assert!(matches!(refused, Err(Error::Plugin(PluginRefusal::Samples))), "{refused:?}");
    }
}
