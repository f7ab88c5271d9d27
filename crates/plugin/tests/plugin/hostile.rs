//! Scripts that want to hang, to eat the memory, to overflow the stack, to kill the process or to look outside. Each is
//! stopped, and the untouched envelope goes out. Where several limits stand in the way, the faster machine meets another one
//! first than the slower.

use bo_auth_plugin::FailureCode::{
    self, CallDepth, Deadline, Exception, Memory, Operations, OutputTooLarge, OutputType, Panic, Starved, TooLarge,
};
use bo_auth_plugin::{Context, Error, Plugins};

use super::{code_of, context, envelope, fail_body, process, run_once};

/// What stops a script that works on and on.
const ENDLESS: &[FailureCode] = &[Operations, Deadline, Starved];
/// What stops a script that grows and grows.
const GROWING: &[FailureCode] = &[TooLarge, Memory, Operations, Deadline, Starved];

/// What stops a whole source.
async fn stopped_by(source: &str) -> FailureCode {
    code_of(run_once(source, envelope()).await, source)
}

/// Runs each body of `process`, which one of these must stop.
async fn stopped(bodies: &[&str], by: &[FailureCode]) {
    for body in bodies {
        let code = if by.contains(&Deadline) { stopped_by(&process(body)).await } else { fail_body(body).await };
        assert!(by.contains(&code), "{code} stopped {body}");
    }
}

#[tokio::test]
async fn loops_without_end() {
    let bodies = [
        "loop { }",
        "while true { let x = 1; }",
        "do { } while true",
        "for n in 0..9223372036854775807 { }",
        "for n in range(0, 9223372036854775807, 1) { }",
        "let n = 0; loop { n += 1; if n % 2 == 0 { continue; } }",
        "loop { try { loop { } } catch { } }",
        "loop { try { throw 1 } catch (e) { } }",
        "let f = || { loop { } }; [1].map(|n| { loop { } })",
        "loop { response.at(\"data\"); }",
        "loop { response.camel(); response.snake(); }",
        "loop { print(\"x\"); }",
        "loop { debug(response); }",
        "loop { format_time(ctx.now_ms, \"%c %A %B %Z\", \"America/Argentina/ComodRivadavia\"); }",
        "loop { format_number(1e300, \"#,##0.0000000000000000\"); }",
        "loop { switch response.code { 0 => 1, _ => 2 } }",
        "loop { \"退出\".chars(); }",
    ];
    stopped(&bodies, ENDLESS).await;
}

#[tokio::test]
async fn work_hidden_in_one_native_call() {
    let big = "let a = []; for n in 0..10000 { a.push(n); }";
    for call in [
        "a.map(|x| a_loop(x))",
        "a.sort(|x, y| a_loop(x))",
        "a.filter(|x| a_loop(x) == 0)",
        "a.reduce(|sum, x| a_loop(x), 0)",
        "a.some(|x| a_loop(x) == 1)",
        "a.all(|x| a_loop(x) == 0)",
        "a.find(|x| a_loop(x) == 1)",
        "response.list = a; response.each(\"list\", |x| a_loop(x))",
        "try { a.sort(|x, y| a_loop(x)); } catch { } response",
        "a.map(|x| { try { a_loop(x) } catch { 0 } }); response",
    ] {
        let source = format!("fn a_loop(x) {{ for n in 0..1000 {{ }} 0 }} fn process(response, ctx) {{ {big} {call} }}");
        let code = stopped_by(&source).await;
        assert!(ENDLESS.contains(&code), "{code} stopped {call}");
    }
    let compared = [
        "let a = []; for n in 0..9000 { a.push(n); } let b = a; loop { if a != b { break; } }",
        "let a = []; for n in 0..9000 { a.push(n); } loop { a.index_of(-1); }",
        "let a = []; for n in 0..9000 { a.push(n); } loop { a.contains(\"x\"); }",
        "let a = []; for n in 0..9000 { a.push(9000 - n); } loop { let b = a; b.sort(); }",
        "let a = []; for n in 0..9000 { a.push(n); } loop { a.reverse(); a.extract(0, 9000); }",
        "let s = \"\"; s.pad(200000, \"ab\"); loop { s.index_of(\"aa\"); s.split(\"aa\"); s.to_upper(); }",
        "let s = \"\"; s.pad(200000, \"ab\"); loop { s.replace(\"a\", \"c\"); s.replace(\"c\", \"a\"); }",
        "let s = \"\"; s.pad(200000, \"ab\"); let t = s + \"\"; loop { if s != t { break; } }",
        "let s = \"\"; s.pad(200000, \"ab\"); loop { for c in s { } }",
        "let m = #{}; for n in 0..5000 { m[\"k\" + n] = n; } let o = m + #{}; loop { if m != o { break; } }",
    ];
    stopped(&compared, ENDLESS).await;
}

