//! Draft, publish, roll back, withdraw: what is stored, who is reached, and what is refused.

use bo_auth_server::fault::FaultKind;
use bo_auth_service::Error;
use bo_auth_service::plugin::{PluginRefusal, VersionState, platform};
use bo_auth_store::record::AuditFilter;
use serde_json::json;

use super::saying;
use crate::support::{Session, Tenant, TestApp};

each_backend!(
    versions_are_published_rolled_back_and_withdrawn,
    rolling_back_goes_to_what_answered_before,
    what_was_published_answers_after_a_restart,
    a_version_that_does_not_compile_is_kept_and_never_published,
);

one_backend!(Local:
    a_change_decided_on_an_old_revision_is_refused,
    the_platforms_plugins_are_offered_to_every_tenant,
    a_source_is_stored_once,
    every_change_is_in_the_audit_trail,
    what_is_no_plugin_is_refused,
);

async fn session_of(tenant: &Tenant) -> Session {
    tenant.with_user("li").await.signed_in().await
}

async fn message(session: &Session, plugin: &str) -> String {
    let answer = session.current_user().query("_nodejs", plugin).send().await;
    assert_eq!((answer.status, answer.header("x-plugin-error")), (200, None));
    answer.json()["message"].as_str().unwrap().to_owned()
}

async fn rolling_back_goes_to_what_answered_before(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let service = app.service();
    let desk = service.plugin_desk();
    for text in ["one", "two", "three"] {
        tenant.draft("mine", &saying(text)).await;
    }
    let back = async || match desk.roll_back(&tenant.owner_id, "mine", None, None, "tester").await {
        Ok(record) => record.active_version,
        Err(Error::Plugin(PluginRefusal::NothingBefore)) => None,
        Err(error) => panic!("{error}"),
    };
    // Newer versions may have answered before older ones.
    for version in [1, 3, 2] {
        tenant.publish_version("mine", version, None).await;
    }
    assert_eq!((back().await, back().await, back().await), (Some(3), Some(1), None));
    // An older version that is published again, and one that is named.
    for version in [2, 3, 1] {
        tenant.publish_version("mine", version, None).await;
    }
    assert_eq!(back().await, Some(3));
    desk.roll_back(&tenant.owner_id, "mine", Some(2), None, "tester").await.unwrap();
    tenant.publish_version("mine", 1, None).await;
    desk.withdraw(&tenant.owner_id, "mine", None, "tester").await.unwrap();
    assert_eq!(back().await, Some(1), "what answered until it was withdrawn");
}

