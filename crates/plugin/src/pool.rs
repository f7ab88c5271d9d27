//! The few threads that run the tenants' scripts: with a stack that holds the deepest script allowed, behind a short queue.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// A stack that holds twice what the limits on nesting allow, in a debug build.
const STACK: usize = 32 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// Why a job was not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// The queue is full.
    Full,
    /// The job ended without an answer.
    Lost,
}

/// Threads and their queue. They end when the pool is dropped and the queue is empty.
pub(crate) struct Pool {
    queue: SyncSender<Job>,
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn start(threads: usize, queue: usize) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<Job>(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 1..=threads {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name(format!("plugin-{number}")).stack_size(STACK).spawn(move || work(&receiver))?;
        }
        Ok(Self { queue: sender })
    }

    /// Has a job done and waits for its answer, without blocking the caller's thread.
    pub(crate) async fn run<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Result<R, Undone> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || drop(answer.send(job())));
        self.queue.try_send(job).map_err(|_| Undone::Full)?;
        answered.await.map_err(|_| Undone::Lost)
    }
}

/// Takes one job after the other. Jobs catch their own panics.
fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job();
    }
}
