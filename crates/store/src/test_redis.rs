//! Redis for this crate's tests: the server that `REDIS_URL` names, names nobody else uses in it, and a relay in front
//! of it that can break down.

use std::hash::{BuildHasher, RandomState};

use bo_auth_core::identifier::OwnerId;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::RedisConnection;

/// Where the server is. A missing one fails the test: skipping would hide it.
pub(crate) fn redis_url() -> String {
    std::env::var("REDIS_URL").expect("set REDIS_URL to a Redis that tests may write to, such as unix:///tmp/redis.sock; scripts/test does")
}

pub(crate) fn redis() -> RedisConnection {
    patient(&redis_url())
}

/// A connection whose calls wait for a busy machine.
pub(crate) fn patient(url: &str) -> RedisConnection {
    RedisConnection::open(&with_patience(url)).unwrap()
}

/// The address with all the patience there can be.
fn with_patience(url: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}patience=1000")
}

/// A tenant that no other test and no earlier run has.
pub(crate) fn new_owner(suffix: &str) -> OwnerId {
    OwnerId::parse(&format!("{:016x}{suffix}", RandomState::new().hash_one(suffix))).unwrap()
}

/// How a [`Relay`] treats its connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Passes everything on.
    Fine,
    /// Closes connections, old and new.
    Down,
    /// Takes connections and answers nothing; old ones are closed.
    Silent,
}

/// Stands between a test and Redis.
pub(crate) struct Relay {
    pub(crate) url: String,
    weather: watch::Sender<Weather>,
    accepting: JoinHandle<()>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (weather, forecast) = watch::channel(Weather::Fine);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, forecast.clone()));
            }
        });
        Self { url, weather, accepting }
    }

    pub(crate) fn becomes(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(mut client: TcpStream, mut forecast: watch::Receiver<Weather>) {
    let weather = *forecast.borrow_and_update();
    match weather {
        Weather::Down => return,
        Weather::Silent => {
            let _ = forecast.changed().await;
            return;
        }
        Weather::Fine => {}
    }
    let url = redis_url();
    let mut server: Box<dyn Stream> = if let Some((_, path)) = url.split_once("unix://") {
        Box::new(UnixStream::connect(path.split('?').next().unwrap()).await.unwrap())
    } else {
        let address = url.trim_start_matches("redis://").split(['/', '?']).next().unwrap();
        Box::new(TcpStream::connect(address).await.unwrap())
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = forecast.changed() => {}
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