async fn versions_are_published_rolled_back_and_withdrawn(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let (session, foreign) = (session_of(&tenant).await, session_of(&app.with_tenant("other").await).await);
    let service = app.service();
    let desk = service.plugin_desk();
    assert_eq!(tenant.publish("mine", &saying("one")).await, 1);
    let second = tenant.draft("mine", &saying("two")).await;
    assert_eq!(message(&session, "mine").await, "one", "a draft answers nothing");
    tenant.publish_version("mine", second, None).await;
    assert_eq!(message(&session, "mine").await, "two");
    foreign.current_user().query("_nodejs", "mine").send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);

    let rolled = desk.roll_back(&tenant.owner_id, "mine", None, None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    assert_eq!((rolled.active_version, message(&session, "mine").await.as_str()), (Some(1), "one"));
    let nothing = desk.roll_back(&tenant.owner_id, "mine", None, None, "tester").await;
    assert!(matches!(nothing, Err(Error::Plugin(PluginRefusal::NothingBefore))), "{nothing:?}");
    desk.roll_back(&tenant.owner_id, "mine", Some(second), None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    assert_eq!(message(&session, "mine").await, "two");

    let record = desk.find(&tenant.owner_id, "mine").await.unwrap();
    let versions = service.db.list_plugin_versions(&tenant.owner_id, "mine", None, 10).await.unwrap();
    let states: Vec<_> = versions.iter().map(|version| (version.version, VersionState::of(version, &record))).collect();
    assert_eq!(states, [(2, VersionState::Active), (1, VersionState::Retired)]);

    desk.withdraw(&tenant.owner_id, "mine", None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    session.current_user().query("_nodejs", "mine").send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    // Of a built-in's name, the built-in answers again.
    tenant.publish("common-data", &saying("own")).await;
    assert_eq!((message(&session, "common-data").await.as_str(), message(&foreign, "common-data").await.as_str()), ("own", "获取成功"));
    desk.withdraw(&tenant.owner_id, "common-data", None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    assert_eq!(message(&session, "common-data").await, "获取成功");
}

async fn what_was_published_answers_after_a_restart(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = session_of(&tenant).await;
    tenant.publish("mine", &saying("one")).await;
    tenant.publish("other", &saying("two")).await;
    app.restart().await;
    assert_eq!((message(&session, "mine").await, message(&session, "other").await), ("one".to_owned(), "two".to_owned()));
}

async fn a_version_that_does_not_compile_is_kept_and_never_published(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = session_of(&tenant).await;
    let service = app.service();
    let desk = service.plugin_desk();
    tenant.publish("mine", &saying("good")).await;
    let broken = "fn process(response, ctx) {\n  response.set(\"message\", \"x\"\n}";
    let stored = desk.store(&tenant.owner_id, "mine", broken, "tester", "").await.unwrap();
    let error = stored.compile_error.unwrap();
    assert_eq!((stored.version, error.line, error.column), (2, Some(3), Some(1)), "{error}");
    for refused in [
        desk.publish(&tenant.owner_id, "mine", 2, None, None, "tester").await,
        desk.publish(&tenant.owner_id, "mine", 2, Some(5), None, "tester").await,
        desk.roll_back(&tenant.owner_id, "mine", Some(2), None, "tester").await,
    ] {
        assert!(matches!(refused, Err(Error::Plugin(PluginRefusal::DoesNotCompile(_)))), "{refused:?}");
    }
    service.refresh_plugins().await.unwrap();
    assert_eq!(message(&session, "mine").await, "good");
    assert_eq!(desk.version(&tenant.owner_id, "mine", 2).await.unwrap().source, broken);
}

async fn a_change_decided_on_an_old_revision_is_refused(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let service = app.service();
    let desk = service.plugin_desk();
    tenant.publish("mine", &saying("one")).await;
    let seen = desk.find(&tenant.owner_id, "mine").await.unwrap();
    let second = tenant.draft("mine", &saying("two")).await;
    for refused in [
        desk.publish(&tenant.owner_id, "mine", second, None, Some(seen.revision), "tester").await,
        desk.roll_back(&tenant.owner_id, "mine", None, Some(seen.revision), "tester").await,
        desk.withdraw(&tenant.owner_id, "mine", Some(seen.revision), "tester").await,
    ] {
        assert!(matches!(refused, Err(Error::Plugin(PluginRefusal::Stale))), "{refused:?}");
    }
    let now = desk.find(&tenant.owner_id, "mine").await.unwrap();
    assert_eq!(now.active_version, Some(1));
    desk.publish(&tenant.owner_id, "mine", second, None, Some(now.revision), "tester").await.unwrap();
}

async fn the_platforms_plugins_are_offered_to_every_tenant(app: TestApp) {
    let (one, two) = (app.with_tenant("one").await, app.with_tenant("two").await);
    let (session, other) = (session_of(&one).await, session_of(&two).await);
    let service = app.service();
    let desk = service.plugin_desk();
    desk.store(&platform(), "shared", &saying("platform"), "tester", "").await.unwrap();
    desk.publish(&platform(), "shared", 1, None, None, "tester").await.unwrap();
    service.refresh_plugins().await.unwrap();
    assert_eq!((message(&session, "shared").await.as_str(), message(&other, "shared").await.as_str()), ("platform", "platform"));
    one.publish("shared", &saying("own")).await;
    assert_eq!((message(&session, "shared").await.as_str(), message(&other, "shared").await.as_str()), ("own", "platform"));
    let listed: Vec<_> = desk.list(&two.owner_id).await.unwrap().into_iter().map(|plugin| (plugin.name, plugin.platform)).collect();
    assert_eq!(listed, [("common-data".to_owned(), true), ("common-data-under".to_owned(), true), ("shared".to_owned(), true)]);
    assert!(!desk.list(&one.owner_id).await.unwrap().iter().any(|plugin| plugin.name == "shared" && plugin.platform));
}

async fn a_source_is_stored_once(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let service = app.service();
    let desk = service.plugin_desk();
    let first = desk.store(&tenant.owner_id, "mine", &saying("one"), "tester", "first").await.unwrap();
    let again = desk.store(&tenant.owner_id, "mine", &saying("one"), "somebody", "again").await.unwrap();
    assert_eq!((first.unchanged, again.unchanged, again.version, &again.digest), (false, true, 1, &first.digest));
    assert_eq!(first.digest.len(), 64);
    assert_eq!(desk.store(&tenant.owner_id, "mine", &saying("two"), "tester", "").await.unwrap().version, 2);
    assert_eq!(desk.store(&tenant.owner_id, "mine", &saying("one"), "tester", "").await.unwrap().version, 3, "only the newest counts");
}

async fn every_change_is_in_the_audit_trail(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let service = app.service();
    let desk = service.plugin_desk();
    tenant.publish("mine", &saying("one")).await;
    let second = tenant.draft("mine", &saying("two")).await;
    tenant.publish_version("mine", second, Some(5)).await;
    desk.roll_back(&tenant.owner_id, "mine", None, None, "wang").await.unwrap();
    desk.withdraw(&tenant.owner_id, "mine", None, "wang").await.unwrap();
    let trail = service.db.list_audit_events(&tenant.owner_id, &AuditFilter::default(), None, 20).await.unwrap();
    let kinds: Vec<&str> = trail.iter().rev().map(|event| event.kind.as_str()).filter(|kind| kind.starts_with("plugin.")).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}");
    for kind in ["plugin.stored", "plugin.published", "plugin.canary", "plugin.rolled-back", "plugin.withdrawn"] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let withdrawn = trail.iter().find(|event| event.kind == "plugin.withdrawn").unwrap();
    assert_eq!(withdrawn.trace, json!({"details": {"plugin": "mine", "author": "wang", "before": 1}}));
}

async fn what_is_no_plugin_is_refused(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let service = app.service();
    let desk = service.plugin_desk();
    let (owner, source) = (&tenant.owner_id, saying("x"));
    for name in ["", "a b", "../a", "中", "a,b", &"a".repeat(65)] {
        let refused = desk.store(owner, name, &source, "tester", "").await;
        assert!(matches!(refused, Err(Error::Plugin(PluginRefusal::Name))), "{name}: {refused:?}");
    }
    let long = "x".repeat(70 << 10);
    for (source, author, note) in [(long.as_str(), "a", "b"), (&source, &long, "b"), (&source, "a", &long), ("\0", "a", "b")] {
        let refused = desk.store(owner, "mine", source, author, note).await;
        assert!(matches!(refused, Err(Error::Plugin(PluginRefusal::TooLong(_)))), "{refused:?}");
    }
    assert!(matches!(desk.publish(owner, "mine", 1, None, None, "a").await, Err(Error::Plugin(PluginRefusal::UnknownVersion(1)))));
    assert!(matches!(desk.withdraw(owner, "mine", None, "a").await, Err(Error::Plugin(PluginRefusal::Unknown(_)))));
    let nobody = bo_auth_core::identifier::OwnerId::parse("nobody").unwrap();
    assert!(matches!(desk.store(&nobody, "mine", &source, "a", "").await, Err(Error::Refused(_))));
    tenant.draft("mine", &source).await;
    assert!(matches!(desk.publish(owner, "mine", 1, Some(5), None, "a").await, Err(Error::Plugin(PluginRefusal::NothingActive))));
    for share in [0, 100, 255] {
        assert!(matches!(desk.publish(owner, "mine", 1, Some(share), None, "a").await, Err(Error::Plugin(PluginRefusal::Share))));
    }
}
