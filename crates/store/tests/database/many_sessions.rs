//! Users and tenants with many sessions: all of them end at once, each with an event of its own.

use std::collections::HashSet;

use bo_auth_core::session::{EndReason, SessionId, first_id_at};
use bo_auth_store::Db;
use bo_auth_store::record::{EndedSession, Scope};

use crate::backend::each_backend;
use crate::fixture::{Demo, HASH, NOW, later, marking, user_record};

/// Opens as many sessions, a millisecond apart: those of `u1` first, then those of `u2`. Their ids' random bits are `apart` from
/// one to the next.
async fn open_many(demo: &Demo, of_u1: i64, of_u2: i64, apart: i64) {
    demo.db.insert_user(&demo.owner_id, &user_record("u2"), HASH, NOW).await.unwrap();
    let statement = "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < $1) \
         INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, \
             expires_at, access_expires_at) \
         SELECT 'demo', $2 + n * (4194304 + $3), 'app', CASE WHEN n < $4 THEN 'u1' ELSE 'u2' END, 0, $5 + n, $5 + n, $6, $6, $6 FROM number";
    macro_rules! insert {
        ($pool:expr) => {
            sqlx::query(statement)
                .bind(of_u1 + of_u2)
                .bind(first_id_at(NOW))
                .bind(apart)
                .bind(of_u1)
                .bind(NOW.0)
                .bind(later(7_200).0)
                .execute($pool)
                .await
                .map(drop)
        };
    }
    match &demo.db {
        Db::Postgres(pool) => insert!(pool),
        Db::Sqlite { write, .. } => insert!(write),
    }
    .unwrap();
}

/// The session of this number, where they are one bit apart.
fn numbered(number: i64) -> SessionId {
    SessionId::from_number(first_id_at(NOW) + number * ((1 << 22) + 1))
}

/// How many ids these ends have.
fn ids(ended: &[EndedSession]) -> usize {
    ended.iter().map(|session| session.event_id).collect::<HashSet<_>>().len()
}

#[tokio::test]
async fn a_user_leaves_everywhere_beside_many_sessions_of_others() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        open_many(&demo, 1_000, 50_000, 1).await;
        let mut ending = demo.user_ending(later(30));
        ending.except = Some(numbered(0));
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions.len(), 999);
        ending.except = None;
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions.len(), 1);
        // A thousand at once; the others follow, refused already.
        ending.user_id = user_record("u2").user_id;
        let revoked = db.end_user_sessions(&ending).await.unwrap();
        assert_eq!((revoked.sessions.len(), revoked.marks.len()), (1_000, 1));
        assert!(demo.find(numbered(1_999)).await.ended.is_some() && demo.find(numbered(2_000)).await.ended.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_login_makes_room_beside_many_sessions_of_others() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        open_many(&demo, 1_000, 50_000, 1).await;
        let mut new = Demo::new_session(later(30));
        new.limit = Some(3);
        let replaced = db.open_session(&demo.owner_id, &new).await.unwrap().unwrap();
        assert_eq!((replaced.len(), ids(&replaced)), (998, 998));
        assert!(replaced.iter().all(|session| session.session_id < numbered(999) && session.reason == EndReason::Replaced));
    })
    .await;
}

#[tokio::test]
async fn sessions_with_the_same_random_bits_have_ends_of_their_own() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        open_many(&demo, 300, 300, 0).await;
        let ended = db.end_user_sessions(&demo.user_ending(later(30))).await.unwrap().sessions;
        assert_eq!((ended.len(), ids(&ended)), (300, 300));

        db.end_all(&marking(&demo.owner_id, Scope::Tenant, EndReason::Kicked, later(31))).await.unwrap();
        let pending = db.pending_marks(later(40), later(40), 9).await.unwrap();
        let pending = pending.iter().find(|pending| pending.mark.scope == Scope::Tenant).expect("the mark is to be gone on with");
        let (ended, next) = db.end_marked_sessions(pending, None, 1_000, later(40)).await.unwrap();
        assert_eq!((ended.len(), ids(&ended), next), (300, 300, None));
        assert_eq!(demo.audited("session.ended").await.len(), 600);
    })
    .await;
}
