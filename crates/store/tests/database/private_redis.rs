//! A Redis of a test's own that may be flushed and killed: one server on a socket, or a Redis Cluster of three masters on
//! loopback ports.

use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bo_auth_store::RedisConnection;
use futures_util::FutureExt;

use crate::backend::Directory;
use crate::revocation::until;

/// The slots of a Redis Cluster, shared out among three masters.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// A Redis that may be flushed and killed.
pub(crate) struct PrivateRedis {
    directory: Directory,
    servers: Vec<Child>,
    /// Those of a cluster: for clients, and for its own members.
    ports: Vec<(u16, u16)>,
}

impl PrivateRedis {
    pub(crate) async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    pub(crate) async fn start_cluster() -> Self {
        // All are taken before any is given back, so that no two are the same.
        let taken: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let free: Vec<u16> = taken.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(taken);
        let redis = Self::start_with(free.as_chunks::<2>().0.iter().map(|[client, bus]| (*client, *bus)).collect()).await;
        for (number, (first, last)) in SLOTS.into_iter().enumerate() {
            let mut member = redis.member(number);
            let () = redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1).query_async(&mut member).await.unwrap();
            let () = redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(last).query_async(&mut member).await.unwrap();
            let (port, bus) = redis.ports[0];
            let () = redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).arg(bus).query_async(&mut member).await.unwrap();
        }
        redis.agrees().await;
        redis
    }

    async fn start_with(ports: Vec<(u16, u16)>) -> Self {
        let directory = Directory::new();
        let redis = Self { servers: Self::spawn(directory.path(), &ports), directory, ports };
        redis.answers().await;
        redis
    }

    fn spawn(directory: &Path, ports: &[(u16, u16)]) -> Vec<Child> {
        let server = |arguments: &[&str]| {
            Command::new("redis-server")
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(directory)
                .args(arguments)
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server must be installed; scripts/test installs it")
        };
        if ports.is_empty() {
            return vec![server(&["--port", "0", "--unixsocket", &directory.join("redis.sock").display().to_string()])];
        }
        let member = |(port, bus): &(u16, u16)| {
            let (port, bus, file) = (port.to_string(), bus.to_string(), format!("{port}.nodes"));
            server(&[
                "--bind",
                "127.0.0.1",
                "--port",
                &port,
                "--cluster-port",
                &bus,
                "--cluster-enabled",
                "yes",
                "--cluster-config-file",
                &file,
            ])
        };
        ports.iter().map(member).collect()
    }

    pub(crate) fn connect(&self) -> RedisConnection {
        if self.ports.is_empty() {
            return RedisConnection::open(&format!("unix://{}", self.directory.path().join("redis.sock").display())).unwrap();
        }
        let mut addresses = String::new();
        for (port, _) in &self.ports {
            write!(addresses, "redis://127.0.0.1:{port},").unwrap();
        }
        RedisConnection::open(&addresses).unwrap()
    }

    /// One server of a cluster by itself.
    fn member(&self, number: usize) -> RedisConnection {
        RedisConnection::open(&format!("redis://127.0.0.1:{}", self.ports[number].0)).unwrap()
    }

    async fn answers(&self) {
        let members: Vec<_> =
            if self.ports.is_empty() { vec![self.connect()] } else { (0..self.ports.len()).map(|number| self.member(number)).collect() };
        for member in members {
            until("Redis answers", || member.health().map(|health| health.is_ok())).await;
        }
    }

    /// Waits until every server of a cluster knows the others and all slots.
    async fn agrees(&self) {
        for number in 0..self.ports.len() {
            let member = self.member(number);
            until("the cluster agrees", async || {
                let info: Result<String, _> = redis::cmd("CLUSTER").arg("INFO").query_async(&mut member.clone()).await;
                info.is_ok_and(|info| info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3"))
            })
            .await;
        }
    }

    pub(crate) async fn flush(&self) {
        for number in 0..self.ports.len().max(1) {
            let mut server = if self.ports.is_empty() { self.connect() } else { self.member(number) };
            let () = redis::cmd("FLUSHALL").query_async(&mut server).await.unwrap();
        }
    }

    /// Writes a copy of what it holds, which it reads when it starts again.
    pub(crate) async fn save(&self) {
        let () = redis::cmd("SAVE").query_async(&mut self.connect()).await.unwrap();
    }

    /// Refuses a command to everybody.
    pub(crate) async fn forbid(&self, command: &str) {
        let () = redis::cmd("ACL").arg("SETUSER").arg("default").arg(format!("-{command}")).query_async(&mut self.connect()).await.unwrap();
    }

    /// The one key of the deployment's nodes that ends like this; `None` if there is none.
    async fn key(&self, ending: &str) -> Option<String> {
        let keys: Vec<String> = redis::cmd("KEYS").arg(format!("bo:*:{ending}")).query_async(&mut self.connect()).await.unwrap();
        keys.into_iter().next()
    }

    /// Loses the feed and nothing else.
    pub(crate) async fn lose_the_feed(&self) {
        let feed = self.key("feed").await.unwrap();
        let () = redis::cmd("DEL").arg(feed).query_async(&mut self.connect()).await.unwrap();
    }

    /// Has a node of this name read the ended sessions, for so long.
    pub(crate) async fn take_the_turn(&self, name: &str, time: Duration) {
        let turn = self.key("feed").await.unwrap().replace(":feed", ":turn");
        let millis = u64::try_from(time.as_millis()).unwrap();
        let () = redis::cmd("SET").arg(turn).arg(name).arg("PX").arg(millis).query_async(&mut self.connect()).await.unwrap();
    }

    pub(crate) fn kill(&mut self) {
        for server in &mut self.servers {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    pub(crate) async fn start_again(&mut self) {
        self.servers = Self::spawn(self.directory.path(), &self.ports);
        self.answers().await;
        self.agrees().await;
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // Killed already, perhaps.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
