//! The audit trail: narrowed, page by page, within its tenant.

use bo_auth_store::Error;
use bo_auth_store::record::{Actor, AuditFilter, AuditRecord};
use serde_json::json;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, event_id, later, owner, user};

#[tokio::test]
async fn an_administrators_action_is_written_down() {
    each_backend(|db| async move {
        let event = AuditRecord {
            event_id: event_id(NOW),
            kind: "tenant.disabled".to_owned(),
            sys_id: None,
            user_id: None,
            session_id: None,
            reason: None,
            actor: Actor::Admin,
            trace: json!({"by": "运维"}),
            at: NOW,
        };
        db.insert_audit_event(&owner("demo"), &event).await.unwrap();
        assert!(matches!(db.insert_audit_event(&owner("demo"), &event).await, Err(Error::Exists("event"))));
        db.insert_audit_event(&owner("other"), &event).await.unwrap();
        assert_eq!(db.list_audit_events(&owner("demo"), &AuditFilter::default(), None, 9).await.unwrap(), [event]);
    })
    .await;
}

#[tokio::test]
async fn the_trail_is_narrowed_and_paged() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(3).await;
        db.end_sessions(&[demo.ending(sessions[0], later(10))]).await.unwrap();
        let list = async |filter: AuditFilter, before, limit| -> Vec<(String, i64)> {
            let found = db.list_audit_events(&demo.owner_id, &filter, before, limit).await.unwrap();
            found.into_iter().map(|event| (event.kind, event.event_id)).collect()
        };
        let all = list(AuditFilter::default(), None, 9).await;
        assert_eq!(
            all.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
            ["session.ended", "session.started", "session.started", "session.started"]
        );
        assert_eq!(list(AuditFilter::default(), None, 2).await, all[..2]);
        assert_eq!(list(AuditFilter::default(), Some(all[1].1), 9).await, all[2..]);
        let of_session = AuditFilter { session_id: Some(sessions[0]), ..AuditFilter::default() };
        assert_eq!(list(of_session, None, 9).await, [all[0].clone(), all[3].clone()]);
        let of_user = AuditFilter { user_id: Some(user("u2")), ..AuditFilter::default() };
        assert_eq!(list(of_user, None, 9).await, []);
    })
    .await;
}