#[tokio::test]
async fn texts_that_grow() {
    let bodies = [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = s + s; }",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
        "let s = \"x\"; loop { s.replace(\"x\", \"xx\"); }",
        "let s = \"\"; s.pad(9223372036854775807, \"x\")",
        "let s = \"\"; s.pad(9223372036854775807, 'x')",
        "let s = \"x\"; s.pad(262144, \"退\")",
        "let s = \"\"; s.pad(200000, \"x\"); s.replace(\"x\", s)",
        "let s = \"\"; s.pad(200000, \"x\"); s.split(\"x\")",
        "let s = \"\"; s.pad(200000, \"x\"); let a = [s, s, s]; a.to_string()",
        "let s = \"\"; s.pad(262144, 'x'); s += 1; s += [1, 2]; s",
        "let s = \"\"; s.pad(200000, \"ŉ\"); s.to_upper()",
        "let s = \"\"; s.pad(100000, \"x\"); response.rename(#{message: s}); response.message = s; loop { response.data[s + response.keys().len()] = s; }",
    ];
    stopped(&bodies, GROWING).await;
}

#[tokio::test]
async fn collections_that_grow() {
    let bodies = [
        "let a = []; loop { a.push(1); }",
        "let a = [1]; loop { a += a; }",
        "let a = [1]; loop { a = a + a; }",
        "let a = [1]; loop { a = [a, a]; }",
        "let a = [1]; loop { a.insert(0, a); }",
        "let a = [1]; loop { a.push(a); }",
        "let m = #{}; let n = 0; loop { m[\"k\" + n] = m; n += 1; }",
        "let m = #{a: 1}; loop { m = #{a: m, b: m}; }",
        "let m = #{a: 1}; loop { m.a = m; m.b = m; }",
        "let a = []; loop { a.push(response.at(\"\")); }",
        "let s = \"\"; s.pad(200000, 'x'); let a = []; loop { a.push(|x| x); a.push(s + a.len()); }",
        "let a = [1]; for n in 0..100 { a = a.map(|x| [x, x]); }",
        "let a = [1]; for n in 0..100 { a = a.reduce(|sum, x| sum + [x, sum], []) + a + a; }",
    ];
    stopped(&bodies, GROWING).await;
}

#[tokio::test]
async fn values_that_grow() {
    let bodies = [
        "loop { response.set(\"data.a\", response.at(\"data\")); response.set(\"data.b\", response.at(\"data\")); }",
        "let n = 0; loop { response[\"k\" + n] = response.at(\"data\"); n += 1; }",
        "let n = 0; loop { n += 1; response.data.rows[1].self = response; }",
        "let s = \"\"; s.pad(200000, 'x'); let n = 0; loop { n += 1; response[\"k\" + n] = s; }",
        "loop { response.set(\"list\", response.values() + response.values()); response.set(\"more\", response.at(\"list\")); }",
        "response.list = [1]; loop { response.each(\"list\", |x| response); }",
        "response.list = []; let n = 0; loop { response.set(\"list.\" + n, response.data); n += 1; }",
    ];
    stopped(&bodies, &[TooLarge, Memory, Operations, Deadline, Starved, Exception]).await;
    let deep = ["loop { response.set(\"data\", response); }", "loop { response.inner = response; }"];
    stopped(&deep, &[Memory, Operations, Deadline, Starved, Exception]).await;
    let large = "let s = \"\"; s.pad(70000, 'x'); response.one = s; response.two = s; response";
    stopped(&[large], &[OutputTooLarge]).await;
}

/// A text of control characters, each of which JSON writes as six bytes.
const CONTROL: &str = "let s = \"\"; s.pad(249000, \"\\u0001\");";

#[tokio::test]
async fn texts_that_grow_when_they_are_written_out() {
    let fill = format!("{CONTROL} for i in 0..50 {{ response[\"z\" + i] = s + i; }}");
    let bodies: Vec<String> = [
        "response",
        "print(response); response",
        "debug(response); response",
        "loop { print(response); }",
        "loop { response.to_string(); }",
        "loop { let t = \"\" + response; }",
        "loop { let t = `${response}`; }",
        "throw response.to_string()",
        "response.set(\"copy\", response)",
        "loop { response == response.at(\"\"); }",
        "loop { response.keys(); response.len(); }",
        "response.values()",
        "response.each(\"data.rows\", |row| response)",
        "let o = response; loop { o.code = 0; response.code = 0; }",
    ]
    .iter()
    .map(|body| format!("{fill} {body}"))
    .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    stopped(&bodies, &[OutputTooLarge, TooLarge, Memory, Operations, Deadline, Starved, Exception]).await;
}

