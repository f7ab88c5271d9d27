//! Group commit: logouts that arrive together share one transaction and one flush to the disk. While one batch is being
//! committed the next gathers, so nobody waits for company and nobody is alone in a crowd.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::Db;
use crate::Error;
use crate::record::{EndOutcome, Ending};

/// How many endings share a transaction at most.
const BATCH: usize = 512;

/// How many endings wait at most; beyond them callers wait to be let in.
const WAITING: usize = 8_192;

struct Request {
    ending: Ending,
    answer: oneshot::Sender<Result<EndOutcome, Error>>,
}

/// Where sessions are ended. Clones share one queue.
#[derive(Clone)]
pub struct EndingQueue {
    requests: mpsc::Sender<Request>,
    closing: watch::Sender<bool>,
    finished: watch::Receiver<()>,
    commits: Arc<AtomicU64>,
}

impl EndingQueue {
    /// Starts the task that works on the queue. It ends with [`EndingQueue::drain`], or when every clone is gone.
    pub fn start(db: Db) -> Self {
        let (requests, received) = mpsc::channel(WAITING);
        let (closing, closed) = watch::channel(false);
        let (working, finished) = watch::channel(());
        let commits = Arc::new(AtomicU64::new(0));
        let worker = Worker { db, commits: Arc::clone(&commits) };
        tokio::spawn(async move {
            worker.run(received, closed).await;
            drop(working);
        });
        Self { requests, closing, finished, commits }
    }

    /// Ends a session; its end is durable when this returns. A caller who goes away does not take the ending back.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database does not answer or the queue is closed.
    pub async fn end(&self, ending: Ending) -> Result<EndOutcome, Error> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { ending, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Takes no more endings and waits until those that were taken are done.
    pub async fn drain(&self) {
        self.closing.send_replace(true);
        let mut finished = self.finished.clone();
        // The worker never sends: it drops its end when it is done, and that is what this waits for.
        while finished.changed().await.is_ok() {}
    }

    /// How many transactions have been committed since the start, for comparison with the number of endings.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

struct Worker {
    db: Db,
    commits: Arc<AtomicU64>,
}

impl Worker {
    async fn run(self, mut requests: mpsc::Receiver<Request>, mut closing: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = requests.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                }
                // From here on `recv_many` gives what is left and then nothing.
                _ = closing.wait_for(|closing| *closing), if !requests.is_closed() => requests.close(),
            }
            let (endings, answers): (Vec<_>, Vec<_>) = batch.drain(..).map(|request| (request.ending, request.answer)).unzip();
            match self.commit(&endings).await {
                Ok(outcomes) => outcomes.into_iter().zip(answers).for_each(|(outcome, answer)| reply(answer, Ok(outcome))),
                Err(error) if error.is_unavailable() => {
                    for answer in answers {
                        reply(answer, Err(error.repeated()));
                    }
                    // Whoever has waited through the outage is not made to wait for another one.
                    while let Ok(request) = requests.try_recv() {
                        reply(request.answer, Err(error.repeated()));
                    }
                }
                // One of them is not acceptable to the database: the others must not suffer for it.
                Err(_) => {
                    for (ending, answer) in endings.iter().zip(answers) {
                        let outcome = self.commit(std::slice::from_ref(ending)).await;
                        reply(answer, outcome.and_then(|outcomes| outcomes.into_iter().next().ok_or_else(closed)));
                    }
                }
            }
        }
    }

    async fn commit(&self, endings: &[Ending]) -> Result<Vec<EndOutcome>, Error> {
        if endings.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = self.db.end_sessions(endings).await?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(outcomes)
    }
}

/// A caller who has gone away does not want to know.
fn reply(answer: oneshot::Sender<Result<EndOutcome, Error>>, outcome: Result<EndOutcome, Error>) {
    let _ = answer.send(outcome);
}

fn closed() -> Error {
    Error::DatabaseUnavailable(sqlx::Error::PoolClosed)
}
