//! What a tenant's admin is told about a failed run: a sentence of bounded length, with the line where there is one.

use rhai::{Dynamic, EvalAltResult};

use crate::failure::{Failure, FailureCode};
use crate::{limits, words};

/// The failure that an error of the interpreter is.
pub(crate) fn failure(error: &EvalAltResult) -> Failure {
    let innermost = innermost(error);
    let code = match innermost {
        EvalAltResult::ErrorTooManyOperations(..) => FailureCode::Operations,
        EvalAltResult::ErrorStackOverflow(..) => FailureCode::CallDepth,
        EvalAltResult::ErrorDataTooLarge(..) => FailureCode::TooLarge,
        _ => FailureCode::Exception,
    };
    // A thrown value can be anything, nested without end; only a text is shown.
    let mut text = match innermost {
        EvalAltResult::ErrorRuntime(thrown, _) => thrown_text(thrown),
        other => sentence(&without_place(other)),
    };
    let position = innermost.position();
    if let Some(line) = position.line() {
        text = format!("line {line}: {text}");
    }
    text.truncate(text.floor_char_boundary(limits::DETAIL));
    Failure { line: position.line(), column: position.position(), ..Failure::new(code, text) }
}

/// The sentence for a limit that was exceeded.
pub(crate) fn exceeded(code: FailureCode) -> String {
    match code {
        FailureCode::Operations => format!("more than {} operations", limits::OPERATIONS),
        FailureCode::Deadline => format!("more than {} ms", limits::DEADLINE.as_millis()),
        FailureCode::Memory => format!("more than {} MiB of memory", limits::MEMORY >> 20),
        FailureCode::Starved => format!("{} ms were over while other work kept the script waiting", limits::DEADLINE.as_millis()),
        other => other.to_string(),
    }
}

/// A sentence of the interpreter as a script's author reads it: bounded, and without the types of the language below.
pub(crate) fn sentence(text: &str) -> String {
    // A bound before the types are replaced too: a name in it may be as long as a source.
    let bounded = text.get(..text.floor_char_boundary(limits::DETAIL)).unwrap_or_default();
    words::with_type_words(bounded)
}

/// The interpreter's sentence; the place is told before it.
fn without_place(error: &EvalAltResult) -> String {
    let text = error.to_string();
    let place = format!(" ({})", error.position());
    text.strip_suffix(&place).map_or(text.clone(), str::to_owned)
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    let mut error = error;
    while let EvalAltResult::ErrorInFunctionCall(_, _, inner, _) = error {
        error = inner;
    }
    error
}

fn thrown_text(thrown: &Dynamic) -> String {
    match thrown.as_immutable_string_ref() {
        Ok(text) => text.chars().take(limits::DETAIL).collect(),
        Err(type_name) => format!("threw a value of type {}", words::type_word(type_name)),
    }
}
