//! What plugins cost: the built-in beside the same conversion called natively, on envelopes of three sizes; the server's requests
//! a second without a plugin, with the built-in, and with a tenant's own script; and what hostile scripts do to the others.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bo_auth_plugin::{Context, Plugin, Plugins, casing};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::background::{Server, say};
use crate::load::drive;
use crate::neighbours;
use crate::options::Options;
use crate::product::Stores;
use crate::report::{Ratios, Report, Target};
use crate::world::{OWN_PLUGIN, World};

const CONNECTIONS: usize = 32;
const USERS: u32 = 64;
const PREPARED_PER_SECOND: usize = 120_000;
const PATH: &str = "/bo/api/v3/auth/user/current";

/// Member names that are converted in a round, at least.
const NAMES: usize = 40_000;

/// Measures both.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    conversion(options, report).await?;
    requests(options, report).await
}

async fn conversion(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let plugins = Plugins::new()?;
    let plugin = plugins.find(None, "common-data").ok_or("there is no common-data")?;
    for (keys, target) in [(4, Target::None), (100, Target::AtMost(1.5)), (10_000, Target::AtMost(1.5))] {
        let envelope = envelope(keys);
        let copies = (NAMES / keys).max(1);
        let (mut ratios, mut added) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds() * 4 {
            let native = native(&envelope, copies);
            let built_in = built_in(&plugins, &plugin, &envelope, copies).await;
            ratios.push(built_in / native);
            added.push((built_in - native) * 1e6);
        }
        report.add(&format!("common-data / the same in Rust, {keys} keys"), &Ratios::of(ratios), "", target);
        let most = if keys == 4 { Target::AtMost(2.0) } else { Target::None };
        report.add(&format!("added by common-data, {keys} keys"), &Ratios::of(added), " µs", most);
    }
    Ok(())
}

/// Seconds for one conversion, over copies that were made beforehand.
fn native(envelope: &Value, copies: usize) -> f64 {
    let mut values = vec![envelope.clone(); copies];
    let began = Instant::now();
    for value in &mut values {
        casing::camel(black_box(value));
    }
    let took = began.elapsed();
    black_box(values);
    each(took, copies)
}

async fn built_in(plugins: &Plugins, plugin: &Plugin, envelope: &Value, copies: usize) -> f64 {
    let mut values = vec![envelope.clone(); copies];
    let context = Context::default();
    let began = Instant::now();
    for value in &mut values {
        *value = plugins.run(plugin, black_box(value.take()), &context).await.response;
    }
    let took = began.elapsed();
    black_box(values);
    each(took, copies)
}

fn each(took: Duration, copies: usize) -> f64 {
    took.as_secs_f64() / crate::load::count(copies)
}

/// So many members, all of which get another name.
fn envelope(keys: usize) -> Value {
    let data: Map<String, Value> = (2..keys).map(|number| (format!("member_name_{number}x"), Value::from(number))).collect();
    let mut envelope = json!({"code": 0, "success": true});
    if let Some(members) = envelope.as_object_mut() {
        members.extend(data);
    }
    envelope
}

async fn requests(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let data = options.directory.join("plugins");
    let world = World::make(&Stores { data: &data, cluster: None }, USERS, options.sessions()).await?;
    let server = Stores { data: &data, cluster: None }.start()?;
    let with = |names: &str| format!("{PATH}?_nodejs={names}");
    let (built_in, own) = (with("common-data"), with(OWN_PLUGIN));
    round(&world, &server, PATH, options.round() / 4).await?;
    let (mut of_built_in, mut of_own) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds() {
        let plain = round(&world, &server, PATH, options.round()).await?;
        let shaped = round(&world, &server, &built_in, options.round()).await?;
        let scripted = round(&world, &server, &own, options.round()).await?;
        say(&format!("round {number}: {plain:.0} without a plugin, {shaped:.0} with common-data, {scripted:.0} with a script a second"));
        of_built_in.push(shaped / plain);
        of_own.push(scripted / plain);
    }
    report.add("requests a second, common-data / no plugin", &Ratios::of(of_built_in), "", Target::None);
    report.add("requests a second, a tenant's script / no plugin", &Ratios::of(of_own), "", Target::None);
    neighbours::measure(&world, &server, options, report).await
}

/// Requests a second.
async fn round(world: &World, server: &Server, path: &str, time: Duration) -> Result<f64, Failure> {
    let prepared = PREPARED_PER_SECOND * usize::try_from(time.as_millis())? / 1000;
    let requests = world.current_user(path, USERS, prepared)?;
    Ok(drive(server.address, CONNECTIONS, requests, time).await?.rate())
}
