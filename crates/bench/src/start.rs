//! The shipped binary: how long it takes to its first answer on data that is there, what it weighs at rest, its size.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;
use crate::background::{resident_memory, say};
use crate::options::Options;
use crate::product::Stores;
use crate::report::{Ratios, Report, Target};
use crate::world::World;

const MEBIBYTE: f64 = 1_048_576.0;

/// How long a server is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Measures it.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let program = std::env::current_exe()?.with_file_name("bo-auth");
    let data = existing_data(options).await?;
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds() {
        let (time, bytes) = start(&program, &data).await?;
        say(&format!("start {number}: {time:?}, {bytes} bytes at rest"));
        times.push(time.as_secs_f64() * 1e3);
        #[expect(clippy::cast_precision_loss, reason = "mebibytes, shown with two digits")]
        memory.push(bytes as f64 / MEBIBYTE);
    }
    report.add("start to the first answer, on data that is there", &Ratios::of(times), " ms", Target::AtMost(200.0));
    report.add("resident memory at rest", &Ratios::of(memory), " MiB", Target::AtMost(40.0));
    let size = u32::try_from(std::fs::metadata(&program)?.len())?;
    report.remark(format!("the binary has {:.1} MiB", f64::from(size) / MEBIBYTE));
    Ok(())
}

/// The large table of the latency section, or a table made now.
async fn existing_data(options: &Options) -> Result<PathBuf, Failure> {
    let [_, large] = options.table_sizes();
    let data = crate::latency::directory(options, large);
    if !data.exists() {
        let data = options.directory.join("start");
        World::make(&Stores { data: &data, cluster: None }, 0, options.sessions()).await?;
        return Ok(data);
    }
    Ok(data)
}

async fn start(program: &Path, data: &Path) -> Result<(Duration, u64), Failure> {
    // Whoever takes the port in between makes the start fail, and it is told.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = std::fs::File::create(data.join("server.log"))?;
    let mut command = Command::new(program);
    command.args(["serve", "--listen", &address.to_string()]).args(Stores { data, cluster: None }.options());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let began = Instant::now();
    let child = Running(command.spawn()?);
    let time = loop {
        match ask(address).await {
            Ok(()) => break began.elapsed(),
            Err(_) if began.elapsed() < Duration::from_secs(30) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => return Err(error),
        }
    };
    tokio::time::sleep(REST).await;
    Ok((time, resident_memory(child.0.id())?))
}

async fn ask(address: SocketAddr) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n").await?;
    let mut answer = [0; 512];
    let read = stream.read(&mut answer).await?;
    if answer[..read].starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("the server is not well".into()) }
}

/// A server that ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It is told to stop at once: there is nothing in its memory that anybody will ask for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
