//! Retention: what is still needed stays, and no call removes more than it was asked to.

use bo_auth_core::time::Timestamp;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, later, owner};

#[tokio::test]
async fn ended_sessions_go_when_nobody_needs_them() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(5).await;
        for session in &sessions[..4] {
            db.end_sessions(&[demo.ending(*session, later(10))]).await.unwrap();
        }
        // They are kept until 600 to 603, when their last access tokens expire.
        assert_eq!(db.remove_ended_sessions(later(600), 9).await.unwrap(), 0);
        assert_eq!(db.remove_ended_sessions(later(603), 2).await.unwrap(), 2);
        assert_eq!(db.remove_ended_sessions(later(603), 2).await.unwrap(), 1);
        assert!(db.find_session(&demo.owner_id, sessions[2]).await.unwrap().is_none());
        demo.find(sessions[3]).await;
        assert_eq!(demo.find(sessions[4]).await.ended, None, "what is live is not touched");
        assert_eq!(db.remove_ended_sessions(Timestamp(i64::MAX), 9).await.unwrap(), 1);
        demo.find(sessions[4]).await;
    })
    .await;
}

#[tokio::test]
async fn sessions_that_nobody_ended_go_after_their_lifetime() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(3).await;
        db.end_sessions(&[demo.ending(sessions[0], later(10))]).await.unwrap();
        assert_eq!(db.remove_expired_sessions(later(7_201), 9).await.unwrap(), 0, "the second lives until 7201");
        assert_eq!(db.remove_expired_sessions(later(7_203), 1).await.unwrap(), 1);
        assert_eq!(db.remove_expired_sessions(later(7_203), 9).await.unwrap(), 1);
        demo.find(sessions[0]).await;
    })
    .await;
}

#[tokio::test]
async fn the_audit_trail_is_cut_at_its_old_end() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        demo.open_many(4).await;
        assert_eq!(db.remove_audit_events(later(3), 2).await.unwrap(), 2);
        assert_eq!(db.remove_audit_events(later(3), 2).await.unwrap(), 1);
        assert_eq!(demo.audited("session.started").await.iter().map(|event| event.at).collect::<Vec<_>>(), [later(3)]);
    })
    .await;
}

#[tokio::test]
async fn nonces_go_when_they_no_longer_count() {
    each_backend(|db| async move {
        if db.engine() == "sqlite" {
            for second in 0..3 {
                db.insert_nonces(&owner("demo"), later(second), &[7; 32]).await.unwrap();
            }
            assert_eq!(db.remove_nonces(later(1)).await.unwrap(), 2);
            assert_eq!(db.load_nonces(NOW).await.unwrap(), [(owner("demo"), later(2), vec![7; 32])]);
        }
        assert_eq!(db.remove_nonces(later(1)).await.unwrap(), 0);
        assert_eq!(db.remove_cache(later(1)).await.unwrap(), 0);
    })
    .await;
}
