//! The few threads that run the tenants' scripts: with a stack that holds the deepest script allowed, behind short lines in which
//! tenants take turns.
//!
//! Nobody waits for a long script. One that has worked for a millisecond gives its place away and goes on behind everything else.
//! Whose scripts have used more than their tenant's share of processor time wait for a thread that the operating system lets run
//! when nothing else wants to. What is compiled beyond a tenant's share waits there too.

mod account;
mod line;
mod processor;
mod turn;

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use self::account::Accounts;
use self::line::Line;
pub(crate) use self::processor::Stopwatch;
pub(crate) use self::turn::give_way;
use crate::limits;

/// A stack that holds twice what the limits on nesting allow, in a debug build.
const STACK: usize = 32 << 20;

/// How far below the rest of the process a thread is scheduled, as `nice` counts: compilations, which somebody waits for, and
/// scripts that work for long, or of tenants that have used up their share.
const COMPILING: i32 = 10;
const PATIENT: i32 = 19;

type Job = Box<dyn FnOnce() + Send>;

/// What a script is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An answer to whom the tenant knows.
    Answer,
    /// A refusal. Anybody can ask for those: they use up, and wait behind, nothing of what the tenant's users need.
    Refusal,
}

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
    places: Condvar,
    patient_runs: Condvar,
    compilations: Condvar,
}

#[derive(Default)]
struct State {
    runs: Line,
    patient_runs: Line,
    compilations: Line,
    accounts: Accounts,
    /// What compilations have used, by tenant.
    compiling: Accounts,
    /// Threads that serve runs, that wait to do so, and that have left their place for a long script.
    serving: usize,
    spare: usize,
    long: usize,
    closed: bool,
}

impl Pool {
    /// Starts the threads: one or two that run scripts, one that takes the place of those, one for what can wait, one that compiles.
    pub(crate) fn start() -> io::Result<Self> {
        let pool = Self(Arc::default());
        for _ in 0..=run_threads() {
            pool.0.spawn_runner()?;
        }
        pool.0.spawn("plugin-patient", PATIENT, Shared::serve_patient_runs)?;
        pool.0.spawn("plugin-compiler", COMPILING, Shared::serve_compilations)?;
        Ok(pool)
    }

