//! Three nodes of the real server, a real Postgres and a real Redis, and a proxy between each node and each store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::process::Command;

use crate::Failure;
use crate::calls::Protocol;
use crate::client::{Client, account, mobile};
use crate::form::Form;
use crate::frontend::{Frontend, OWNER, PASSWORD, REUSING, STAMP_KEY, plain};
use crate::history::{History, Outcome};
use crate::load::{Load, Weight};
use crate::node::{Addresses, Node};
use crate::postgres::Postgres;
use crate::proxy::{Proxy, Weather};
use crate::redis::Redis;
use crate::wire::call;

/// How many nodes there are.
pub(crate) const NODES: usize = 3;

/// How many users sign in.
pub(crate) const USERS: usize = 8;

/// The key that seals the test's secrets.
const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// How many sessions that are over are shown to a node at a time.
const SHOWN: usize = 100;

/// How long a cluster may take to answer again when a fault is over.
const RECOVERY: Duration = Duration::from_secs(30);

/// The way from one node to its stores.
pub(crate) struct Links {
    pub(crate) postgres: Proxy,
    pub(crate) redis: Proxy,
}

/// All of it.
pub(crate) struct Cluster {
    pub(crate) directory: PathBuf,
    pub(crate) binary: PathBuf,
    /// An older server, where there is one.
    pub(crate) previous: Option<PathBuf>,
    pub(crate) postgres: Postgres,
    pub(crate) redis: Redis,
    pub(crate) links: Vec<Links>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) frontend: Arc<Frontend>,
    /// What every node has in its environment, besides what a scenario adds.
    pub(crate) variables: BTreeMap<String, String>,
}

