//! What may be published, who finds it, and what happens to what is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bo_auth_plugin::{Context, Error, FailureCode, Plugins, Published};
use tokio::task::JoinSet;

use super::{context, envelope};

const MINE: &str = "fn process(response, ctx) { response.set(\"message\", \"mine\") }";

#[tokio::test]
async fn a_tenants_plugin_is_its_own() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("demo", "mine", MINE).await.unwrap();
    assert_eq!(plugins.find(Some("demo"), "mine").unwrap().name(), "mine");
    assert!(plugins.find(Some("other"), "mine").is_none());
    assert!(plugins.find(None, "mine").is_none());
    assert!(plugins.withdraw("demo", "mine"));
    assert!(!plugins.withdraw("demo", "mine"));
    assert!(plugins.find(Some("demo"), "mine").is_none());
}

#[tokio::test]
async fn a_tenants_plugin_goes_before_a_built_in_of_the_same_name() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("demo", "common-data", MINE).await.unwrap();
    assert!(!plugins.find(Some("demo"), "common-data").unwrap().is_built_in());
    assert!(plugins.find(Some("other"), "common-data").unwrap().is_built_in());
    plugins.withdraw("demo", "common-data");
    assert!(plugins.find(Some("demo"), "common-data").unwrap().is_built_in());
}

#[tokio::test]
async fn a_run_keeps_the_version_it_found() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("demo", "mine", MINE).await.unwrap();
    let found = plugins.find(Some("demo"), "mine").unwrap();
    plugins.publish("demo", "mine", &MINE.replace("mine", "newer")).await.unwrap();
    assert_eq!(plugins.run(&found, envelope(), &context()).await.response["message"], "mine");
    let found = plugins.find(Some("demo"), "mine").unwrap();
    assert_eq!(plugins.run(&found, envelope(), &context()).await.response["message"], "newer");
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_and_the_version_before_stays() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("demo", "mine", MINE).await.unwrap();
    let arguments = ["1"; 13].join(", ");
    for source in [
        String::new(),
        "fn process(response) { response }".to_owned(),
        "fn other(response, ctx) { response }".to_owned(),
        "fn process(response, ctx) { response ".to_owned(),
        format!("let x = 1; {MINE}"),
        format!("{MINE} process(1, 2);"),
        "fn process(response, ctx) { eval(\"1\") }".to_owned(),
        "fn process(response, ctx) { let f = Fn(\"process\"); f }".to_owned(),
        "fn process(response, ctx) { let f = |x| x; f.call(1) }".to_owned(),
        "fn process(response, ctx) { let f = |x| x; f.curry(1) }".to_owned(),
        "import \"x\" as y; fn process(response, ctx) { response }".to_owned(),
        format!("fn process(response, ctx) {{ process({arguments}) }}"),
        format!("fn process(response, ctx) {{ response.set({arguments}) }}"),
        format!("{MINE} // {}", "x".repeat(32 << 10)),
        (0..65).map(|number| format!("fn f{number}() {{ }} ")).chain([MINE.to_owned()]).collect(),
    ] {
        let refused = plugins.publish("demo", "mine", &source).await;
        assert!(matches!(refused, Err(Error::Compile(_))), "{refused:?} for {source:.100}");
    }
    assert!(matches!(plugins.publish("demo", "../mine", MINE).await, Err(Error::Name)));
    let found = plugins.find(Some("demo"), "mine").unwrap();
    assert_eq!(plugins.run(&found, envelope(), &context()).await.response["message"], "mine");
}

#[tokio::test]
async fn a_source_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does() {
    let plugins = Plugins::new().unwrap();
    let source = format!("\u{feff}// A comment.\r\n{}\r\n", MINE.replace("{ ", "{\r\n"));
    assert_eq!(plugins.check("demo", &source).await.unwrap(), None);
    plugins.publish("demo", "mine", &source).await.unwrap();
    let found = plugins.find(Some("demo"), "mine").unwrap();
    assert_eq!(plugins.run(&found, envelope(), &context()).await.response["message"], "mine");
    let error = plugins.check("demo", "\u{feff}fn process(").await.unwrap().unwrap();
    assert_eq!((error.line, error.column), (Some(1), Some(12)), "the mark is no character of the first line");
}

