//! The outbox: what it holds, how much, and that it lets go.

use bo_auth_store::db::OutboxBacklog;

use crate::backend::each_backend;
use crate::fixture::{Demo, later};

#[tokio::test]
async fn events_wait_until_they_are_told() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        assert_eq!(db.outbox_backlog().await.unwrap(), OutboxBacklog { events: 0, oldest: None });
        let sessions = demo.open_many(3).await;
        for (session, at) in sessions.iter().zip([30, 10, 20]) {
            db.end_sessions(&[demo.ending(*session, later(at))]).await.unwrap();
        }
        assert_eq!(db.outbox_backlog().await.unwrap(), OutboxBacklog { events: 3, oldest: Some(later(10)) });
        let pending = db.pending_events(2, later(100)).await.unwrap();
        assert_eq!(pending.iter().map(|event| event.session_id).collect::<Vec<_>>(), [sessions[1], sessions[2]], "the oldest first");
        assert_eq!(db.pending_events(9, later(20)).await.unwrap().len(), 1);

        let ids: Vec<_> = pending.iter().map(|event| event.event_id).collect();
        assert_eq!(db.remove_events(&ids).await.unwrap(), 2);
        assert_eq!(db.remove_events(&ids).await.unwrap(), 0);
        assert_eq!(db.remove_events(&[]).await.unwrap(), 0);
        assert_eq!(db.outbox_backlog().await.unwrap(), OutboxBacklog { events: 1, oldest: Some(later(30)) });
    })
    .await;
}