#[tokio::test]
async fn one_large_text_in_many_places() {
    let bodies: Vec<String> = [
        "let a = []; loop { a.push(s); }",
        "let a = []; loop { a.insert(0, s); }",
        "let a = []; for n in 0..20000 { a.push(s); } response.a = a; response",
        "let a = []; for n in 0..20000 { a.push(s); } switch a { 1 => 2, _ => 3 }",
        "let a = []; for n in 0..20000 { a.push(s); } a == a",
        "let a = []; for n in 0..20000 { a.push(s); } response.keep(a)",
        "let a = []; for n in 0..20000 { a.push(#{a: s}); } a.to_string()",
        "let a = [1]; for n in 0..20000 { a.push([s]); } `${a}`",
        "let m = #{}; for n in 0..20000 { m[\"k\" + n] = s; } response.rename(m)",
        "let m = #{}; for n in 0..20000 { m[\"k\" + n] = s; } response.defaults(m)",
        "[1, 2, 3, 4].map(|x| [s, s, s]); response.x = [1, 2, 3].map(|x| s); response",
        "let m = #{}; for i in 0..200 { m[s + i] = 1; } let b = m; [m, b]",
        "for i in 0..200 { response[s + i] = 1; } response.camel().rename(#{a: \"b\"}).keys()",
        "for i in 0..40 { response[s + i] = 1; } response.rename(#{code: s, success: s, message: s})",
        "s.to_upper(); let t = \"\"; t.pad(130000, \"ŉ\"); loop { t.to_upper(); t.to_lower(); }",
        "let a = [s]; loop { a += a; }",
        "let a = [1]; loop { a.push(a); }",
        "let a = [#{}]; loop { a.push(a); a.insert(0, a); let b = a; }",
    ]
    .iter()
    .map(|body| format!("{CONTROL} {body}"))
    .collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    stopped(&bodies, &[OutputTooLarge, OutputType, TooLarge, Memory, Operations, Deadline, Starved, Exception]).await;
}

/// How long a neighbour's plugin waits behind one run of this body, at the median of several, in milliseconds. Each run is of
/// another tenant, which has not used up its share of processor time.
async fn wait_behind(plugins: &Plugins, round: usize, body: &str) -> f64 {
    let mut waits = Vec::new();
    for number in 0..7 {
        let tenants: Vec<String> = (0..2).map(|thread| format!("t{round}-{number}-{thread}")).collect();
        for tenant in &tenants {
            plugins.publish(tenant, "mine", &process(body)).await.unwrap();
        }
        let contexts: Vec<_> = tenants.iter().map(|tenant| Context { owner_id: Some(tenant.as_str().into()), ..context() }).collect();
        let found: Vec<_> = tenants.iter().map(|tenant| plugins.find(Some(tenant), "mine").unwrap()).collect();
        let mut attacks: Vec<_> =
            found.iter().zip(&contexts).map(|(plugin, context)| Box::pin(plugins.run(plugin, envelope(), context))).collect();
        for attack in &mut attacks {
            // The first look puts it in the queue.
            let _ = std::future::poll_fn(|task| std::task::Poll::Ready(attack.as_mut().poll(task))).await;
        }
        let neighbour = plugins.find(Some("neighbour"), "mine").unwrap();
        let began = std::time::Instant::now();
        let context = Context { owner_id: Some("neighbour".into()), ..context() };
        plugins.run(&neighbour, envelope(), &context).await;
        waits.push(began.elapsed().as_secs_f64() * 1e3);
        for attack in attacks {
            assert_eq!(attack.await.response, envelope());
        }
    }
    waits.sort_by(f64::total_cmp);
    waits[waits.len() / 2]
}

/// The time of a run, in milliseconds: what a script may take if nothing else stops it.
const WHOLE_RUN: f64 = 50.0;

#[tokio::test]
async fn a_neighbour_waits_no_longer_behind_a_growing_text_than_behind_a_whole_run() {
    let plugins = Plugins::new().unwrap();
    plugins.publish("neighbour", "mine", "fn process(response, ctx) { response }").await.unwrap();
    let attack = format!("{CONTROL} for i in 0..50 {{ response[\"z\" + i] = s + i; }} print(response); response");
    let behind_loop = wait_behind(&plugins, 0, "loop { }").await;
    let behind_attack = wait_behind(&plugins, 1, &attack).await;
    // A loop gives its place to others; what one native call does, nobody interrupts.
    let ratio = behind_attack / behind_loop.max(WHOLE_RUN);
    assert!(ratio < 2.0, "{behind_attack:.1} ms behind the attack, {behind_loop:.1} ms behind a loop: {ratio:.1} times");
}

