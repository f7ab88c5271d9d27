//! Plugins: versions are kept, a change needs the revision it was decided on, and what plugins did is bounded.

use bo_auth_core::time::Timestamp;
use bo_auth_store::plugin_record::{Canary, NewPluginVersion, PluginFailureRecord, PluginMove, PluginRuns};
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
        assert_eq!(db.find_good_plugin_version(&one, "mine", 2).await.unwrap(), Some(1));
        assert_eq!(db.find_good_plugin_version(&one, "mine", 1).await.unwrap(), None);
        let owners = db.list_plugin_owners().await.unwrap();
        assert_eq!(owners.iter().map(|owner| (owner.owner_id.as_str(), owner.revision)).collect::<Vec<_>>(), [("one", 2)]);
        assert!(db.find_plugin_version(&two, "mine", 2).await.unwrap().is_none());
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
