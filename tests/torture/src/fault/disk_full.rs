//! The disk of an embedded server is full: nothing that was not written is told as done, and when there is room again all goes on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::process::Command;

use crate::Failure;
use crate::client::Client;
use crate::cluster::{Cluster, make_tenant, server_arguments};
use crate::form::Form;
use crate::history::{History, Kind, Outcome};
use crate::load::Load;
use crate::node::Node;
use crate::replay::replay;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: "disk-full", about: "an embedded server (SQLite) on a full disk, then with room again", guards: &[], run };

/// How large the disk is.
const SIZE: &str = "size=32m";

/// A small file system of its own, gone when this is dropped.
struct Disk(PathBuf);

impl Disk {
    async fn mount(path: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&path)?;
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(&path).output().await?;
        if !mounted.status.success() {
            return Err("a small file system cannot be mounted: run this as root, or where mount -t tmpfs is allowed".into());
        }
        Ok(Self(path))
    }

    /// Takes all the room there is.
    fn fill(&self) -> Result<(), Failure> {
        let mut file = File::options().create(true).append(true).open(self.filler())?;
        for size in [1 << 20, 1 << 12, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    fn make_room(&self) -> Result<(), Failure> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let disk = Disk::mount(cluster.directory.join("small")).await?;
        let data = disk.0.join("data");
        let mut node = start(cluster, &data).await?;
        let mut client = Client::new(Arc::clone(&cluster.frontend), [node.address()].into(), Arc::<History>::default());
        let load = Load::start(&client, form.weight());
        load.run_for(form.before()).await;
        disk.fill()?;
        let filled = Instant::now();
        // What is kept in the log's file already has its room; it is used up soon.
        load.run_for(form.during()).await;
        disk.make_room()?;
        let roomy = Instant::now();
        while !works(&client).await {
            if roomy.elapsed() > Duration::from_secs(30) {
                return Err("the server does not recover when there is room again".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let recovery = roomy.elapsed();
        load.run_for(form.after()).await;
        let mut trial = Trial::of(load, Some(recovery)).await?;

        let operations = trial.history.operations();
        let meanwhile: Vec<_> = operations.iter().filter(|operation| operation.began > filled && operation.ended < roomy).collect();
        let count = |kind, outcome| meanwhile.iter().filter(|operation| (operation.kind, operation.outcome) == (kind, outcome)).count();
        let refused = count(Kind::Logout, Outcome::Failed) + count(Kind::Login, Outcome::Failed);
        let shown = count(Kind::Verify, Outcome::Accepted) + count(Kind::Verify, Outcome::Refused);
        trial
            .notes
            .push(format!("on the full disk {refused} logins and logouts were answered with 503, {shown} verifications with yes or no"));
        if refused == 0 {
            trial.found.push("the disk was not full".to_owned());
        }
        // The cluster's nodes know nothing of these sessions: they are replayed here, before and after a power cut.
        client = Client::new(Arc::clone(&cluster.frontend), [node.address()].into(), Arc::clone(&trial.history));
        let sessions = trial.history.sessions();
        let mut lost = replay(&client, &sessions).await;
        node.kill().await?;
        node.start(&cluster.variables).await?;
        lost.extend(replay(&client, &sessions).await);
        node.stop().await?;
        trial.found.extend(lost.iter().map(|session| format!("session {session} was opened and is gone")));
        trial.is_replayed = true;
        Ok(trial)
    })
}

async fn start(cluster: &Cluster, data: &Path) -> Result<Node, Failure> {
    let mut stores: BTreeMap<String, String> = cluster.variables.clone();
    stores.insert("BO_AUTH_DATA".to_owned(), data.display().to_string());
    make_tenant(&cluster.binary, &cluster.directory, &stores).await?;
    let mut arguments = server_arguments(data);
    arguments.extend(["--legacy-v1".to_owned(), cluster.directory.join("fleets.toml").display().to_string()]);
    let mut node = Node::new(&cluster.binary, arguments, cluster.directory.join("embedded.log"))?;
    node.start(&cluster.variables).await?;
    Ok(node)
}

async fn works(client: &Client) -> bool {
    // With a history of its own, which nobody judges.
    let mut client = Client::new(Arc::clone(&client.frontend), Arc::clone(&client.addresses), Arc::default());
    let Some(session) = client.login(0, 0).await else { return false };
    let Some(proof) = session.current() else { return false };
    client.logout(0, &session, &proof).await.0 == Outcome::Accepted
}