    /// Has a script of `owner`'s run, without blocking the caller's thread.
    pub(crate) async fn run<R: Send + 'static>(
        &self,
        owner: &str,
        purpose: Purpose,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Undone> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || drop(answer.send(job())));
        match purpose {
            Purpose::Answer => self.0.submit_run(owner, job, limits::QUEUE_OF_TENANT)?,
            // No owner's id has a space in it.
            Purpose::Refusal => self.0.submit_run(&format!("{owner} refusals"), job, limits::PATIENT_QUEUE_OF_TENANT)?,
        }
        answered.await.map_err(|_| Undone::Lost)
    }

    /// Has something of `owner`'s compiled, likewise. Runs do not delay it, and it delays no run.
    pub(crate) async fn compile<R: Send + 'static>(&self, owner: &str, job: impl FnOnce() -> R + Send + 'static) -> Result<R, Undone> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || drop(answer.send(job())));
        self.0.submit_compilation(owner, job)?;
        answered.await.map_err(|_| Undone::Lost)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        for waited_for in [&self.0.runs, &self.0.places, &self.0.patient_runs, &self.0.compilations] {
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

    fn spawn(self: &Arc<Self>, name: &str, priority: i32, serve: fn(&Arc<Self>)) -> io::Result<()> {
        let shared = Arc::clone(self);
        let work = move || {
            processor::step_back(priority);
            serve(&shared);
        };
        thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work).map(drop)
    }

    /// To be called by threads that have not stepped back: a new one has the priority of the one that makes it.
    fn spawn_runner(self: &Arc<Self>) -> io::Result<()> {
        self.lock().spare += 1;
        self.spawn("plugin-runner", 0, Shared::serve_runs).inspect_err(|_| self.lock().spare -= 1)
    }

    fn submit_run(&self, owner: &str, job: Job, most: usize) -> Result<(), Undone> {
        let mut state = self.lock();
        if state.accounts.has_credit(owner, Instant::now()) {
            state.runs.push(owner, job, most)?;
            drop(state);
            self.runs.notify_one();
        } else {
            state.patient_runs.push(owner, job, limits::PATIENT_QUEUE_OF_TENANT)?;
            drop(state);
            self.patient_runs.notify_one();
        }
        Ok(())
    }

    fn submit_compilation(&self, owner: &str, job: Job) -> Result<(), Undone> {
        let mut state = self.lock();
        if state.compiling.has_credit(owner, Instant::now()) {
            state.compilations.push(owner, job, limits::COMPILATIONS_OF_TENANT)?;
            drop(state);
            self.compilations.notify_one();
        } else {
            let owner = format!("{owner} compilations");
            state.patient_runs.push(&owner, job, limits::COMPILATIONS_OF_TENANT)?;
            drop(state);
            self.patient_runs.notify_one();
        }
        Ok(())
    }

    /// Waits for a place, and serves runs until it is given away.
    fn serve_runs(self: &Arc<Self>) {
        let mut state = self.lock();
        while state.serving >= run_threads() && !state.closed {
            state = self.places.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.serving += 1;
        state.spare -= 1;
        let is_last_spare = state.spare == 0 && !state.closed;
        drop(state);
        // Somebody must be there to take this place in its turn.
        if is_last_spare && let Err(error) = self.spawn_runner() {
            tracing::warn!(%error, "a plugin thread could not be started; long scripts keep their place");
        }
        self.serve(&self.runs, true, |state, now| {
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

    /// Gives the caller's place to a spare thread, unless there is none or too many long scripts run already.
    fn leave_place(&self) -> bool {
        let mut state = self.lock();
        if state.spare == 0 || state.long >= limits::LONG_RUNS {
            return false;
        }
        state.serving -= 1;
        state.long += 1;
        drop(state);
        metrics::counter!("bo_auth_plugin_patient_runs_total").increment(1);
        self.places.notify_one();
        true
    }

    fn serve_patient_runs(self: &Arc<Self>) {
        self.serve(&self.patient_runs, false, |state, _| {
            let owner = state.patient_runs.next()?;
            metrics::counter!("bo_auth_plugin_patient_runs_total").increment(1);
            state.patient_runs.pop().map(|job| (owner, job))
        });
    }

    fn serve_compilations(self: &Arc<Self>) {
        self.serve(&self.compilations, false, |state, _| {
            let owner = state.compilations.next()?;
            state.compilations.pop().map(|job| (format!("{owner} compilations").into(), job))
        });
    }

    /// Does one job after the other, and charges each to its owner, until a place is given away. Jobs catch their own panics.
    fn serve(self: &Arc<Self>, waited_for: &Condvar, has_place: bool, take: impl Fn(&mut State, Instant) -> Option<(Arc<str>, Job)>) {
        let mut state = self.lock();
        loop {
            if let Some((owner, job)) = take(&mut state, Instant::now()) {
                drop(state);
                if has_place {
                    turn::begin(self);
                }
                let stopwatch = Stopwatch::start();
                job();
                let used = stopwatch.processor_time();
                let stays = !has_place || turn::end();
                // However little it got behind everything else: soon it would take a place again.
                let used = if stays { used } else { used.max(limits::DEADLINE) };
                state = self.lock();
                match owner.strip_suffix(" compilations") {
                    Some(owner) => state.compiling.charge(&owner.into(), used, Instant::now()),
                    None => state.accounts.charge(&owner, used, Instant::now()),
                }
                if !stays {
                    // It cannot come back to where it was: another thread is in its place.
                    state.long -= 1;
                    return;
                }
            } else if state.closed {
                return;
            } else {
                state = waited_for.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

#[cfg(test)]
mod tests;
