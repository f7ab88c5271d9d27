//! One node's clock is wrong: five minutes ahead or behind, jumping, or twice as fast. Libfaketime lies to that one process.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::frontend::plain;
use crate::scenario::{Scenario, Trial};
use crate::wire::call;

/// Ahead.
pub(crate) const AHEAD: Scenario = Scenario {
    name: "clock-ahead",
    about: "one node's clock 5 min ahead",
    guards: &[],
    run: |cluster, form| wrong(cluster, form, "+5m", true),
};

/// Behind.
pub(crate) const BEHIND: Scenario = Scenario {
    name: "clock-behind",
    about: "one node's clock 5 min behind",
    guards: &[],
    run: |cluster, form| wrong(cluster, form, "-5m", true),
};

/// Twice as fast, the monotonic clock included.
pub(crate) const FAST: Scenario = Scenario {
    name: "clock-fast",
    about: "one node's clocks at double rate",
    guards: &[],
    run: |cluster, form| wrong(cluster, form, "+0 x2.0", false),
};

/// Forward and back again, and further back.
pub(crate) const JUMPING: Scenario = Scenario {
    name: "clock-jumping",
    about: "one node's clock jumps 5 min forward and back, 5 min back and forth (long: 3 h too)",
    guards: &[],
    run: jumping,
};

/// The node.
const WRONG: usize = 2;

fn wrong<'a>(cluster: &'a mut Cluster, form: Form, time: &'static str, steady: bool) -> BoxFuture<'a, Result<Trial, Failure>> {
    Box::pin(async move {
        let library = library()?;
        let mut lie = vec![("LD_PRELOAD", library.as_str()), ("FAKETIME", time)];
        if steady {
            lie.push(("FAKETIME_DONT_FAKE_MONOTONIC", "1"));
        }
        cluster.restart_node(WRONG, &lie).await?;
        let mut found = Vec::new();
        if steady && is_ready(cluster).await? {
            found.push(format!("the node says that it is ready with its clock at {time}"));
        }
        let load = cluster.load(form);
        load.run_for(form.during()).await;
        let mut trial = Trial::of(load, None).await?;
        trial.found = found;
        Ok(trial)
    })
}

fn jumping(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let (library, file) = (library()?, cluster.directory.join("faketime"));
        std::fs::write(&file, "+0")?;
        let path = file.display().to_string();
        let lie = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", path.as_str()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        cluster.restart_node(WRONG, &lie).await?;
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        for time in ["+5m", "+0", "-5m", "+0"] {
            std::fs::write(&file, time)?;
            load.run_for(form.pick(Duration::from_millis(900), Duration::from_secs(10))).await;
        }
        if form.is_long() {
            // So far that access tokens expire, and for long enough that the node forgets their sessions, once a minute.
            for (time, seconds) in [("+3h", 65), ("+0", 10)] {
                std::fs::write(&file, time)?;
                load.run_for(Duration::from_secs(seconds)).await;
            }
        }
        Trial::of(load, None).await
    })
}

async fn is_ready(cluster: &Cluster) -> Result<bool, Failure> {
    Ok(call(cluster.nodes[WRONG].address(), &plain("/readyz")).await?.status == 200)
}

fn library() -> Result<String, Failure> {
    let places = std::fs::read_dir("/usr/lib")?.filter_map(Result::ok).map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    let found = places.chain([PathBuf::from("/usr/lib64/faketime/libfaketime.so.1")]).find(|path| path.exists());
    Ok(found.ok_or("libfaketime is not there: install the package faketime")?.display().to_string())
}
