//! A way to the Postgres server of the tests on which each answer arrives later.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Starts it; answers the address of the server on that way.
pub(crate) async fn start(url: &str, delay: Duration) -> String {
    let options = PgConnectOptions::from_str(url).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = through(url, address);
    let socket = options.get_socket().map(|directory| directory.join(format!(".s.PGSQL.{}", options.get_port())));
    let server = format!("{}:{}", options.get_host(), options.get_port());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (socket, server) = (socket.clone(), server.clone());
            tokio::spawn(async move {
                match socket {
                    Some(path) => pass(client, UnixStream::connect(path).await.unwrap(), delay).await,
                    None => pass(client, TcpStream::connect(server).await.unwrap(), delay).await,
                }
            });
        }
    });
    slow
}

/// The same address with another host and port.
fn through(url: &str, address: SocketAddr) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (place, path) = rest.split_once('/').unwrap();
    let user = place.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    let (database, parameters) = path.split_once('?').unwrap_or((path, ""));
    let kept: Vec<_> = parameters.split('&').filter(|parameter| !parameter.starts_with("host=")).collect();
    format!("{scheme}://{user}{address}/{database}?{}", kept.join("&"))
}

async fn pass(client: TcpStream, server: impl AsyncRead + AsyncWrite, delay: Duration) {
    client.set_nodelay(true).unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    let is_asked = AtomicBool::new(false);
    tokio::select! {
        () = pump(from_client, to_server, &is_asked, None) => {}
        () = pump(from_server, to_client, &is_asked, Some(delay)) => {}
    }
}

/// What was asked first is answered later by the delay; what follows of the same answer is not.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, is_asked: &AtomicBool, delay: Option<Duration>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        match delay {
            None => is_asked.store(true, Ordering::Relaxed),
            Some(delay) if is_asked.swap(false, Ordering::Relaxed) => tokio::time::sleep(delay).await,
            Some(_) => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
