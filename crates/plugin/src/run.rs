//! One run: the call of `process`, what is caught around it, and what its result must still satisfy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rhai::{AST, CallFnOptions, Dynamic, Engine, Scope};
use serde_json::Value;

use crate::compiling::CompileError;
use crate::context::Context;
use crate::failure::{Failure, FailureCode};
use crate::json::Json;
use crate::library::Facts;
use crate::plugins::Outcome;
use crate::pool::Stopwatch;
use crate::registry::Plugin;
use crate::{budget, engine, limits, report, reserved, size};

/// Runs a built-in on the caller's thread, without a copy and without limits: its script is ours, one linear pass, and it
/// changes names only. Whatever happens the value is handed back with all its members.
pub(crate) fn in_place(engine: &Engine, plugin: &Plugin, envelope: Value) -> Outcome {
    let began = Instant::now();
    let response = Json::Lent(Arc::new(Mutex::new(envelope)));
    let result = plugin
        .program()
        .map_err(|reason| Failure::new(FailureCode::Compile, reason))
        .and_then(|program| call(engine, program, response.clone(), Dynamic::UNIT));
    Outcome { response: response.into_value(), failure: result.err(), log: String::new(), took: began.elapsed(), operations: 0 }
}

/// Runs a tenant's script under every limit, on a thread of the pool. The response is empty where there is a failure: what goes
/// out then is with the caller.
pub(crate) fn bounded(engine: &Engine, plugin: &Plugin, envelope: &Arc<Value>, context: Arc<Context>) -> Outcome {
    let stopwatch = Stopwatch::start();
    budget::open();
    let result = plugin
        .program()
        .map_err(|reason| Failure::new(FailureCode::Compile, reason))
        .and_then(|program| call(engine, program, Json::Owned(Arc::clone(envelope)), Dynamic::from(Facts(context))))
        .and_then(|result| accept(envelope, result));
    let mut spent = budget::close();
    // The deadline holds for whoever is kept from working too; but that is not the script's fault.
    if spent.exceeded == Some(FailureCode::Deadline) && stopwatch.processor_time() < limits::DEADLINE / 2 {
        spent.exceeded = Some(FailureCode::Starved);
    }
    let (response, failure) = match (result, spent.exceeded) {
        (Ok(response), None) => (response, None),
        // Telling of a panic takes memory of its own, which is not the script's.
        (Err(failure), Some(_)) if failure.code == FailureCode::Panic => (Value::Null, Some(failure)),
        (result, Some(code)) => {
            let (line, column) = result.err().map_or((None, None), |failure| (failure.line, failure.column));
            (Value::Null, Some(Failure { line, column, ..Failure::new(code, report::exceeded(code)) }))
        }
        (Err(failure), None) => (Value::Null, Some(failure)),
    };
    Outcome { response, failure, log: spent.log, took: stopwatch.elapsed(), operations: spent.operations }
}

/// Compiles a tenant's source, on a thread of the pool.
pub(crate) fn compile(engine: &Engine, source: &str) -> Result<AST, CompileError> {
    catch_unwind(AssertUnwindSafe(|| engine::compile(engine, source)))
        .unwrap_or_else(|_| Err(CompileError::of_whole("the compiler failed on this source")))
}

/// Calls `process`. A panic of a host function ends here.
fn call(engine: &Engine, program: &AST, response: Json, context: Dynamic) -> Result<Dynamic, Failure> {
    let arguments = (Dynamic::from(response), context);
    let called = catch_unwind(AssertUnwindSafe(|| {
        let options = CallFnOptions::new().eval_ast(false);
        engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), program, engine::ENTRY, arguments)
    }));
    match called {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(report::failure(&error)),
        Err(_) => Err(Failure::new(FailureCode::Panic, "a host function failed")),
    }
}

/// Takes what the script returned as the answer, if it is one.
fn accept(envelope: &Value, result: Dynamic) -> Result<Value, Failure> {
    let type_name = result.type_name();
    let Some(response) = result.try_cast::<Json>() else {
        return Err(Failure::new(FailureCode::OutputType, format!("`process` returned a value of type {type_name}")));
    };
    let response = response.into_value();
    if !response.is_object() {
        return Err(Failure::new(FailureCode::OutputType, "`process` returned a value that is no object"));
    }
    reserved::check(envelope, &response)?;
    let (input, output) = (size::of(envelope), size::of(&response));
    if output > limits::output(input) {
        let detail = format!("the result has {output} bytes, more than the {} allowed", limits::output(input));
        return Err(Failure::new(FailureCode::OutputTooLarge, detail));
    }
    Ok(response)
}
