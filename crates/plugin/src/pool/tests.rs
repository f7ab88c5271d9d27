//! Who waits for whom.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// Works until it is told to end, as a script does that takes what it can get; answers whether it was told.
fn long_script(over: &AtomicBool, begun: &AtomicUsize) -> bool {
    begun.fetch_add(1, Ordering::Relaxed);
    let started_at = Instant::now();
    while !over.load(Ordering::Relaxed) {
        give_way();
        if started_at.elapsed() > Duration::from_mins(1) {
            return false;
        }
    }
    true
}

/// The attack: as many tenants as there may be long scripts, each with one that never ends while the neighbour waits.
#[tokio::test]
async fn nobody_waits_for_the_long_scripts_of_others() {
    let (pool, over, begun) = (Pool::start().unwrap(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut waiting = tokio::task::JoinSet::new();
    let pool = Arc::new(pool);
    for attacker in 0..limits::LONG_RUNS {
        let (pool, over, begun) = (Arc::clone(&pool), Arc::clone(&over), Arc::clone(&begun));
        waiting.spawn(async move { pool.run(&format!("attacker-{attacker}"), Purpose::Answer, move || long_script(&over, &begun)).await });
    }
    while begun.load(Ordering::Relaxed) < limits::LONG_RUNS {
        tokio::task::yield_now().await;
    }
    for run in 0..20 {
        assert_eq!(pool.run("neighbour", Purpose::Answer, move || run).await, Ok(run));
    }
    over.store(true, Ordering::Relaxed);
    while let Some(told) = waiting.join_next().await {
        assert_eq!(told.unwrap(), Ok(true), "the neighbour was served while it worked");
    }
    while pool.0.lock().long > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.run("attacker-0", Purpose::Answer, || 1).await, Ok(1));
}

/// The attack: a long script again and again, on a machine that is too busy to let it use up its share.
#[tokio::test]
async fn a_script_that_has_left_its_place_costs_its_whole_time() {
    let pool = Arc::new(Pool::start().unwrap());
    let mut runs = 0;
    while pool.0.lock().accounts.has_credit("attacker", Instant::now()) {
        let (over, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let run = {
            let (pool, over) = (Arc::clone(&pool), Arc::clone(&over));
            tokio::spawn(async move { pool.run("attacker", Purpose::Answer, move || long_script(&over, &begun)).await })
        };
        while pool.0.lock().long == 0 {
            tokio::task::yield_now().await;
        }
        over.store(true, Ordering::Relaxed);
        assert_eq!(run.await.unwrap(), Ok(true));
        while pool.0.lock().long > 0 {
            tokio::task::yield_now().await;
        }
        runs += 1;
        assert!(runs < 20, "it takes a place as often as it likes");
    }
}

/// The attack: strangers have a tenant's plugin shape refusals, as many as they can.
#[tokio::test]
async fn what_anybody_can_ask_for_uses_up_nothing_of_the_users() {
    let (pool, over, begun) = (Arc::new(Pool::start().unwrap()), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (pool, over, begun) = (Arc::clone(&pool), Arc::clone(&over), Arc::clone(&begun));
        waiting.spawn(async move { pool.run("acme", Purpose::Refusal, move || long_script(&over, &begun)).await });
    }
    while begun.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    for run in 0..20 {
        assert_eq!(pool.run("acme", Purpose::Answer, move || run).await, Ok(run));
    }
    over.store(true, Ordering::Relaxed);
    let (mut done, mut full) = (0, 0);
    while let Some(told) = waiting.join_next().await {
        match told.unwrap() {
            Ok(told) => done += usize::from(told),
            Err(undone) => full += usize::from(undone == Undone::Full),
        }
    }
    assert!(done > 0 && full > 0 && done + full == 100, "{done} done, {full} too many");
    assert!(pool.0.lock().accounts.has_credit("acme", Instant::now()));
}

/// The attack: one tenant compiles without end.
#[tokio::test]
async fn what_is_compiled_beyond_a_share_delays_nobody() {
    let (pool, over, begun) = (Arc::new(Pool::start().unwrap()), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    while pool.0.lock().compiling.has_credit("attacker", Instant::now()) {
        pool.compile("attacker", || {
            let stopwatch = Stopwatch::start();
            while stopwatch.processor_time() < Duration::from_millis(100) {}
        })
        .await
        .unwrap();
    }
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (pool, over, begun) = (Arc::clone(&pool), Arc::clone(&over), Arc::clone(&begun));
        waiting.spawn(async move { pool.compile("attacker", move || long_script(&over, &begun)).await });
    }
    while begun.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.compile("neighbour", || 1).await, Ok(1));
    assert_eq!(pool.run("neighbour", Purpose::Answer, || 2).await, Ok(2));
    over.store(true, Ordering::Relaxed);
    let mut full = 0;
    while let Some(told) = waiting.join_next().await {
        full += usize::from(told.unwrap() == Err(Undone::Full));
    }
    assert!(full >= 100 - limits::COMPILATIONS_OF_TENANT - 1, "{full}");
}