#[tokio::test]
async fn many_values_each_under_its_limit() {
    let variables: String = (0..120)
        .fold(String::from("let s = \"\"; s.pad(250000, 'x'); "), |body, number| body + format!("let v{number} = s + {number}; ").as_str());
    stopped(&[&variables], GROWING).await;
    let arrays: String = (0..100).fold(String::from("let a = []; for n in 0..9000 { a.push(n); } "), |body, number| {
        body + format!("let v{number} = a + [{number}]; ").as_str()
    });
    stopped(&[&arrays], GROWING).await;
}

#[tokio::test]
async fn recursion() {
    for source in [
        "fn process(response, ctx) { process(response, ctx) }",
        "fn f(n) { f(n + 1) } fn process(response, ctx) { f(0) }",
        "fn a(n) { b(n) } fn b(n) { a(n) } fn process(response, ctx) { a(0) }",
        "fn f(n) { [n].map(|x| f(x)) } fn process(response, ctx) { f(0) }",
        "fn f(a) { a.sort(|x, y| f(a)) } fn process(response, ctx) { f([2, 1]) }",
        "fn f(r) { r.each(\"data.rows\", |row| f(r)) } fn process(response, ctx) { f(response) }",
        "fn f(n) { f(n) + f(n) } fn process(response, ctx) { try { f(0) } catch { process(response, ctx) } }",
    ] {
        let code = stopped_by(source).await;
        assert!([CallDepth, Operations, Deadline, Starved, Exception].contains(&code), "{code} stopped {source}");
    }
    let tree = "fn f(n) { if n > 0 { f(n - 1); f(n - 1); f(n - 1); f(n - 1); } } fn process(response, ctx) { f(13) }";
    assert!(ENDLESS.contains(&stopped_by(tree).await));
}

#[tokio::test]
async fn values_nested_past_every_stack() {
    // The interpreter clones, measures, hashes and drops values by recursion. How deep a script gets before another limit
    // stops it depends on the machine, so several depths are tried.
    let mut bodies: Vec<String> = vec!["let a = []; loop { a = [[[[[[a]]]]]]; }".to_owned()];
    for times in [100, 200, 400, 800, 1600, 3200] {
        let arrays = format!("let a = []; for n in 0..{times} {{ a = [[[[[[a]]]]]]; }}");
        let maps = format!("let a = #{{}}; for n in 0..{times} {{ a = #{{a: #{{a: #{{a: #{{a: a}}}}}}}}; }}");
        for nested in [arrays, maps] {
            for use_of_it in [
                "a",
                "a.to_string()",
                "print(a); a",
                "a == a",
                "response.set(\"x\", a)",
                "response.x = a",
                "throw a",
                "switch a { 1 => 2, _ => 3 }",
                "`${a}`",
                "let b = a; [b].contains(a)",
                "let b = [1, a].map(|x| x); b",
            ] {
                bodies.push(format!("{nested} {use_of_it}"));
            }
        }
    }
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    stopped(&bodies, &[TooLarge, Memory, Operations, Deadline, Starved, Exception, OutputType]).await;
}

#[tokio::test]
async fn what_scripts_have_not() {
    let bodies = [
        "sleep(1)",
        "sleep(0.1)",
        "timestamp()",
        "now()",
        "rand()",
        "blob(1000000)",
        "exit(response)",
        "parse_json(\"{}\")",
        "open(\"/etc/passwd\")",
        "http_get(\"http://localhost\")",
        "env(\"PATH\")",
        "get_fn_metadata_list()",
        "take(response)",
        "\"abc\".to_blob()",
        "\"abc\".to_chars()",
        "[1, 2].splice(0, 1, [3])",
        "response.tag = 1; response.set_tag(1)",
        "this",
    ];
    stopped(&bodies, &[Exception]).await;
}

