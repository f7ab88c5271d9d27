//! What the long scripts of other tenants do to a tenant's own script and to a built-in: p99 beside them / alone, the two by
//! turns. `cargo run --release -p bo-auth-plugin --example bench_neighbours -- 8` takes eight tenants.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark is read by a person")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bo_auth_plugin::{Chain, Context, Plugins};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const OWN: &str = r#"fn process(response, ctx) { response.set("data.displayName", `${response.data.name} (${ctx.sys_id})`) }"#;
const LONG: &str = "fn process(response, ctx) { loop { response.camel(); response.snake(); } }";
/// Calls at a time of those who are disturbed, and what lies between two of each.
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(1);
/// How often each tenant that disturbs asks, and how many of its requests wait at a time.
const EVERY: Duration = Duration::from_millis(50);
const WAITING: usize = 4;
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

fn context(owner_id: &str) -> Context {
    let now_ms = 1_700_000_000_000;
    Context { owner_id: Some(owner_id.into()), sys_id: Some("web".into()), user_id: Some("u1".into()), now_ms, ..Context::default() }
}

fn envelope() -> Value {
    json!({"code": 0, "success": true, "message": "ok", "data": {"userId": "u1", "name": "li", "areas": ["44", "4401"], "tags": [1, 2, 3]}})
}

async fn round(plugins: &Arc<Plugins>, chain: &Chain) -> Vec<Duration> {
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (plugins, chain) = (Arc::clone(plugins), chain.clone());
        callers.spawn(async move {
            let (context, began, mut took) = (context("neighbour"), Instant::now(), Vec::new());
            while began.elapsed() < ROUND {
                tokio::time::sleep(PAUSE).await;
                let asked = Instant::now();
                let shaped = plugins.shape(&chain, envelope(), &context).await;
                took.push(asked.elapsed());
                assert!(shaped.failure.is_none(), "{:?}", shaped.failure);
            }
            took
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

fn disturb(plugins: &Arc<Plugins>, tenants: usize, over: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut disturbing = JoinSet::new();
    for number in 0..tenants * WAITING {
        let (plugins, over) = (Arc::clone(plugins), Arc::clone(over));
        disturbing.spawn(async move {
            let owner_id = format!("hostile-{}", number % tenants);
            let (chain, context) = (plugins.find_chain(Some(&owner_id), "long").unwrap(), context(&owner_id));
            let mut turns = interval(EVERY);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut runs = 0;
            while !over.load(Ordering::Relaxed) {
                turns.tick().await;
                plugins.shape(&chain, envelope(), &context).await;
                runs += 1;
            }
            runs
        });
    }
    disturbing
}

fn quantile(took: &mut [Duration], quantile: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * quantile / 1000]
}

#[tokio::main]
async fn main() {
    let tenants: usize = std::env::args().nth(1).map_or(8, |text| text.parse().unwrap());
    let plugins = Arc::new(Plugins::new().unwrap());
    plugins.publish("neighbour", "own", OWN).await.unwrap();
    for number in 0..tenants {
        plugins.publish(&format!("hostile-{number}"), "long", LONG).await.unwrap();
    }
    for name in ["own", "common-data"] {
        let chain = plugins.find_chain(Some("neighbour"), name).unwrap();
        round(&plugins, &chain).await;
        let mut ratios = Vec::new();
        for number in 1..=ROUNDS {
            let mut alone = round(&plugins, &chain).await;
            let over = Arc::new(AtomicBool::new(false));
            let disturbing = disturb(&plugins, tenants, &over);
            let mut beside = round(&plugins, &chain).await;
            over.store(true, Ordering::Relaxed);
            let runs: usize = disturbing.join_all().await.into_iter().sum();
            let [one, other] = [&mut alone, &mut beside].map(|took| [500, 990, 1000].map(|part| quantile(took, part)));
            println!("{name}, round {number}: p50, p99, most {one:?} alone, {other:?} beside {runs} runs of {tenants} tenants");
            ratios.push(other[1].as_secs_f64() / one[1].as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!("{name}: p99 beside / alone {:.2} ({:.2} to {:.2})", ratios[ROUNDS / 2], ratios[0], ratios[ROUNDS - 1]);
    }
}
