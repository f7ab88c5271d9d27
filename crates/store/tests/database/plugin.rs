//! Plugins: versions are kept, a change needs the revision it was decided on, and what plugins did is bounded.

use bo_auth_core::time::Timestamp;
use bo_auth_store::plugin_record::{Canary, NewPluginVersion, PluginFailureRecord, PluginMove, PluginRuns, PluginSwitch};
use bo_auth_store::record::{Actor, AuditRecord};
use serde_json::json;

use crate::backend::each_backend;
use crate::fixture::{NOW, event_id, later, owner};

fn event(kind: &str) -> AuditRecord {
    AuditRecord {
        event_id: event_id(NOW),
        kind: kind.to_owned(),
        sys_id: None,
        user_id: None,
        session_id: None,
        reason: None,
        actor: Actor::Admin,
        trace: json!({"plugin": "mine"}),
        at: NOW,
    }
}

fn new(source: &str) -> NewPluginVersion {
    NewPluginVersion { source: source.to_owned(), digest: "d".to_owned(), author: "王芳".to_owned(), note: String::new() }
}

fn full(revision: i64, version: i64) -> PluginMove {
    PluginMove { revision, active_version: Some(version), canary: None, switched_off: None, published: Some(version), failed: None }
}

#[tokio::test]
async fn versions_are_numbered_and_a_change_needs_the_revision() {
    each_backend(|db| async move {
        let (one, two) = (owner("one"), owner("two"));
        for (tenant, source, number) in [(&one, "a", 1), (&one, "b", 2), (&two, "c", 1)] {
            assert_eq!(db.insert_plugin_version(tenant, "mine", &new(source), &event("plugin.stored"), NOW).await.unwrap(), number);
        }
        let record = db.find_plugin(&one, "mine").await.unwrap().unwrap();
        assert_eq!((record.last_version, record.active_version, record.revision), (2, None, 2));
        assert!(db.list_published_plugins(&one).await.unwrap().is_empty());
        assert!(db.move_plugin(&one, "mine", &full(2, 1), &event("plugin.published"), later(1)).await.unwrap().is_some());
        let mut canary = full(3, 1);
        canary.canary = Some(Canary { version: 2, share_percent: 5 });
        canary.published = None;
        assert!(
            db.move_plugin(&one, "mine", &full(2, 2), &event("plugin.published"), later(2)).await.unwrap().is_none(),
            "decided on what is no more"
        );
        assert!(db.move_plugin(&one, "mine", &canary, &event("plugin.canary"), later(2)).await.unwrap().is_some());
        let published = db.list_published_plugins(&one).await.unwrap();
        let [plugin] = &published[..] else { panic!("{published:?}") };
        assert_eq!((plugin.active_source.as_deref(), plugin.canary_source.as_deref()), (Some("a"), Some("b")));
        assert_eq!(db.find_good_plugin_version(&one, "mine", Some(2)).await.unwrap(), Some(1));
        assert_eq!(db.find_good_plugin_version(&one, "mine", Some(1)).await.unwrap(), None);
        let owners = db.list_plugin_owners().await.unwrap();
        assert_eq!(owners.iter().map(|owner| (owner.owner_id.as_str(), owner.revision)).collect::<Vec<_>>(), [("one", 2)]);
        assert!(db.find_plugin_version(&two, "mine", 2).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn of_many_versions_the_newest_are_kept_and_those_that_answer() {
    each_backend(|db| async move {
        let (one, two) = (owner("one"), owner("two"));
        for number in 0..12 {
            for tenant in [&one, &two] {
                db.insert_plugin_version(tenant, "mine", &new("x"), &event("plugin.stored"), later(number)).await.unwrap();
            }
            if number < 4 {
                db.insert_plugin_version(&one, "other", &new("x"), &event("plugin.stored"), later(number)).await.unwrap();
            }
        }
        for (revision, version) in [(12, 1_u8), (13, 2), (14, 3)] {
            let now = later(20 + u64::from(version));
            assert!(
                db.move_plugin(&one, "mine", &full(revision, i64::from(version)), &event("plugin.published"), now).await.unwrap().is_some()
            );
        }
        assert_eq!(db.remove_plugin_versions(&one, 16).await.unwrap(), 0);
        assert_eq!(db.remove_plugin_versions(&one, 5).await.unwrap(), 11);
        let versions = async |name| {
            let listed = db.list_plugin_versions(&one, name, None, 20).await.unwrap();
            listed.iter().map(|version| version.version).collect::<Vec<_>>()
        };
        assert_eq!((versions("mine").await, versions("other").await), (vec![12, 3, 2, 1], vec![4]));
        assert_eq!(db.remove_plugin_versions(&one, 0).await.unwrap(), 2);
        assert_eq!((versions("mine").await, versions("other").await), (vec![12, 3], vec![4]), "what answers stays, and the newest");
        assert_eq!(db.list_plugin_versions(&two, "mine", None, 20).await.unwrap().len(), 12, "another's are another's");
        let next = db.insert_plugin_version(&one, "mine", &new("x"), &event("plugin.stored"), later(40)).await.unwrap();
        assert_eq!(next, 13, "no number comes twice");
    })
    .await;
}

#[tokio::test]
async fn where_versions_stand_back_is_written_once() {
    each_backend(|db| async move {
        let tenant = owner("one");
        db.insert_plugin_version(&tenant, "mine", &new("x"), &event("plugin.stored"), NOW).await.unwrap();
        assert!(db.move_plugin(&tenant, "mine", &full(1, 1), &event("plugin.published"), NOW).await.unwrap().is_some());
        let at = |route: &str| PluginSwitch {
            name: "mine".to_owned(),
            version: 1,
            tenant_id: "one".to_owned(),
            sys_id: "web".to_owned(),
            route: route.to_owned(),
            code: "exception".to_owned(),
            at: later(1),
        };
        let off = async |route| db.switch_plugin_off(&tenant, &at(route), &event("plugin.switched-off")).await.unwrap().is_some();
        let on = async |route| db.switch_plugin_on(&tenant, &at(route), &event("plugin.switched-on")).await.unwrap().is_some();
        assert_eq!((off("/a").await, off("/a").await, off("/b").await), (true, false, true));
        assert_eq!(db.list_plugin_switches(&tenant).await.unwrap(), [at("/a"), at("/b")]);
        assert_eq!(db.find_good_plugin_version(&tenant, "mine", Some(2)).await.unwrap(), None, "it is not gone back to");
        assert_eq!((on("/a").await, on("/a").await), (true, false));
        assert!(db.list_plugin_switches(&owner("two")).await.unwrap().is_empty());
        // Published again, it begins anew.
        assert!(db.move_plugin(&tenant, "mine", &full(2, 1), &event("plugin.published"), later(2)).await.unwrap().is_some());
        assert!(db.list_plugin_switches(&tenant).await.unwrap().is_empty());
        assert!(off("/a").await);
        db.remove_plugin_activity(later(9), 10).await.unwrap();
        assert!(db.list_plugin_switches(&tenant).await.unwrap().is_empty(), "after a while it is forgotten, and tried anew");
    })
    .await;
}

#[tokio::test]
async fn what_plugins_did_is_summed_and_bounded() {
    each_backend(|db| async move {
        let tenant = owner("one");
        let runs =
            |at: Timestamp, runs| (tenant.clone(), "mine".to_owned(), PluginRuns { version: 1, at, runs, failures: 1, microseconds: 10 });
        for _ in 0..2 {
            db.add_plugin_runs(&[runs(NOW, 3), runs(later(300), 4)]).await.unwrap();
        }
        let listed: Vec<_> = db.list_plugin_runs(&tenant, "mine", NOW).await.unwrap().iter().map(|runs| (runs.at, runs.runs)).collect();
        assert_eq!(listed, [(NOW, 6), (later(300), 8)]);
        assert_eq!(db.sum_plugin_runs(&tenant, later(1)).await.unwrap(), [("mine".to_owned(), 8, 2)]);
        let failure = |number: i64| {
            let failure = PluginFailureRecord {
                failure_id: number,
                name: "mine".to_owned(),
                version: 1,
                code: "exception".to_owned(),
                message: "line 1: no".to_owned(),
                line: Some(1),
                column: None,
                route: String::new(),
                sys_id: None,
                at: NOW,
            };
            (tenant.clone(), failure)
        };
        let failures: Vec<_> = (1..=30).map(failure).collect();
        db.insert_plugin_failures(&failures, 10).await.unwrap();
        let kept: Vec<i64> =
            db.list_plugin_failures(&tenant, "mine", None, 100).await.unwrap().iter().map(|failure| failure.failure_id).collect();
        assert_eq!(kept, (21..=30).rev().collect::<Vec<_>>());
        assert_eq!(db.remove_plugin_activity(later(1), 100).await.unwrap(), 11);
        assert!(db.list_plugin_failures(&tenant, "mine", None, 100).await.unwrap().is_empty());
    })
    .await;
}