#[tokio::test]
async fn what_does_not_compile_is_told_without_types_of_the_language_below_and_in_a_bounded_sentence() {
    let plugins = Plugins::new().unwrap();
    let long = "x".repeat(20_000);
    for body in [
        "let x = ;",
        "1 +",
        "if { }",
        "for in x { }",
        "let x: i64 = 1",
        "x = = 1",
        "\"open",
        "'ab'",
        "99999999999999999999",
        "0x",
        "fn f() { }",
        "|x",
        "#{a: 1, a: 2}",
        "#{1: 2}",
        "[1, 2",
        "break",
        "let let = 1",
        "response.",
        "`${`",
        "switch 1 { 1.5 => 2 }",
        "import \"a\"",
        "eval(1)",
        "🦀",
        "const X = response; X.y = 1",
        "let x = 1; fn g() {}",
        long.as_str(),
        "goto x",
        "async",
        "return return",
        "throw",
        "\u{0}",
        "1.e",
        "'\\q'",
    ] {
        let Some(error) = plugins.check("demo", &super::process(body)).await.unwrap() else { continue };
        for name in ["::", "i64", "f64", "&str", "String", "Dynamic", "usize", "rhai", "alloc"] {
            assert!(!error.message.contains(name) || body.contains(name), "{body:.50}: {error}");
        }
        assert!(error.message.len() <= 600, "{body:.50}");
    }
}

#[tokio::test]
async fn a_stored_plugin_that_no_longer_compiles_fails_instead_of_vanishing() {
    let plugins = Plugins::new().unwrap();
    let broken = plugins.prepare("demo", "mine", 1, "fn process(").await.unwrap();
    let error = broken.compile_error().unwrap();
    assert_eq!((error.line, error.column), (Some(1), Some(12)), "{error}");
    plugins.replace("demo", vec![Published::new(broken, None)]);
    let found = plugins.find(Some("demo"), "mine").unwrap();
    let outcome = plugins.run(&found, envelope(), &context()).await;
    assert_eq!(outcome.response, envelope());
    assert_eq!(outcome.failure.unwrap().code, FailureCode::Compile);
}

#[tokio::test]
async fn when_the_queue_is_full_the_envelope_goes_out_as_it_is() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("demo", "slow", "fn process(response, ctx) { loop { } }").await.unwrap();
    let slow = plugins.find(Some("demo"), "slow").unwrap();
    let context = context();
    let mut runs: Vec<_> = (0..80).map(|_| Box::pin(plugins.run(&slow, envelope(), &context))).collect();
    let mut codes = Vec::new();
    for run in &mut runs {
        // The first look at a run puts it in the queue, or finds that full.
        let looked = std::future::poll_fn(|task| std::task::Poll::Ready(run.as_mut().poll(task))).await;
        if let std::task::Poll::Ready(outcome) = looked {
            assert_eq!(outcome.response, envelope());
            codes.extend(outcome.failure.map(|failure| failure.code));
        }
    }
    assert!(codes.contains(&FailureCode::QueueFull), "{codes:?}");
}

#[tokio::test]
async fn a_tenants_backlog_does_not_keep_others_waiting() {
    let plugins = Arc::new(Plugins::new().unwrap());
    plugins.publish("demo", "slow", "fn process(response, ctx) { loop { response.at(\"data\"); } }").await.unwrap();
    plugins.publish("neighbour", "mine", MINE).await.unwrap();
    let slow = plugins.find(Some("demo"), "slow").unwrap();
    let finished = Arc::new(AtomicUsize::new(0));
    let mut runs = JoinSet::new();
    for _ in 0..40 {
        let (plugins, slow, finished) = (Arc::clone(&plugins), slow.clone(), Arc::clone(&finished));
        runs.spawn(async move {
            let failed = plugins.run(&slow, envelope(), &context()).await.failure.is_some();
            finished.fetch_add(1, Ordering::Relaxed);
            failed
        });
    }
    // On one thread the tasks above have begun to wait before this goes on.
    tokio::task::yield_now().await;
    let mine = plugins.find(Some("neighbour"), "mine").unwrap();
    let context = Context { owner_id: Some("neighbour".into()), ..context() };
    for number in 1..=10 {
        let outcome = plugins.run(&mine, envelope(), &context).await;
        assert!(outcome.failure.is_none_or(|failure| !failure.code.weighs()));
        let before = finished.load(Ordering::Relaxed);
        assert!(before <= 2 + 3 * number, "{before} runs of the other tenant went before {number} of this one");
    }
    // Compilations have a thread of their own.
    plugins.publish("neighbour", "other", MINE).await.unwrap();
    assert!(finished.load(Ordering::Relaxed) < 40);
    assert!(runs.join_all().await.into_iter().all(|failed| failed));
}
