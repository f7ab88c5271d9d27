//! How many endings a second, one by one and together, and how long an import takes: run by hand, with
//! `--run-ignored only --no-capture`, in a release build.

use std::time::{Duration, Instant};

use bo_auth_core::identifier::AreaCode;
use bo_auth_core::session::SessionId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::db::ending_queue::EndingQueue;
use bo_auth_store::record::{AreaRecord, Ending};
use futures_util::future::join_all;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, later, owner, user};

const CALLERS: usize = 256;

/// Rows of live sessions, made without a login each.
async fn fill(demo: &Demo, count: i64, first: i64) -> Vec<SessionId> {
    let statement = "WITH RECURSIVE number (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM number WHERE n < $2) \
         INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, \
             access_expires_at, address, user_agent) \
         SELECT 'demo', n, 'app', 'u' || (n * 7919 % 50000), 0, n, n, $3, $3, n, '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64)' FROM number";
    let (last, expiry) = (first + count - 1, later(90_000).0);
    match &demo.db {
        bo_auth_store::Db::Postgres(pool) => {
            sqlx::query(statement).bind(first).bind(last).bind(expiry).execute(pool).await.unwrap();
            sqlx::query("ANALYZE").execute(pool).await.unwrap();
        }
        bo_auth_store::Db::Sqlite { write, .. } => {
            sqlx::query(statement).bind(first).bind(last).bind(expiry).execute(write).await.unwrap();
        }
    }
    (first..=last).map(SessionId::from_number).collect()
}

/// The end of a session at an instant of its own: events of one millisecond share its few random bits.
fn ending(demo: &Demo, session_id: SessionId) -> Ending {
    demo.ending(session_id, Timestamp(NOW.0 + session_id.number() / 4))
}

#[expect(clippy::print_stderr, reason = "figures for a person")]
fn tell(engine: &str, what: &str, count: usize, taken: Duration) {
    let rate = f64::from(u32::try_from(count).unwrap()) / taken.as_secs_f64();
    eprintln!("{engine:9} {what:40} {rate:9.0} a second  ({count} in {taken:.2?})");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn endings_per_second() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let one_by_one = fill(&demo, 4_000, 1_000_000).await;
        let begin = Instant::now();
        for session in &one_by_one {
            db.end_sessions(&[ending(&demo, *session)]).await.unwrap();
        }
        tell(db.engine(), "one caller, a commit each", one_by_one.len(), begin.elapsed());

        let concurrent = fill(&demo, 8_000, 2_000_000).await;
        let begin = Instant::now();
        join_all((0..CALLERS).map(|caller| {
            let mine: Vec<_> = concurrent.iter().copied().skip(caller).step_by(CALLERS).collect();
            let demo = demo.clone();
            tokio::spawn(async move {
                for session in mine {
                    // Pools give up on callers who wait for long; those try again.
                    while demo.db.end_sessions(&[ending(&demo, session)]).await.is_err() {}
                }
            })
        }))
        .await;
        tell(db.engine(), "256 callers, a commit each", concurrent.len(), begin.elapsed());

        let queued = fill(&demo, 60_000, 3_000_000).await;
        let queue = EndingQueue::start(db.clone());
        let begin = Instant::now();
        join_all((0..CALLERS).map(|caller| {
            let mine: Vec<_> = queued.iter().copied().skip(caller).step_by(CALLERS).collect();
            let (demo, queue) = (demo.clone(), queue.clone());
            tokio::spawn(async move {
                for session in mine {
                    queue.end(ending(&demo, session)).await.unwrap();
                }
            })
        }))
        .await;
        tell(db.engine(), &format!("256 callers, {} shared commits", queue.commits()), queued.len(), begin.elapsed());

        let alone = fill(&demo, 2_000, 4_000_000).await;
        let begin = Instant::now();
        for session in &alone {
            queue.end(ending(&demo, *session)).await.unwrap();
        }
        tell(db.engine(), "one caller through the queue", alone.len(), begin.elapsed());
        queue.drain().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn rotations_logins_and_areas() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let areas: Vec<_> = (0..40_000u32)
            .map(|number| AreaRecord {
                area_code: AreaCode::parse(&number.to_string()).unwrap(),
                parent_code: (number > 9).then(|| AreaCode::parse(&(number / 10).to_string()).unwrap()),
                name: format!("第{number}区"),
            })
            .collect();
        let begin = Instant::now();
        for portion in areas.chunks(2_000) {
            db.import_areas(&owner("demo"), portion).await.unwrap();
        }
        tell(db.engine(), "areas imported", areas.len(), begin.elapsed());

        let sessions = fill(&demo, 4_000, 1_000_000).await;
        let begin = Instant::now();
        for session in &sessions {
            db.rotate_session(&demo.owner_id, *session, 0, later(1), later(3_600), later(600)).await.unwrap();
        }
        tell(db.engine(), "one caller's rotations", sessions.len(), begin.elapsed());

        let begin = Instant::now();
        for second in 0..1_000 {
            let mut new = Demo::new_session(later(second));
            new.limit = Some(5);
            db.open_session(&demo.owner_id, &new).await.unwrap();
        }
        tell(db.engine(), "one caller's logins under a limit", 1_000, begin.elapsed());

        let begin = Instant::now();
        for session in &sessions {
            db.find_session(&demo.owner_id, *session).await.unwrap();
        }
        tell(db.engine(), "one caller's look-ups", sessions.len(), begin.elapsed());
        let begin = Instant::now();
        let live = db.list_live_sessions(&demo.owner_id, &user("u1"), later(1_000)).await.unwrap().len();
        tell(db.engine(), "live sessions of a user", live, begin.elapsed());
    })
    .await;
}
