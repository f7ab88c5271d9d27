//! What one run may use. Together these stop every script of the hostile suite; none of them alone does.

use std::time::Duration;

/// Steps of the interpreter, those inside native callbacks included.
pub(crate) const OPERATIONS: u64 = 200_000;
/// Wall-clock time, from the first step to the checked result.
pub(crate) const DEADLINE: Duration = Duration::from_millis(50);
/// Live memory, in bytes, beyond what was held when the run began.
pub(crate) const MEMORY: i64 = 16 << 20;
/// Script functions calling one another.
pub(crate) const CALL_DEPTH: usize = 16;
/// Nested expressions and blocks, in functions and outside.
pub(crate) const EXPRESSION_DEPTH: usize = 32;
/// Bytes of a string.
pub(crate) const STRING: usize = 256 << 10;
/// Elements of an array or members of a map, nested ones included.
pub(crate) const ELEMENTS: usize = 20_000;
/// Variables in scope.
pub(crate) const VARIABLES: usize = 128;
/// Functions of a script.
pub(crate) const FUNCTIONS: usize = 64;
/// Arguments of one call: finding a function costs time exponential in them.
pub(crate) const ARGUMENTS: usize = 12;
/// Bytes of a source.
pub(crate) const SOURCE: usize = 32 << 10;
/// Levels of objects and arrays a script may build.
pub(crate) const VALUE_DEPTH: usize = 64;
/// Bytes of the log that `print` and `debug` write to.
pub(crate) const LOG: usize = 16 << 10;
/// Bytes of the detail of a failure.
pub(crate) const DETAIL: usize = 500;
/// Threads that run the tenants' scripts; on a machine with one or two cores it is one.
pub(crate) const THREADS: usize = 2;
/// Runs that may wait for one of these threads.
pub(crate) const QUEUE: usize = 256;
/// Those of them that may be of one tenant.
pub(crate) const QUEUE_OF_TENANT: usize = 48;
/// The same of a tenant whose scripts have used more than its share of processor time.
pub(crate) const PATIENT_QUEUE_OF_TENANT: usize = 8;
/// Compilations of one tenant that may wait.
pub(crate) const COMPILATIONS_OF_TENANT: usize = 8;
/// Long scripts that may run at a time, behind everything else.
pub(crate) const LONG_RUNS: usize = 8;

/// Bytes of the result, by the bytes of the envelope.
pub(crate) const fn output(input: usize) -> usize {
    input.saturating_mul(4).saturating_add(64 << 10)
}

/// Every limit of a run or a source, in words and with its value, for the documentation.
pub fn described() -> Vec<(&'static str, String)> {
    let kib = |bytes: usize| format!("{} KiB", bytes >> 10);
    vec![
        ("time of a run", format!("{} ms", DEADLINE.as_millis())),
        ("steps of the interpreter", OPERATIONS.to_string()),
        ("live memory of a run", format!("{} MiB", MEMORY >> 20)),
        ("a text", kib(STRING)),
        ("an array or a map, with what is nested in it", format!("{ELEMENTS} elements")),
        ("the texts in an array or a map, together", kib(STRING)),
        ("levels of objects and arrays", VALUE_DEPTH.to_string()),
        ("functions calling one another", format!("{CALL_DEPTH} deep")),
        ("nested expressions and blocks", format!("{EXPRESSION_DEPTH} deep")),
        ("variables in scope", VARIABLES.to_string()),
        ("functions of a script", FUNCTIONS.to_string()),
        ("arguments of a call", ARGUMENTS.to_string()),
        ("a source", kib(SOURCE)),
        ("what goes out", format!("4 × what came in + {}", kib(output(0)))),
        ("the log of `print` and `debug`", kib(LOG)),
        ("runs that wait for a plugin thread, of all tenants", QUEUE.to_string()),
        ("those of one tenant", QUEUE_OF_TENANT.to_string()),
        ("those of one whose scripts have used up its share of processor time", PATIENT_QUEUE_OF_TENANT.to_string()),
    ]
}
