//! A socket in the data directory by which commands tell the running server what they have changed, and learn that it
//! has taken effect. Only the server's own user can reach it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::Service;
use bo_auth_service::operator::Change;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The socket's name in the data directory.
const SOCKET: &str = "control.sock";

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest message, in bytes.
const MESSAGE_BYTES: u64 = 1 << 20;

/// What the server answers when everything has taken effect.
const DONE: &str = "done";

/// What became of telling the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has taken effect there.
    Done,
    /// No server runs on this data directory.
    NobodyThere,
}

/// The server's end.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Opens the socket. The caller holds the data directory's lock, so a socket that is there already is a dead one.
    ///
    /// # Errors
    /// As the operating system says; a path of more than some 100 bytes cannot hold a socket.
    pub fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path })
    }

    /// Answers commands until it is dropped.
    pub async fn serve(self, service: Arc<Service>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        if let Err(error) =
                            tokio::time::timeout(PATIENCE, answer(stream, &service)).await.unwrap_or_else(|late| Err(late.into()))
                        {
                            tracing::warn!(%error, "a command could not be answered");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket does not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Where it is gone already, the aim is reached.
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, service: &Service) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(MESSAGE_BYTES)).read_line(&mut line).await?;
    let changes: Vec<Change> = serde_json::from_str(&line)?;
    let reply = match service.apply(&changes).await {
        Ok(()) => DONE.to_owned(),
        Err(error) => error.to_string(),
    };
    writer.write_all(format!("{reply}\n").as_bytes()).await
}

/// Tells the server on this data directory what has changed, and waits until it has taken effect there.
///
/// # Errors
/// Where a server is there and does not confirm.
pub async fn tell(data: &Path, changes: &[Change]) -> io::Result<Told> {
    let stream = match UnixStream::connect(data.join(SOCKET)).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => return Ok(Told::NobodyThere),
        other => other?,
    };
    tokio::time::timeout(PATIENCE, ask(stream, changes)).await?
}

async fn ask(stream: UnixStream, changes: &[Change]) -> io::Result<Told> {
    let (reader, mut writer) = stream.into_split();
    writer.write_all(format!("{}\n", serde_json::to_string(changes)?).as_bytes()).await?;
    let mut reply = String::new();
    BufReader::new(reader.take(MESSAGE_BYTES)).read_line(&mut reply).await?;
    if reply.trim() == DONE { Ok(Told::Done) } else { Err(io::Error::other(format!("the server answered: {}", reply.trim()))) }
}