impl Cluster {
    /// Starts the stores, and makes the tenant with its users; nodes do not run yet.
    pub(crate) async fn prepare(binary: &Path, directory: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory)?;
        let postgres = Postgres::start(&directory.join("postgres")).await?;
        let redis = Redis::start(&directory.join("redis")).await?;
        let fleets = directory.join("fleets.toml");
        std::fs::write(&fleets, format!("[[legacy_v1]]\nowner = \"{OWNER}\"\nsystem = \"web\"\nhosts = []\n"))?;
        let (mut links, mut nodes) = (Vec::new(), Vec::new());
        for number in 1..=NODES {
            let link = Links {
                postgres: Proxy::start(postgres.port(), Protocol::Postgres).await?,
                redis: Proxy::start(redis.port(), Protocol::Redis).await?,
            };
            let data = directory.join(format!("node{number}"));
            let mut arguments = server_arguments(&data);
            arguments.extend(["--database-url".to_owned(), format!("postgres://postgres@{}/postgres", link.postgres.address())]);
            arguments.extend(["--redis-url".to_owned(), format!("redis://{}", link.redis.address())]);
            arguments.extend(["--legacy-v1".to_owned(), fleets.display().to_string()]);
            nodes.push(Node::new(binary, arguments, directory.join(format!("node{number}.log")))?);
            links.push(link);
        }
        let cluster = Self {
            directory: directory.to_owned(),
            binary: binary.to_owned(),
            previous: None,
            postgres,
            redis,
            links,
            nodes,
            frontend: Arc::new(Frontend::new()?),
            variables: BTreeMap::from([("BO_AUTH_MASTER_KEY".to_owned(), MASTER_KEY.to_owned())]),
        };
        let mut stores = cluster.variables.clone();
        stores.insert("DATABASE_URL".to_owned(), format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.postgres.port()));
        stores.insert("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{}", cluster.redis.port()));
        make_tenant(binary, directory, &stores).await?;
        Ok(cluster)
    }

    /// Stops the nodes and starts them with these variables besides their own; the weather is fair.
    pub(crate) async fn restart(&mut self, more: &[(&str, &str)]) -> Result<(), Failure> {
        for link in &self.links {
            link.postgres.set(Weather::Fair);
            link.redis.set(Weather::Fair);
        }
        try_join_all(self.nodes.iter_mut().map(Node::stop)).await?;
        let variables = self.with(more);
        try_join_all(self.nodes.iter_mut().map(|node| node.start(&variables))).await?;
        self.recovered().await?;
        Ok(())
    }

    /// The nodes' variables with some more.
    pub(crate) fn with(&self, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        variables
    }

    /// Kills a node, where it still runs, and starts it with these variables besides its own.
    pub(crate) async fn restart_node(&mut self, node: usize, more: &[(&str, &str)]) -> Result<(), Failure> {
        let variables = self.with(more);
        self.nodes[node].kill().await?;
        self.nodes[node].start(&variables).await
    }

    /// The same with a failpoint at which it dies, perhaps as soon as it listens: the load goes on meanwhile.
    pub(crate) async fn restart_node_to_die(&mut self, node: usize, failpoint: &str) -> Result<(), Failure> {
        let variables = self.with(&[("BO_AUTH_FAILPOINTS", failpoint)]);
        self.nodes[node].kill().await?;
        self.nodes[node].start_to_die(&variables).await
    }

    /// Sets the weather between a node and Redis.
    pub(crate) fn redis_weather(&self, node: usize, weather: Weather) {
        self.links[node].redis.set(weather);
    }

    /// Sets the weather between all nodes and Postgres.
    pub(crate) fn postgres_weather(&self, weather: Weather) {
        for link in &self.links {
            link.postgres.set(weather);
        }
    }

    /// A caller of all nodes, with a history of its own.
    pub(crate) fn client(&self) -> Client {
        self.client_of(Arc::default())
    }

    /// A caller of all nodes who adds to a history.
    pub(crate) fn client_of(&self, history: Arc<History>) -> Client {
        let addresses: Addresses = self.nodes.iter().map(Node::address).collect();
        Client::new(Arc::clone(&self.frontend), addresses, history)
    }

    /// Starts the load that a form of a scenario has.
    pub(crate) fn load(&self, form: Form) -> Load {
        Load::start(&self.client(), form.weight())
    }

    /// Starts another load.
    pub(crate) fn load_of(&self, weight: Weight) -> Load {
        Load::start(&self.client(), weight)
    }

    /// Waits until every node signs in, shows and signs out again; answers how long that took.
    pub(crate) async fn recovered(&self) -> Result<Duration, Failure> {
        let began = Instant::now();
        for node in 0..self.nodes.len() {
            while !self.works(node).await {
                if began.elapsed() > RECOVERY {
                    return Err(format!("node {} does not recover; see {}", node + 1, self.directory.display()).into());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(began.elapsed())
    }

    /// Waits until a node that has just gone on holds a lease.
    pub(crate) async fn leased_again(&self, node: usize) -> Result<(), Failure> {
        // What it says at first is what it knew when it stopped.
        tokio::time::sleep(Duration::from_millis(600)).await;
        let began = Instant::now();
        while self.metric(node, "bo_auth_lease_alive").await? < 1.0 {
            if began.elapsed() > RECOVERY {
                return Err(format!("node {} gets no lease; see {}", node + 1, self.directory.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Shows a node the proofs of the sessions that were signed out last.
    pub(crate) async fn show_signed_out(&self, node: usize, history: &Arc<History>) {
        let mut client = self.client_of(Arc::clone(history));
        let over = history.sessions().into_iter().rev().filter(|session| session.signed_out.get().is_some()).take(SHOWN);
        for session in over {
            for proof in session.proofs() {
                client.verify(node, &session, &proof).await;
            }
        }
    }

    /// Whether a node does its work.
    pub(crate) async fn works(&self, node: usize) -> bool {
        let mut client = self.client();
        let Some(session) = client.login(node, 0).await else { return false };
        let Some(proof) = session.current() else { return false };
        client.verify(node, &session, &proof).await == Outcome::Accepted
            && client.logout(node, &session, &proof).await.0 == Outcome::Accepted
    }

    /// A node's metric, summed over its labels.
    pub(crate) async fn metric(&self, node: usize, name: &str) -> Result<f64, Failure> {
        let answer = call(self.nodes[node].address(), &plain("/metrics")).await?;
        let lines = answer.body.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        Ok(lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).fold(0.0, |sum, value| sum + value))
    }
}

/// What every server here takes: passwords that cost next to nothing, and rates that no load reaches.
pub(crate) fn server_arguments(data: &Path) -> Vec<String> {
    let data = data.display().to_string();
    let cheap = ["--argon2-memory", "64KiB", "--argon2-iterations", "1", "--address-requests-per-minute", "60000000"];
    let quiet = ["--log-level", "warn,bo_auth_server=info,bo_auth::access=warn"];
    ["--data", &data].into_iter().chain(cheap).chain(quiet).map(str::to_owned).collect()
}

/// Makes the tenant and its users with the command line.
pub(crate) async fn make_tenant(binary: &Path, directory: &Path, stores: &BTreeMap<String, String>) -> Result<(), Failure> {
    let password = directory.join("password");
    std::fs::write(&password, PASSWORD)?;
    let data = directory.join("command").display().to_string();
    let password = password.display().to_string();
    let rates = ["addressRequestsPerMinute", "tenantRequestsPerMinute", "accountLoginsPerMinute"].map(|name| format!("{name}=60000000"));
    let tenant = ["tenant", "add", "--owner", OWNER, "--des-key", STAMP_KEY].into_iter().map(str::to_owned);
    let tenant = tenant.chain(rates.into_iter().flat_map(|rate| ["--setting".to_owned(), rate])).collect();
    let system = ["system", "add", "--owner", OWNER, "--sys", REUSING, "--setting", "replay=off"].map(str::to_owned).to_vec();
    let mut commands: Vec<Vec<String>> = vec![tenant, system];
    for user in 0..USERS {
        let (account, mobile, id) = (account(user), mobile(user), format!("u-{user}"));
        let words =
            ["user", "add", "--owner", OWNER, "--account", &account, "--id", &id, "--mobile", &mobile, "--password-file", &password];
        commands.push(words.map(str::to_owned).to_vec());
    }
    for words in commands {
        let mut command = Command::new(binary);
        // A data directory that the stores' variables do not name is an embedded server's.
        let own = stores.get("BO_AUTH_DATA").is_none().then_some(["--data", data.as_str()]);
        command.args(&words).args(own.into_iter().flatten()).env_clear().envs(stores);
        let output = command.output().await?;
        if !output.status.success() {
            return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
    }
    Ok(())
}
