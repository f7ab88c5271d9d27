//! What a tenant's administrator can cost the others with keys: rotations as fast as the admin API
//! takes them, and then bad stamps of that tenant from many clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bo_auth_core::signing_key::Algorithm;
use serde_json::json;
use tokio::task::JoinSet;

use crate::admin::Administrator;
use crate::support::{Session, Tenant, TestApp};

one_backend!(Local: rotations_and_bad_stamps_of_one_tenant_do_not_slow_another);

/// How many times the neighbour is asked in each part.
const CALLS: usize = 400;

/// How long calls of the neighbour take, sorted.
async fn neighbour(session: &Session) -> Vec<Duration> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        assert_eq!(session.current_user().send().await.status, 200);
        times.push(began.elapsed());
    }
    times.sort();
    times
}

fn quantile(times: &[Duration], share: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    times[((times.len() - 1) as f64 * share) as usize]
}

/// Forty clients send stamps under no key of the tenant's until told to stop.
fn bad_stamps(tenant: &Tenant, session: &Session, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..40 {
        let (session, stop) = (session.clone(), Arc::clone(stop));
        let stamp = tenant.web().encrypt_under("no key!!", "0123456789abcdef0123456789abcdef");
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = session.current_user().header("XverifyApi", &stamp).send().await;
                assert_eq!(answer.status, 401);
            }
        });
    }
    clients
}

async fn rotations_and_bad_stamps_of_one_tenant_do_not_slow_another(app: TestApp) {
    let attacked = app.with_tenant_of("attacker", Algorithm::RS256).await;
    let quiet = app.with_tenant("quiet").await;
    let neighbour_session = app.with_tenant("neighbour").await.with_user("li").await.signed_in().await;
    let (bad, calm) = (attacked.with_user("li").await.signed_in().await, quiet.with_user("li").await.signed_in().await);

    // The same stamps of a tenant that has never rotated a key are what they are compared with.
    let stop = Arc::new(AtomicBool::new(false));
    let clients = bad_stamps(&quiet, &calm, &stop);
    let before = neighbour(&neighbour_session).await;
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;

    let admin = Administrator::of_tenant(&app, &attacked).await;
    let path = format!("/tenants/{}/keys/rotate", attacked.owner_id);
    let (mut made, mut refused) = (0, 0);
    let rotating = async {
        for number in 0..120 {
            let purpose = ["stamp", "stamp-mac", "access", "refresh"][number % 4];
            match admin.post(&path, &json!({"purpose": purpose})).await.status {
                201 => made += 1,
                429 => refused += 1,
                other => panic!("{other}"),
            }
        }
    };
    let ((), during) = tokio::join!(rotating, neighbour(&neighbour_session));
    assert!((1..=12).contains(&made) && refused > 100, "{made} made, {refused} refused");

    let stop = Arc::new(AtomicBool::new(false));
    let clients = bad_stamps(&attacked, &bad, &stop);
    let after = neighbour(&neighbour_session).await;
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;

    for (what, times) in [("rotations", &during), ("bad stamps", &after)] {
        for share in [0.5, 0.99] {
            let (compared, measured) = (quantile(&before, share), quantile(times, share));
            assert!(measured < compared * 4 + Duration::from_millis(5), "{what}: {measured:?} against {compared:?} at {share}");
        }
    }
}
