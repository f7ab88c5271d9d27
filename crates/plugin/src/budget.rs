//! What the run on this thread has used so far. The interpreter asks at every step and host functions ask in their loops,
//! since one native call can last or allocate without a single step.

use std::cell::RefCell;
use std::time::Instant;

use rhai::{EvalAltResult, Position};

use crate::failure::FailureCode;
use crate::{limits, memory};

/// The result of a host function.
pub(crate) type Fallible<T> = Result<T, Box<EvalAltResult>>;

thread_local! {
    static CURRENT: RefCell<Option<Budget>> = const { RefCell::new(None) };
}

struct Budget {
    operations: u64,
    deadline: Instant,
    balance_at_start: i64,
    exceeded: Option<FailureCode>,
    log: String,
}

impl Budget {
    /// Once exceeded, always exceeded: a native function that swallows one refusal gets the next.
    fn exceeded(&mut self) -> Option<FailureCode> {
        if self.exceeded.is_none() {
            if self.operations > limits::OPERATIONS {
                self.exceeded = Some(FailureCode::Operations);
            } else if memory::balance().is_none_or(|balance| balance - self.balance_at_start > limits::MEMORY) {
                self.exceeded = Some(FailureCode::Memory);
            } else if Instant::now() > self.deadline {
                self.exceeded = Some(FailureCode::Deadline);
            }
        }
        self.exceeded
    }
}

/// What is left to say after a run.
#[derive(Default)]
pub(crate) struct Spent {
    /// The first limit that was exceeded.
    pub(crate) exceeded: Option<FailureCode>,
    /// Steps of the interpreter.
    pub(crate) operations: u64,
    /// What the script printed.
    pub(crate) log: String,
}

/// Begins counting on this thread.
pub(crate) fn open() {
    let budget = Budget {
        operations: 0,
        deadline: Instant::now() + limits::DEADLINE,
        balance_at_start: memory::balance().unwrap_or_default(),
        exceeded: None,
        log: String::new(),
    };
    CURRENT.set(Some(budget));
}

/// Looks once more, ends counting on this thread and says what was exceeded.
pub(crate) fn close() -> Spent {
    CURRENT.take().map_or_else(Spent::default, |mut budget| Spent {
        exceeded: budget.exceeded(),
        operations: budget.operations,
        log: budget.log,
    })
}

/// Counts one step. Without an open budget, as for the built-ins, nothing is counted.
pub(crate) fn step() -> Option<FailureCode> {
    CURRENT.with_borrow_mut(|current| {
        let budget = current.as_mut()?;
        budget.operations += 1;
        budget.exceeded()
    })
}

/// Asks without counting: for host functions, in their loops and at their end.
pub(crate) fn check() -> Fallible<()> {
    crate::pool::give_way();
    match CURRENT.with_borrow_mut(|current| current.as_mut().and_then(Budget::exceeded)) {
        None => Ok(()),
        Some(code) => Err(EvalAltResult::ErrorTerminated(code.as_str().into(), Position::NONE).into()),
    }
}

/// How many bytes a host function works on before it looks at the budget again.
const STRIDE: usize = 16 << 10;
/// What an element or a member counts for, beside the bytes of its texts.
const ELEMENT: usize = 32;

/// The work of one host function, or of the checks after a run, which looks at the budget every so often.
#[derive(Default)]
pub(crate) struct Work(usize);

impl Work {
    /// Counts what is done next with one element that holds so many bytes of text: before it is copied, compared or written.
    pub(crate) fn add(&mut self, bytes: usize) -> Fallible<()> {
        self.0 = self.0.saturating_add(bytes).saturating_add(ELEMENT);
        if self.0 < STRIDE {
            return Ok(());
        }
        self.0 = 0;
        check()
    }
}

/// Whether the run on this thread holds so much that another copy of what it holds could be too much.
pub(crate) fn is_filling() -> bool {
    CURRENT.with_borrow(|current| {
        let (Some(budget), Some(balance)) = (current, memory::balance()) else { return false };
        balance - budget.balance_at_start > limits::MEMORY / 4
    })
}

/// Adds a line to the run's log, as far as there is room.
pub(crate) fn log(line: &str) {
    CURRENT.with_borrow_mut(|current| {
        let Some(budget) = current else { return };
        let room = limits::LOG.saturating_sub(budget.log.len() + 1);
        if let Some(kept) = line.get(..line.floor_char_boundary(room)).filter(|kept| room > 0 && (!kept.is_empty() || line.is_empty())) {
            budget.log.push_str(kept);
            budget.log.push('\n');
        }
    });
}
