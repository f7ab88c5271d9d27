//! Full logouts a second, every check and the announcement included, against what the same database does at best.

use std::time::Duration;

use crate::Failure;
use crate::background::{Server, say};
use crate::load::{Load, drive};
use crate::options::Options;
use crate::product::Stores;
use crate::reference::{PostgresTable, SqliteTable};
use crate::report::{Ratios, Report, Target};
use crate::world::World;

/// More logouts a second than the server carries out.
const PREPARED_PER_SECOND: u32 = 25_000;

/// On Postgres and Redis.
pub(crate) async fn measure_postgres(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (Some(postgres), Some(redis)) = (options.postgres.as_deref(), options.redis.as_deref()) else {
        report.remark("logouts on Postgres were NOT measured: --postgres and --redis were not given".to_owned());
        return Ok(());
    };
    let data = options.directory.join("cluster");
    let stores = Stores { data: &data, cluster: Some((postgres, redis)) };
    let mut world = World::make(&stores, 0, options.sessions()).await?;
    let table = PostgresTable::make(postgres, &options.directory, options.sessions()).await?;
    let server = stores.start()?;
    logouts(options, &mut world, &server, options.round() / 4).await?;
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds() {
        let ours = logouts(options, &mut world, &server, options.round()).await?;
        let best = table.updates(options.clients, options.round()).await?;
        rounds.add(&ours, best);
    }
    rounds.report(options, report, ["logouts on Postgres and Redis / pgbench updates, a second", "Postgres and Redis", "pgbench"], 0.5);
    Ok(())
}

/// On `SQLite`.
pub(crate) async fn measure_sqlite(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let data = options.directory.join("embedded");
    let stores = Stores { data: &data, cluster: None };
    let mut world = World::make(&stores, 0, options.sessions()).await?;
    let table = SqliteTable::make(&options.directory.join("reference.db"), options.sessions())?;
    let server = stores.start()?;
    logouts(options, &mut world, &server, options.round() / 4).await?;
    table.updates(options.round() / 4)?;
    let mut rounds = Rounds::default();
    for _ in 0..options.rounds() {
        let ours = logouts(options, &mut world, &server, options.round()).await?;
        let best = table.updates(options.round())?;
        rounds.add(&ours, best);
    }
    rounds.report(options, report, ["logouts on SQLite / single updates, a second", "SQLite", "single updates"], 0.7);
    Ok(())
}

async fn logouts(options: &Options, world: &mut World, server: &Server, time: Duration) -> Result<Load, Failure> {
    let wanted = PREPARED_PER_SECOND * u32::try_from(time.as_millis())? / 1000;
    let requests = world.logouts(wanted.min(world.sessions_left()))?;
    drive(server.address, options.clients, requests, time).await
}

#[derive(Default)]
struct Rounds {
    ratios: Vec<f64>,
    last: Option<(f64, f64)>,
}

impl Rounds {
    fn add(&mut self, ours: &Load, best: f64) {
        let ours = ours.rate();
        say(&format!("round {}: {ours:.0} against {best:.0} a second", self.ratios.len() + 1));
        self.ratios.push(ours / best);
        self.last = Some((ours, best));
    }

    fn report(self, options: &Options, report: &mut Report, [what, ours_name, best_name]: [&str; 3], target: f64) {
        report.add(what, &Ratios::of(self.ratios), "", Target::AtLeast(target));
        if let Some((ours, best)) = self.last {
            report.remark(format!("{} clients, a second: {ours:.0} logouts on {ours_name}, {best:.0} by {best_name}", options.clients));
        }
    }
}
