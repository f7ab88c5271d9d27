//! Group commit: logouts that arrive together share one transaction and one flush to the disk, and then one telling of
//! everyone else. While one batch is being committed the next gathers, so nobody waits for company and nobody is alone in
//! a crowd.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::Db;
use crate::failpoint::{self, Guard};
use crate::record::{EndOutcome, Ending};
use crate::{Error, NotPublished};

/// How many endings share a transaction at most.
const BATCH: usize = 512;

/// How many endings wait at most; beyond them callers wait to be let in.
const WAITING: usize = 8_192;

/// How many batches are committed at a time where the database can do that: one works while another is being flushed.
/// `SQLite` has one writer.
const POSTGRES_LANES: usize = 2;

/// Why an ending is not answered with its outcome.
#[derive(Debug, thiserror::Error)]
pub enum EndingError {
    /// The database did not take it.
    #[error(transparent)]
    NotEnded(#[from] Error),
    /// It is durable, and not everyone has been told.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
}

type Answer = Result<EndOutcome, EndingError>;

struct Request {
    ending: Ending,
    answer: oneshot::Sender<Answer>,
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
    /// Starts the tasks that work on the queue. They end with [`EndingQueue::drain`], or when every clone is gone.
    pub fn start(db: Db) -> Self {
        Self::start_telling(db, |_| std::future::ready(Ok(())))
    }

    /// The same; whoever waits for an ending hears of it only when `tell` is done with the outcomes of its whole commit,
    /// and hears that it is not published where that fails.
    pub fn start_telling<T, F>(db: Db, tell: T) -> Self
    where
        T: Fn(Arc<[EndOutcome]>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), NotPublished>> + Send + 'static,
    {
        let (requests, received) = mpsc::channel(WAITING);
        let (closing, closed) = watch::channel(false);
        let (working, finished) = watch::channel(());
        let commits = Arc::new(AtomicU64::new(0));
        let lanes = match db {
            Db::Postgres(_) => POSTGRES_LANES,
            Db::Sqlite { .. } => 1,
        };
        let worker = Arc::new(Worker { db, requests: Mutex::new(received), tell, commits: Arc::clone(&commits), working });
        for _ in 0..lanes {
            tokio::spawn(Arc::clone(&worker).run(closed.clone()));
        }
        Self { requests, closing, finished, commits }
    }

    /// Ends a session; its end is durable, and told, when this returns. A caller who goes away does not take the ending
    /// back.
    ///
    /// # Errors
    /// [`EndingError::NotEnded`] where the database does not answer or the queue is closed,
    /// [`EndingError::NotPublished`] where the others could not be told.
    pub async fn end(&self, ending: Ending) -> Result<EndOutcome, EndingError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { ending, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Takes no more endings and waits until those that were taken are done.
    pub async fn drain(&self) {
        self.closing.send_replace(true);
        let mut finished = self.finished.clone();
        // Nothing is ever sent: the other ends are dropped when the work is done, and that is what this waits for.
        while finished.changed().await.is_ok() {}
    }

    /// How many transactions have been committed since the start, for comparison with the number of endings.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

struct Worker<T> {
    db: Db,
    requests: Mutex<mpsc::Receiver<Request>>,
    tell: T,
    commits: Arc<AtomicU64>,
    /// Cloned by whoever has something left to do.
    working: watch::Sender<()>,
}

/// The callers of a batch, in its order.
type Answers = Vec<oneshot::Sender<Answer>>;

impl<T, F> Worker<T>
where
    T: Fn(Arc<[EndOutcome]>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), NotPublished>> + Send + 'static,
{
    async fn run(self: Arc<Self>, mut closing: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let mut requests = self.requests.lock().await;
            tokio::select! {
                taken = requests.recv_many(&mut batch, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                }
                // From here on `recv_many` gives what is left and then nothing.
                _ = closing.wait_for(|closing| *closing), if !requests.is_closed() => requests.close(),
            }
            drop(requests);
            let (endings, answers): (Vec<_>, Answers) = batch.drain(..).map(|request| (request.ending, request.answer)).unzip();
            let answers = if failpoint::left_out(Guard::Commit) { answer_unfinished(answers) } else { answers };
            failpoint::reach("ending.taken").await;
            match self.commit(&endings).await {
                Ok(outcomes) => self.tell(outcomes, answers),
                Err(error) if error.is_unavailable() => {
                    refuse(answers, &error);
                    // Whoever has waited through the outage is not made to wait for another one.
                    let mut requests = self.requests.lock().await;
                    while let Ok(request) = requests.try_recv() {
                        reply(request.answer, Err(error.repeated().into()));
                    }
                }
                // One of them is not acceptable to the database: the others must not suffer for it.
                Err(_) => {
                    for (ending, answer) in endings.iter().zip(answers) {
                        match self.commit(std::slice::from_ref(ending)).await {
                            Ok(outcomes) => self.tell(outcomes, vec![answer]),
                            Err(error) => reply(answer, Err(error.into())),
                        }
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
        failpoint::reach("ending.committed").await;
        Ok(outcomes)
    }

    /// Tells of a commit and then answers those who wait for it, while the next batch is being committed.
    fn tell(&self, outcomes: Vec<EndOutcome>, answers: Answers) {
        if outcomes.is_empty() {
            return;
        }
        let outcomes: Arc<[EndOutcome]> = outcomes.into();
        let told = (self.tell)(Arc::clone(&outcomes));
        let working = self.working.clone();
        tokio::spawn(async move {
            let told = told.await;
            failpoint::reach("ending.told").await;
            match told {
                Ok(()) => outcomes.iter().zip(answers).for_each(|(outcome, answer)| reply(answer, Ok(outcome.clone()))),
                Err(error) => {
                    for answer in answers {
                        reply(answer, Err(error.repeated().into()));
                    }
                }
            }
            drop(working);
        });
    }
}

fn refuse(answers: Answers, error: &Error) {
    for answer in answers {
        reply(answer, Err(error.repeated().into()));
    }
}

/// What [`Guard::Commit`] keeps from happening.
fn answer_unfinished(answers: Answers) -> Answers {
    for answer in answers {
        reply(answer, Ok(EndOutcome::Unknown));
    }
    Answers::new()
}

/// A caller who has gone away does not want to know.
fn reply(answer: oneshot::Sender<Answer>, outcome: Answer) {
    let _ = answer.send(outcome);
}

fn closed() -> Error {
    Error::DatabaseUnavailable(sqlx::Error::PoolClosed)
}
