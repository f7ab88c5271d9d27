//! What the built-in plugin costs beside the native pass, in one run: `cargo run --release -p bo-auth-plugin --example bench_casing`.
//! Native and built-in alternate over fresh copies of one envelope; the figures are medians of the rounds.

use std::error::Error;
use std::future::Future;
use std::hint::black_box;
use std::io::{self, Write};
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::Instant;

use bo_auth_plugin::{Context, Outcome, Plugin, Plugins, casing};
use serde_json::{Map, Value, json};

/// Rounds of each measurement.
const ROUNDS: usize = 41;
/// Member names converted in a round, at least.
const NAMES_A_ROUND: usize = 40_000;

fn main() -> Result<(), Box<dyn Error>> {
    let plugins = Plugins::new()?;
    let plugin = plugins.find(None, "common-data").ok_or("no built-in")?;
    let context = Context::default();
    let mut out = io::stdout();
    writeln!(out, "{:<28}{:>12}{:>12}{:>10}{:>8}", "envelope", "native ns", "plugin ns", "added", "ratio")?;
    for (label, envelope) in [
        ("4 keys, 2 to rename", small("access_token", "expires_in")),
        ("4 keys, all right", small("accessToken", "expiresIn")),
        ("100 keys, all to rename", flat(98, "member_name_")),
        ("100 keys, all right", flat(98, "memberName")),
        ("10,000 keys, all to rename", flat(9_998, "member_name_")),
        ("10,000 keys, all right", flat(9_998, "memberName")),
        ("10,000 keys in 1,250 rows", rows(1_250)),
    ] {
        let copies = (NAMES_A_ROUND / names(&envelope)).max(1);
        let native = |value: &mut Value| {
            casing::camel(value);
        };
        let built_in = |value: &mut Value| *value = run(&plugins, &plugin, value.take(), &context).response;
        let (mut native_rounds, mut plugin_rounds) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            native_rounds.push(round(&envelope, copies, native));
            plugin_rounds.push(round(&envelope, copies, built_in));
        }
        let (native, plugin) = (median(native_rounds), median(plugin_rounds));
        writeln!(out, "{label:<28}{native:>12.0}{plugin:>12.0}{:>10.0}{:>8.2}", plugin - native, plugin / native)?;
    }
    Ok(())
}

/// Nanoseconds for one conversion, over so many copies that were made beforehand.
fn round(envelope: &Value, copies: usize, convert: impl Fn(&mut Value)) -> f64 {
    let mut values = vec![envelope.clone(); copies];
    let start = Instant::now();
    for value in &mut values {
        convert(black_box(value));
    }
    let elapsed = start.elapsed().as_secs_f64();
    black_box(values);
    elapsed * 1e9 / f64::from(u32::try_from(copies).unwrap_or(u32::MAX))
}

/// Runs the built-in, which is ready at the first look: it never leaves the thread.
fn run(plugins: &Plugins, plugin: &Plugin, envelope: Value, context: &Context) -> Outcome {
    let mut running = pin!(plugins.run(plugin, envelope, context));
    loop {
        if let Poll::Ready(outcome) = running.as_mut().poll(&mut Task::from_waker(Waker::noop())) {
            return outcome;
        }
    }
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn names(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(names).sum::<usize>(),
        Value::Array(elements) => elements.iter().map(names).sum(),
        _ => 0,
    }
}

fn small(token: &str, lifetime: &str) -> Value {
    json!({"code": 0, "success": true, token: "header.claims.signature", lifetime: 7200})
}

fn flat(count: usize, prefix: &str) -> Value {
    let data: Map<String, Value> = (0..count).map(|number| (format!("{prefix}{number}x"), Value::from(number))).collect();
    json!({"code": 0, "data": data})
}

fn rows(count: usize) -> Value {
    let row = json!({
        "user_id": 1, "full_name": "Zhang San", "area_code": "4403", "created_at": "2026-01-01", "is_admin": false,
        "last_login_ip": "", "phone_number": "13800008000", "score": 2.5,
    });
    json!({"code": 0, "data": vec![row; count]})
}
