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
use crate::{budget, engine, limits, report, reserved, size, words};

/// Runs a built-in on the caller's thread, without a copy and without limits: its script is ours, one linear pass, and it
/// changes names only. Whatever happens the value is handed back with all its members.
pub(crate) fn in_place(engine: &Engine, plugin: &Plugin, envelope: Value) -> Outcome {
    let began = Instant::now();
    let response = Json::Lent(Arc::new(Mutex::new(envelope)));
    let result = plugin
        .program()
        .map_err(|reason| Failure::new(FailureCode::Compile, reason))
        .and_then(|program| call(engine, program, response.clone(), Dynamic::UNIT));
    let failure = result.err();
    // A lent value is taken back, never copied.
    let response = response.into_value().unwrap_or_default();
    Outcome { response, failure, log: String::new(), took: began.elapsed(), operations: 0 }
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
        return Err(Failure::new(FailureCode::OutputType, returned(type_name)));
    };
    let response = response.into_value().map_err(|error| report::failure(&error))?;
    if !response.is_object() {
        return Err(Failure::new(FailureCode::OutputType, "`process` returned a value that is no object"));
    }
    // The size first: what is too large is not even looked through.
    let most = limits::output(size::up_to(usize::MAX, envelope).unwrap_or_default());
    if size::up_to(most, &response).is_none() {
        return Err(Failure::new(FailureCode::OutputTooLarge, format!("the result has more than the {most} bytes allowed")));
    }
    reserved::check(envelope, &response)?;
    Ok(response)
}

/// What is said of a result that is no answer.
fn returned(type_name: &str) -> String {
    match words::type_word(type_name) {
        "nothing" => "`process` returned nothing; its last expression, without a `;`, is what goes out".to_owned(),
        kind => format!("`process` returned a value of type {kind}, and has to return `response` or a part of it"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tikv_jemalloc_ctl::{Access, AsName};

    use super::*;
    use crate::library::Texts;
    use crate::name::PluginName;

    /// What a script may hold at its worst moment: the limit of 16 MiB, and what one native call or one copy adds before the next
    /// look.
    const HELD: u64 = 22 << 20;
    /// Processor time from the first step to the checked result: the deadline and one native call. A build without optimization
    /// gets more.
    const WORKED: Duration = Duration::from_millis(if cfg!(debug_assertions) { 150 } else { 65 });

    /// Runs a body on a thread of its own, whose highest balance the allocator knows.
    fn measured(body: &str) -> (Option<FailureCode>, u64, Duration) {
        let source = format!("fn process(response, ctx) {{ {body} }}");
        let work = move || {
            let engine = engine::build(Texts::new(|_, _| None));
            let program = engine::compile(&engine, &source);
            let plugin = Plugin::of_owner(PluginName::parse("mine").unwrap(), "demo", 1, program);
            let envelope = Arc::new(json!({"code": 0, "success": true, "message": "ok", "data": {"rows": [{"id": 1}]}}));
            let peak = || -> u64 { b"thread.peak.read\0".name().read().unwrap() };
            let (before, stopwatch) = (peak(), Stopwatch::start());
            let outcome = bounded(&engine, &plugin, &envelope, Arc::default());
            let worked = stopwatch.processor_time();
            (outcome.failure.map(|failure| failure.code), peak() - before, worked)
        };
        std::thread::Builder::new().stack_size(32 << 20).spawn(work).unwrap().join().unwrap()
    }

    #[test]
    fn no_writer_and_no_copy_goes_far_beyond_memory_and_time() {
        let fill = "let s = \"\"; s.pad(249000, \"\\u0001\"); for i in 0..50 { response[\"z\" + i] = s + i; }";
        let names = "let s = \"\"; s.pad(249000, 'x');";
        for body in [
            format!("{fill} response"),
            format!("{fill} print(response); response"),
            format!("{fill} loop {{ print(response); }}"),
            format!("{fill} loop {{ `${{response}}`; }}"),
            format!("{fill} response.set(\"copy\", response)"),
            format!("{fill} response.each(\"data.rows\", |row| response)"),
            format!("{fill} let v = response.values(); [v, v]"),
            format!("{fill} let o = response; o.code = 0; o"),
            format!("{fill} loop {{ response == response.at(\"\"); }}"),
            format!("{names} let m = #{{}}; for i in 0..200 {{ m[s + i] = 1; }} m"),
            format!("{names} let m = #{{}}; for i in 0..55 {{ m[s + i] = 1; }} let b = m; [m, b]"),
            format!("{names} for i in 0..55 {{ response[s + i] = 1; }} response.camel().rename(#{{a: \"b\"}}).keys()"),
            format!("{names} let a = []; for n in 0..20000 {{ a.push(s); }} response.a = a; response"),
            format!("{names} let a = []; for n in 0..20000 {{ a.push(s); }} switch a {{ 1 => 2, _ => 3 }}"),
            "let a = [1]; loop { a.push(a); let b = a; }".to_owned(),
            "let a = [1]; loop { a = [a, a, a, a]; }".to_owned(),
            "let n = 0; loop { response[\"k\" + n] = n; n += 1; }".to_owned(),
            "let n = 0; loop { response[\"k_\" + n] = n; n += 1; if n % 5000 == 0 { response.camel().snake(); } }".to_owned(),
            "let s = \"\"; s.pad(130000, \"ŉ\"); loop { s.to_upper(); }".to_owned(),
        ] {
            let (code, held, worked) = measured(&body);
            assert!(code.is_some(), "nothing stopped {body}");
            assert!(held <= HELD, "{} MiB: {body}", held >> 20);
            assert!(worked <= WORKED, "{worked:?}: {body}");
        }
    }
}
