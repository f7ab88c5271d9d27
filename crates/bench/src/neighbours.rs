//! What hostile scripts, of the same tenant and of eight others, do to everybody else's requests: their p99 while such scripts keep the plugin threads busy,
//! against the p99 without them, on one server and in the same round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Failure;
use crate::background::{Server, say};
use crate::latency::quantile;
use crate::load::{Connection, Requests, drive};
use crate::options::Options;
use crate::report::{Ratios, Report, Target};
use crate::world::{OWN_PLUGIN, World, hostile_names};

/// Connections of those who are disturbed.
const CONNECTIONS: usize = 8;
/// Connections of those who disturb, and how often each of them sends: together so often that the plugin threads, at up to 50 ms a
/// run, never rest, and so seldom that the requests themselves are no load.
const HOSTILE_CONNECTIONS: usize = 16;
const EVERY: Duration = Duration::from_millis(100);
const USERS: u32 = 64;
const PREPARED_PER_SECOND: usize = 60_000;
const PATH: &str = "/bo/api/v3/auth/user/current";

/// Who is disturbed, and by whom.
struct Case {
    /// The plugin of those who are disturbed.
    plugin: &'static str,
    by: Hostile,
}

#[derive(Clone, Copy)]
enum Hostile {
    /// Scripts of the same tenant, of every kind.
    Scripts,
    /// Eight other tenants, each with a script that takes its time.
    Tenants,
}

impl Hostile {
    const fn name(self) -> &'static str {
        match self {
            Self::Scripts => "hostile scripts",
            Self::Tenants => "eight hostile tenants",
        }
    }
}

/// Measures it.
pub(crate) async fn measure(world: &World, server: &Server, options: &Options, report: &mut Report) -> Result<(), Failure> {
    for case in [
        Case { plugin: "common-data", by: Hostile::Scripts },
        Case { plugin: "common-data", by: Hostile::Tenants },
        Case { plugin: OWN_PLUGIN, by: Hostile::Tenants },
    ] {
        measure_case(&case, world, server, options, report).await?;
    }
    Ok(())
}

async fn measure_case(case: &Case, world: &World, server: &Server, options: &Options, report: &mut Report) -> Result<(), Failure> {
    let time = options.round() * 2;
    let (plugin, by) = (case.plugin, case.by.name());
    let (mut ratios, mut all) = (Vec::new(), [Vec::new(), Vec::new()]);
    let mut hostile_answers = 0;
    for number in 1..=options.rounds() {
        let mut alone = round(world, server, plugin, time).await?;
        let disturbance = Disturbance::begin(world, server, case.by, time)?;
        let disturbed = round(world, server, plugin, time).await;
        hostile_answers += disturbance.end().await?;
        let mut disturbed = disturbed?;
        let (before, after) = (quantile(&mut alone, 0.99), quantile(&mut disturbed, 0.99));
        say(&format!("round {number}: p99 with {plugin} {before:?} alone, {after:?} beside {by}"));
        ratios.push(after.as_secs_f64() / before.as_secs_f64());
        for (all, round) in all.iter_mut().zip([alone, disturbed]) {
            all.extend(round);
        }
    }
    let what = format!("p99 of current user with {plugin}, beside {by} / alone");
    report.add(&what, &Ratios::of(ratios), "", Target::AtMost(1.5));
    let [alone, disturbed] = all.each_mut().map(|times| (quantile(times, 0.5), quantile(times, 0.99), times.len()));
    report.remark(format!(
        "current user with {plugin}: p50 {:?}, p99 {:?} of {} alone; p50 {:?}, p99 {:?} of {} beside {hostile_answers} runs of {by}",
        alone.0, alone.1, alone.2, disturbed.0, disturbed.1, disturbed.2
    ));
    Ok(())
}

/// How long each answer took.
async fn round(world: &World, server: &Server, plugin: &str, time: Duration) -> Result<Vec<Duration>, Failure> {
    let prepared = PREPARED_PER_SECOND * usize::try_from(time.as_millis())? / 1000;
    let requests = world.current_user(&format!("{PATH}?_nodejs={plugin}"), USERS, prepared)?;
    Ok(drive(server.address, CONNECTIONS, requests, time).await?.latencies)
}

/// Requests that name hostile scripts, until they are told to end.
struct Disturbance {
    over: Arc<AtomicBool>,
    clients: JoinSet<Result<usize, Failure>>,
}

impl Disturbance {
    fn begin(world: &World, server: &Server, by: Hostile, time: Duration) -> Result<Self, Failure> {
        let sent = usize::try_from(time.as_millis() / EVERY.as_millis() + 10)? * 2 * HOSTILE_CONNECTIONS;
        let requests = Arc::new(match by {
            Hostile::Scripts => {
                let paths: Vec<String> = hostile_names().map(|name| format!("{PATH}?_nodejs={name}")).collect();
                world.current_user_by(&paths, USERS, sent)?
            }
            Hostile::Tenants => world.of_hostile_tenants(PATH, sent)?,
        });
        let over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for _ in 0..HOSTILE_CONNECTIONS {
            clients.spawn(disturb(server.address, Arc::clone(&requests), Arc::clone(&over)));
        }
        Ok(Self { over, clients })
    }

    /// How many answers there were.
    async fn end(mut self) -> Result<usize, Failure> {
        self.over.store(true, Ordering::Relaxed);
        let mut answers = 0;
        while let Some(client) = self.clients.join_next().await {
            answers += client??;
        }
        Ok(answers)
    }
}

async fn disturb(address: std::net::SocketAddr, requests: Arc<Requests>, over: Arc<AtomicBool>) -> Result<usize, Failure> {
    let mut connection = Connection::open(address).await?;
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answers = 0;
    while !over.load(Ordering::Relaxed) {
        turns.tick().await;
        let Some(request) = requests.take() else { break };
        // Whatever the script does, the call succeeds.
        connection.exchange(request).await?;
        answers += 1;
    }
    Ok(answers)
}
