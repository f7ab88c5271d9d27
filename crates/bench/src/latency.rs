//! How long one logout takes with few and with many sessions in the table. One client, so that nothing but the work
//! itself is measured.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::background::{Server, say};
use crate::load::drive;
use crate::options::Options;
use crate::product::Stores;
use crate::report::{Ratios, Report, Target};
use crate::world::World;

/// Logouts in one turn of one side.
const PER_TURN: u32 = 150;

/// Turns of each side in a round.
const TURNS: u32 = 4;

struct Side {
    world: World,
    server: Server,
}

/// Measures it.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let mut sides = Vec::new();
    for size in options.table_sizes() {
        say(&format!("making {size} sessions"));
        let data = directory(options, size);
        let stores = Stores { data: &data, cluster: None };
        let world = World::make(&stores, 0, size).await?;
        let mut side = Side { world, server: stores.start()? };
        turn(&mut side).await?;
        sides.push(side);
    }
    let [few, many] = &mut sides[..] else { return Err("there are two sides".into()) };
    let (mut medians, mut tails, mut all) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for number in 1..=options.rounds() {
        let mut round = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            round[0].extend(turn(few).await?);
            round[1].extend(turn(many).await?);
        }
        let [ours, theirs] = round.each_mut().map(|times| (quantile(times, 0.5), quantile(times, 0.99)));
        say(&format!("round {number}: p50 {:?} and {:?}, p99 {:?} and {:?}", ours.0, theirs.0, ours.1, theirs.1));
        medians.push(theirs.0.as_secs_f64() / ours.0.as_secs_f64());
        tails.push(theirs.1.as_secs_f64() / ours.1.as_secs_f64());
        for (all, round) in all.iter_mut().zip(round) {
            all.extend(round);
        }
    }
    let [small, large] = options.table_sizes();
    let title = |quantile: &str| format!("{quantile} of logout on SQLite, {large} sessions / {small}");
    report.add(&title("p50"), &Ratios::of(medians), "", Target::AtMost(1.3));
    report.add(&title("p99"), &Ratios::of(tails), "", Target::None);
    for (times, size) in all.iter_mut().zip(options.table_sizes()) {
        let (median, tail) = (quantile(times, 0.5), quantile(times, 0.99));
        report.remark(format!("a logout on SQLite with {size} sessions: p50 {median:?}, p99 {tail:?} of {}", times.len()));
    }
    Ok(())
}

/// Where the table of this size is.
pub(crate) fn directory(options: &Options, size: u32) -> PathBuf {
    options.directory.join(format!("latency-{size}"))
}

async fn turn(side: &mut Side) -> Result<Vec<Duration>, Failure> {
    let requests = side.world.logouts(PER_TURN)?;
    Ok(drive(side.server.address, 1, requests, Duration::from_mins(1)).await?.latencies)
}

/// The time that such a part of all times does not exceed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a position in a short list")]
pub(crate) fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    let position = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1)) - 1;
    times.get(position).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_measured_times() {
        let mut times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(quantile(&mut times, 0.5), Duration::from_millis(50));
        assert_eq!(quantile(&mut times, 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&mut times[..1], 0.99), Duration::from_millis(1));
    }
}
