//! One run: each scenario on a cluster as it should be, then once for each guard on one that lacks it.

use std::time::{Duration, Instant};

use crate::check::Verdict;
use crate::cluster::Cluster;
use crate::fault;
use crate::form::Form;
use crate::replay::replay;
use crate::report::{Report, Row, say};
use crate::scenario::{Scenario, Trial};
use crate::{Failure, Options};

/// How often a scenario runs without a guard until its absence shows.
const ATTEMPTS: usize = 6;

/// How soon a logout is answered whatever Redis does: within a lease's time and this; and what the short form allows besides,
/// whose dev build shares a busy machine.
const LEASE: Duration = Duration::from_secs(1);
const BEYOND_LEASE: Duration = Duration::from_millis(200);
const BUSY_MACHINE: Duration = Duration::from_millis(700);

/// Runs the scenarios; true where all hold, and every missing guard was noticed.
pub(crate) async fn run(options: Options) -> Result<bool, Failure> {
    let chosen = choose(&options)?;
    let form = if options.short { Form::SHORT } else { Form::long(options.rounds) };
    let mut cluster = Cluster::prepare(&options.binary, &options.directory).await?;
    cluster.previous.clone_from(&options.previous);
    let mut report = Report::new(form, options.record.clone(), &options.version_text);
    for scenario in chosen {
        say(&format!("{}: {}", scenario.name, scenario.about));
        let row = torture(&mut cluster, scenario, form).await.map_err(|failure| format!("{}: {failure}", scenario.name))?;
        report.add(row)?;
    }
    Ok(report.finish())
}

fn choose(options: &Options) -> Result<Vec<&'static Scenario>, Failure> {
    let names = || fault::ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = options.scenarios.iter().find(|name| fault::ALL.iter().all(|scenario| scenario.name != **name)) {
        return Err(format!("there is no scenario {unknown}; there are {}", names()).into());
    }
    let chosen = |scenario: &&Scenario| options.scenarios.is_empty() || options.scenarios.iter().any(|name| name == scenario.name);
    let mut chosen: Vec<&Scenario> = fault::ALL.iter().filter(chosen).collect();
    if options.previous.is_none() && options.scenarios.is_empty() {
        say("without --previous there are no two versions to run side by side");
        chosen.retain(|scenario| scenario.name != fault::VERSIONS);
    }
    Ok(chosen)
}

async fn torture(cluster: &mut Cluster, scenario: &'static Scenario, form: Form) -> Result<Row, Failure> {
    let began = Instant::now();
    cluster.restart(&[]).await?;
    let trial = (scenario.run)(cluster, form).await?;
    let mut verdict = judge(cluster, &trial, form, true).await?;
    verdict.logout_times.sort_unstable();
    if scenario.name.starts_with("redis-") {
        verdict.bound_logouts(LEASE + BEYOND_LEASE + form.pick(BUSY_MACHINE, Duration::ZERO));
    }
    let mut row = Row::new(scenario, verdict, trial);
    for guard in scenario.guards {
        let mut noticed = 0;
        for _ in 0..ATTEMPTS {
            cluster.variables.insert("BO_AUTH_WITHOUT".to_owned(), (*guard).to_owned());
            cluster.restart(&[]).await?;
            // The short form is enough to notice it.
            let trial = (scenario.run)(cluster, Form::SHORT).await;
            cluster.variables.remove("BO_AUTH_WITHOUT");
            noticed = judge(cluster, &trial?, Form::SHORT, false).await?.violations();
            if noticed > 0 {
                break;
            }
        }
        row.mutants.push((*guard, noticed));
    }
    row.time = began.elapsed();
    row.tell();
    Ok(row)
}

/// Replays the old proofs, as they are and where `restarts` says so after a restart of every node, and judges it all.
async fn judge(cluster: &mut Cluster, trial: &Trial, form: Form, restarts: bool) -> Result<Verdict, Failure> {
    let sessions = trial.history.sessions();
    // The newest are those of the fault and of what came after it.
    let sessions = &sessions[sessions.len().saturating_sub(form.replayed())..];
    let client = cluster.client_of(std::sync::Arc::clone(&trial.history));
    let mut lost = if trial.is_replayed { Vec::new() } else { replay(&client, sessions).await };
    if restarts && !trial.is_replayed {
        cluster.restart(&[]).await?;
        lost.extend(replay(&client, sessions).await);
    }
    let mut verdict = Verdict::of(&trial.history);
    lost.sort_unstable();
    lost.dedup();
    verdict.lose(&lost);
    verdict.found += trial.found.len();
    verdict.told.extend(trial.found.iter().take(5).cloned());
    Ok(verdict)
}
