//! The few threads that run the tenants' scripts: with a stack that holds the deepest script allowed, behind short lines in which
//! tenants take turns. Whose scripts have used more than their tenant's share of processor time wait for a thread of their own,
//! which the operating system lets run when nothing else wants to; nobody else's request is then any later for them.

mod account;
mod line;
mod processor;

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use self::account::Accounts;
use self::line::Line;
pub(crate) use self::processor::Stopwatch;
use crate::limits;

/// A stack that holds twice what the limits on nesting allow, in a debug build.
const STACK: usize = 32 << 20;

/// How far below the rest of the process a thread is scheduled, as `nice` counts: compilations, which somebody waits for, and
/// scripts of tenants that have used up their share.
const COMPILING: i32 = 10;
const PATIENT: i32 = 19;

type Job = Box<dyn FnOnce() + Send>;

/// Why a job was not done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// Too many are waiting.
    Full,
    /// The job ended without an answer.
    Lost,
}

/// Threads and what waits for them. They end when the pool is dropped and nothing waits any more.
pub(crate) struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    runs: Condvar,
    patient_runs: Condvar,
    compilations: Condvar,
}

#[derive(Default)]
struct State {
    runs: Line,
    patient_runs: Line,
    compilations: Line,
    accounts: Accounts,
    closed: bool,
}

impl Pool {
    /// Starts the threads: one or two that run scripts, one for those without credit, one that compiles.
    pub(crate) fn start() -> io::Result<Self> {
        let pool = Self(Arc::default());
        for number in 1..=run_threads() {
            pool.spawn(format!("plugin-{number}"), 0, Shared::serve_runs)?;
        }
        pool.spawn("plugin-patient".to_owned(), PATIENT, Shared::serve_patient_runs)?;
        pool.spawn("plugin-compiler".to_owned(), COMPILING, Shared::serve_compilations)?;
        Ok(pool)
    }

    fn spawn(&self, name: String, priority: i32, serve: fn(&Shared)) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let work = move || {
            processor::step_back(priority);
            serve(&shared);
        };
        thread::Builder::new().name(name).stack_size(STACK).spawn(work).map(drop)
    }

    /// Has a script of `owner`'s run, without blocking the caller's thread.
    pub(crate) async fn run<R: Send + 'static>(&self, owner: &str, job: impl FnOnce() -> R + Send + 'static) -> Result<R, Undone> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || drop(answer.send(job())));
        self.0.submit_run(owner, job)?;
        answered.await.map_err(|_| Undone::Lost)
    }

    /// Has something compiled, likewise. Runs do not delay it, and it delays no run.
    pub(crate) async fn compile<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Result<R, Undone> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || drop(answer.send(job())));
        self.0.submit_compilation(job)?;
        answered.await.map_err(|_| Undone::Lost)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        for waited_for in [&self.0.runs, &self.0.patient_runs, &self.0.compilations] {
            waited_for.notify_all();
        }
    }
}

/// On a small machine one, so that the other core stays free.
fn run_threads() -> usize {
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 2) { limits::THREADS } else { 1 }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit_run(&self, owner: &str, job: Job) -> Result<(), Undone> {
        let mut state = self.lock();
        if state.accounts.has_credit(owner, Instant::now()) {
            state.runs.push(owner, job, limits::QUEUE_OF_TENANT)?;
            drop(state);
            self.runs.notify_one();
        } else {
            state.patient_runs.push(owner, job, limits::PATIENT_QUEUE_OF_TENANT)?;
            drop(state);
            self.patient_runs.notify_one();
        }
        Ok(())
    }

    fn submit_compilation(&self, job: Job) -> Result<(), Undone> {
        self.lock().compilations.push("", job, limits::QUEUE)?;
        self.compilations.notify_one();
        Ok(())
    }

    fn serve_runs(&self) {
        self.serve(&self.runs, |state, now| {
            loop {
                let owner = state.runs.next()?;
                if state.accounts.has_credit(&owner, now) {
                    return state.runs.pop().map(|job| (owner, job));
                }
                // It was used up while they waited.
                state.runs.hand_over(&mut state.patient_runs);
                self.patient_runs.notify_one();
            }
        });
    }

    fn serve_patient_runs(&self) {
        self.serve(&self.patient_runs, |state, _| {
            let owner = state.patient_runs.next()?;
            metrics::counter!("bo_auth_plugin_patient_runs_total").increment(1);
            state.patient_runs.pop().map(|job| (owner, job))
        });
    }

    fn serve_compilations(&self) {
        self.serve(&self.compilations, |state, _| state.compilations.pop().map(|job| (Arc::default(), job)));
    }

    /// Does one job after the other, and charges each to its owner. Jobs catch their own panics.
    fn serve(&self, waited_for: &Condvar, take: impl Fn(&mut State, Instant) -> Option<(Arc<str>, Job)>) {
        let mut state = self.lock();
        loop {
            if let Some((owner, job)) = take(&mut state, Instant::now()) {
                drop(state);
                let stopwatch = Stopwatch::start();
                job();
                let used = stopwatch.processor_time();
                state = self.lock();
                if !owner.is_empty() {
                    state.accounts.charge(&owner, used, Instant::now());
                }
            } else if state.closed {
                return;
            } else {
                state = waited_for.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