#[tokio::test]
async fn mistakes_of_the_host_do_not_come_out_as_panics() {
    let bodies = [
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "-9223372036854775808 / -1",
        "-(-9223372036854775807 - 1)",
        "2 ** 9999999",
        "1 << 9999999; throw 1",
        "[1][9223372036854775807]",
        "[1][-9223372036854775808]",
        "\"abc\"[-9223372036854775808]",
        "[1, 2].extract(-9223372036854775808, 9223372036854775807) + 1",
        "\"abc\".sub_string(-9223372036854775808, -9223372036854775808).nothing()",
        "let a = [1]; a.insert(-9223372036854775808, 1); a.remove(-9223372036854775808); a.nothing()",
        "response[-9223372036854775808]",
        "response.data.rows[-9223372036854775808]",
        "let r = response.data.rows; r[9223372036854775807] = 1",
        "response.mask(\"message\", 9223372036854775807, 1)",
        "response.at(\"a.b.c.d\".split(\".\"))",
        "response.set(\"data.rows.9223372036854775807\", 1)",
        "response.set(\"message.x\", 1)",
        "response.set(\"x\", 0.0 / 0.0)",
        "response.set(\"x\", |x| x)",
        "response.set(\"x\", 0..9)",
        "format_time(-9223372036854775808, \"%Y\", \"UTC\")",
        "format_time(0, \"%999999999999Y\", \"UTC\")",
        "format_number(0, \"%\")",
        "let a = [3, \"x\", 1.5, ()]; a.sort()",
        "let a = [1, 2, 3]; a.sort(|x, y| \"x\")",
        "throw ()",
        "throw #{code: 0}",
        "parse_int(\"99999999999999999999\")",
        "(1e308 * 10.0).to_int()",
        "range(0, 10, 0)",
        "(1).bits(-9223372036854775808, 9223372036854775807).nothing()",
        "\"abc\".chars(-9223372036854775808, 9223372036854775807).nothing()",
    ];
    stopped(&bodies, &[Exception]).await;
    let contradictory = "let a = []; for n in 0..64 { a.push(n * 7919 % 64); } a.sort(|x, y| if (x + y) % 3 == 0 { -1 } else { 1 }); a";
    stopped(&[contradictory], &[OutputType]).await;
}

#[tokio::test]
async fn the_envelope_survives_whatever_was_done_to_it_first() {
    let bodies = [
        "response.snake(); throw \"late\"",
        "response.remove([\"data\"]); loop { }",
        "response.data.rows = []; response.code = 5; 1 / 0",
        "response.each(\"data.rows\", |row| { row.id = 0; if row.full_name == \"Li Si\" { throw 1 } row })",
        "response.set(\"\", 1); response",
        "response.set(\"\", ()); response.nothing",
    ];
    for body in bodies {
        let code = fail_body(body).await;
        assert_ne!(code, Panic, "{body}");
    }
}

#[tokio::test]
async fn sources_that_are_hard_to_compile() {
    let plugins = Plugins::new().unwrap();
    let repeated = |open: &str, middle: &str, close: &str| {
        let times = (30 << 10) / (open.len() + close.len());
        format!("fn process(response, ctx) {{ {}{middle}{} }}", open.repeat(times), close.repeat(times))
    };
    for source in [
        repeated("(", "1", ")"),
        repeated("[", "", "]"),
        repeated("#{a:", "1", "}"),
        repeated("{", "", "}"),
        repeated("if true {", "", "}"),
        repeated("if true { } else ", "{ }", ""),
        repeated("-", "1", ""),
        repeated("!", "true", ""),
        repeated("1+", "1", ""),
        repeated("1**", "1", ""),
        repeated("a.", "a", ""),
        repeated("a[", "1", "]"),
        repeated("a(", "1", ")"),
        repeated("|x|", "1", ""),
        repeated("`${", "1", "}`"),
        repeated("/*", "", "*/"),
        repeated("switch 1 { 1 => ", "1", "}"),
        repeated("a?.", "a", ""),
        repeated("a ?? ", "a", ""),
        repeated("x && ", "x", ""),
        repeated("while true {", "", "}"),
        repeated("try {", "} catch {", "}"),
        repeated("let a = 1; ", "", ""),
        repeated("\"", "", ""),
        repeated("\\u{1F600}", "", ""),
        "fn process(response, ctx) { \u{0} }".to_owned(),
        "\u{feff}fn process(response, ctx) { ".to_owned(),
        "é".repeat(16 << 10),
    ] {
        match plugins.publish("demo", "mine", &source).await {
            Err(Error::Compile(_)) => {}
            Ok(()) => {
                let plugin = plugins.find(Some("demo"), "mine").unwrap();
                let outcome = plugins.run(&plugin, envelope(), &context()).await;
                assert!(outcome.failure.is_some(), "{source:.60}");
                assert_eq!(outcome.response, envelope());
            }
            Err(error) => panic!("{error} for {source:.60}"),
        }
    }
}
