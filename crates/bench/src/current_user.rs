//! The current user with every check, against a bare route of the same framework behind the same accept loop. Both get
//! the same bytes, fresh stamps included, so that reading a request costs both the same.

use std::time::Duration;

use crate::background::{Server, processor_time, say};
use crate::load::{Load, count, drive};
use crate::options::Options;
use crate::product::Stores;
use crate::report::{Ratios, Report, Target};
use crate::world::World;
use crate::{Failure, bare};

const CONNECTIONS: usize = 32;

/// Users whose profiles are asked for.
const USERS: u32 = 64;

/// More requests a second than either side answers.
const PREPARED_PER_SECOND: usize = 120_000;

/// One side of a round.
struct Side {
    rate: f64,
    /// Processor time of the server for one request, in microseconds.
    cost: f64,
}

/// Measures it.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let data = options.directory.join("current-user");
    let stores = Stores { data: &data, cluster: None };
    let world = World::make(&stores, USERS, options.sessions()).await?;
    let product = stores.start()?;
    let bare = Server::start(&["bare".to_owned()], &options.directory.join("bare.log"))?;
    for server in [&product, &bare] {
        round(&world, server, options.round() / 4).await?;
        server.pin_network_threads()?;
    }
    let (mut rates, mut costs, mut last) = (Vec::new(), Vec::new(), None);
    for number in 1..=options.rounds() {
        let ours = round(&world, &product, options.round()).await?;
        let best = round(&world, &bare, options.round()).await?;
        say(&format!("round {number}: {:.0} against {:.0} a second", ours.rate, best.rate));
        rates.push(ours.rate / best.rate);
        costs.push(ours.cost / best.cost);
        last = Some((ours, best));
    }
    report.add("current user / bare route, requests a second", &Ratios::of(rates), "", Target::AtLeast(0.5));
    report.add("current user / bare route, server's processor time a request", &Ratios::of(costs), "", Target::None);
    if let Some((ours, best)) = last {
        report.remark(format!(
            "current user: {:.0} a second, {:.1} µs of the server's processor time each; bare route: {:.0} a second, {:.1} µs each",
            ours.rate, ours.cost, best.rate, best.cost
        ));
    }
    Ok(())
}

async fn round(world: &World, server: &Server, time: Duration) -> Result<Side, Failure> {
    let prepared = PREPARED_PER_SECOND * usize::try_from(time.as_millis())? / 1000;
    let requests = world.current_user(bare::PATH, USERS, prepared)?;
    let before = processor_time(server.id())?;
    let load: Load = drive(server.address, CONNECTIONS, requests, time).await?;
    let used = processor_time(server.id())?.saturating_sub(before);
    Ok(Side { rate: load.rate(), cost: used.as_secs_f64() * 1e6 / count(load.latencies.len()) })
}
