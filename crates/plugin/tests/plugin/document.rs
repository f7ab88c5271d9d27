//! `docs/plugins.md`, written from what the engine itself knows; and compared with it.
//!
//! After a change, `BO_AUTH_WRITE_DOCS=1 scripts/test help` writes the page anew.

use std::fmt::Write;

use bo_auth_plugin::{FailureCode, HostFunction, described_limits, examples};

use super::plugins;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins.md");

const HEADING: &str = "# Response plugins

Written from the engine's own metadata by a test, which also compares the two; `BO_AUTH_WRITE_DOCS=1 scripts/test help` writes it
anew.

A request names a plugin with `_nodejs=NAME`, or several with `_nodejs=a,b` (at most four, one after the other). The name is looked
up among the tenant's own plugins, then among those offered to every tenant, then among the built-ins `common-data` (lower
camelCase) and `common-data-under` (snake_case). An unknown name is refused with `PLUGIN_UNKNOWN` before anything is done.

A name in the request goes before the system's default plugin, whoever sends it: a caller who adds `_nodejs=common-data` gets the
answer without what the default plugin would have done. So a plugin that masks or leaves out is a convenience for pages and no
protection of private data; what a caller may not read has to be kept out of the answer itself.

The work is done before a plugin runs. Where one fails, the untouched answer goes out with `X-Plugin-Error: CODE`, and the
failure is kept for the tenant's administrator with line and column: `bo-auth plugin log`.

## From a file to every node

```sh
bo-auth plugin new fn-shape.rhai --example mask-mobile        # a script to begin with
bo-auth plugin test fn-shape.rhai                             # offline, on the answers of the published document
bo-auth plugin test fn-shape.rhai --sample login.json --expect login.out.json --schema camel
bo-auth plugin publish fn-shape.rhai --owner acme --note 'masks numbers'
# the script is changed
bo-auth plugin diff fn-shape.rhai --owner acme                # against the version that answers
bo-auth plugin publish fn-shape.rhai --owner acme --canary 5  # for 5 of 100 requests
bo-auth plugin show shape --owner acme                        # versions, runs and failures of both
bo-auth plugin publish shape --number 2 --owner acme          # for every request
bo-auth plugin rollback shape --owner acme
bo-auth plugin log shape --owner acme
```

`--platform` in the place of `--owner` works on the plugins that are offered to every tenant. A version is kept with its author, time,
note and SHA-256. A tenant has at most 100 plugins. Of all their versions the newest 1000 are kept, and those that answer: drafts
that never answered go first. Over the admin API 120 changes a minute are taken of a tenant; beyond them the answer is 429. A version
that does not compile cannot be published. Publishing runs what `test` runs (the answers of the published document, and those that are
recorded) and warns of each on which the version fails. One that breaks what the system's generated clients
expect (its setting `responseSchema`) is published with `--accept-schema-problems` only. A change holds on every node
when it is answered: nodes hear of it as they hear of ended sessions, and look for themselves every second besides.

A plugin that a request names shapes every answer from the moment its tenant is known, refusals too; a system's `defaultPlugin` does
from the moment the system is known. Before that, and where a node refuses a flood of requests, only built-ins do.

Tenants take turns on the plugin threads, however many of one tenant's requests wait. A script that has worked for a millisecond
gives its place to the next and goes on behind everything else. Of each run the first 0.2 ms are free; for what is beyond that, a
tenant's scripts have a twentieth of a core (a quarter of a second at once). If that is used up they run when nothing else wants to,
until it has come back. Refusals have a share of their own, since anybody can ask for them; so have compilations. A run whose 50 ms
are over because the machine had other work fails with `starved`, which is not laid to the plugin.

A version is switched off on one route of one system if half of at least 20 runs there fail within a minute on a node. Only answers
of success count, and seven of one user's: no stranger and no single user can switch a plugin off for others. What lies below it
answers there: the last good version before it, the platform's plugin or the built-in of its name. If there is none, the name stays
known and answers go out untouched, with `X-Plugin-Error: switched_off`. Elsewhere the version goes on answering. A canary that fails
like that stands back for the active version.

After 30 seconds it is tried again, with one run each of up to five users; if a trial run fails, what lies below answers that request
too. If fewer than half fail, the version answers again; if not, it is tried again after twice as long, at most ten minutes. The
audit trail has `plugin.switched-off` and `plugin.switched-on`, the console and the admin API show where (`switchedOffAt`), and
`bo_auth_plugin_switches_total` counts. Publishing a version begins anew.

`bo-auth plugin record --owner acme` keeps the tenant's last answers to test drafts on, without tokens and with every text below
`data` made unreadable; nothing is recorded before that.

## The script

One function, and whatever functions it calls:

```rhai
fn process(response, ctx) { response.camel() }
```

`response` is the answer as a JSON value that keeps the order of its members. What `process` returns goes out. `code`, `success`,
`error.errorCode`, and every token and lifetime below `data` keep their values. Their names may change; then nothing but the identical
value may stand under the old name, in any spelling (`accessToken`, `access_token`, `ACCESS-TOKEN`) and at any level, and nothing but
reserved values under the new one: no array, no object, no other text. A name that ends in `token` and is new to the answer holds a
token of the answer or nothing. Members of the data's own that are called `code`, such as those of areas, are free. A token reads as a
sign in its place: the script can move it, and nothing else. There is no clock but `ctx.now_ms`, no network, no file, no randomness; `print`
and `debug` go to the log of a test run.

### What may surprise

- `let` copies. `let user = response.data.user; user.name = \"x\"` changes the copy alone; `response.data.user = user` puts it back. A
  function gets copies too. Methods called on the value itself (`response.rename(…)`, `response.set(…)`) change it where it stands.
- `+=` on an array appends: `[1] += [2, 3]` makes `[1, 2, 3]`, and `[1] += 2` makes `[1, 2]`. To append an array as one element, use
  `push`.
- `for … in` runs over arrays, ranges and the characters of a text, not over `response` or a part of it: use `for row in
  response.data.values()` or `keys()`. It gives copies; `each` replaces elements.
- A map (`#{b: 1, a: 2}`) keeps its names sorted, so it goes out as `{\"a\":2,\"b\":1}`. JSON values keep their order.
- A closure sees its own parameters only: `|row| row.at < now` fails if `now` is a variable outside. Use a `for` loop.
- A function that is defined beside `process` sees no `response` and no `ctx` unless it gets them.
- `type_of` answers in the language's own words: `i64`, `f64`, `string`, `bool`, `array`, `map`, `()`, `Fn`; and `Json` for every
  object and array of the answer. Messages say `int`, `float` and `nothing`.
- A number keeps its value, not its text. Whole numbers from -2^63 to 2^64 - 1 stay as they are. Every other number is a 64-bit
  floating-point number and is written in the shortest form that reads the same: `1e5` goes out as `100000.0`, `1.10` as `1.1`, and
  `123456789012345678901234567890` as `1.2345678901234568e+29`. The service itself writes whole numbers of the first kind only.
";

/// What `ctx` is made of, in the order of the documentation.
const CONTEXT: [(&str, &str); 9] = [
    ("owner_id", "the tenant"),
    ("sys_id", "its system"),
    ("route", "the route's pattern, such as `/bo/api/v3/auth/login`"),
    ("method", "the HTTP method in capitals"),
    ("status", "the HTTP status of the answer"),
    ("language", "`zh-CN` or `en`"),
    ("user_id", "the signed-in user"),
    ("now_ms", "the instant of the request, in milliseconds since 1970"),
    ("params", "the request's parameters whose names begin with `_`, as a map"),
];

fn page() -> String {
    let functions = plugins().functions();
    let mut page = HEADING.to_owned();
    page.push_str("\n### `ctx`\n\n`()` where something is not known yet.\n\n| member | what |\n|---|---|\n");
    let known: Vec<&str> =
        functions.iter().filter(|function| function.receiver == "Context").map(|function| function.name.as_str()).collect();
    for (name, what) in CONTEXT {
        assert!(known.contains(&name), "ctx.{name} is not there");
        writeln!(page, "| `{name}` | {what} |").unwrap();
    }
    assert_eq!(known.len(), CONTEXT.len(), "{known:?}");
    page.push_str("\n### JSON values\n\nMembers are read and written by name (`response.data.user`, `response[\"data\"]`), elements by number (from the end below 0); what is\nmissing reads as `()`. A path is names and numbers joined by dots: `data.rows.0.name`.\n\n");
    table(&mut page, &functions, "Json");
    page.push_str("\n### Texts, instants and numbers for people\n\n");
    table(&mut page, &functions, "");
    page.push_str("\n### The language's own values\n\nNumbers, texts, arrays and maps (`#{name: value}`), `if`, `switch`, `for`, `while`, `try`, closures without captured variables. Without a\nsleep, a file, `eval`, `import` or a function called by its name. What can be called on them:\n\n");
    for receiver in ["string", "array", "map"] {
        let signatures: Vec<String> =
            functions.iter().filter(|function| function.receiver == receiver).map(|function| format!("`{}`", function.signature)).collect();
        writeln!(page, "- {receiver}: {}", signatures.join(", ")).unwrap();
    }
    page.push_str("\n## Limits\n\n| what | at most |\n|---|---|\n");
    for (what, most) in described_limits() {
        writeln!(page, "| {what} | {most} |").unwrap();
    }
    page.push_str("\n## `X-Plugin-Error`\n\n| code | when |\n|---|---|\n");
    for code in FailureCode::ALL {
        writeln!(page, "| `{code}` | {} |", code.meaning()).unwrap();
    }
    page.push_str("\n## Ten examples\n\nEach is a test. `bo-auth plugin new fn-NAME.rhai --example NAME` writes it.\n");
    for example in examples::ALL {
        writeln!(page, "\n### {}: `{}`\n\n```rhai\n{}\n```\n", example.title, example.name, example.source.trim_end()).unwrap();
        writeln!(
            page,
            "`{} {}?_nodejs={}`, system `{}`:\n\n```json\n{}\n{}\n```",
            example.method, example.route, example.nodejs, example.sys_id, example.before, example.after
        )
        .unwrap();
    }
    page
}

fn table(page: &mut String, functions: &[HostFunction], receiver: &str) {
    page.push_str("| function | what |\n|---|---|\n");
    for function in functions.iter().filter(|function| function.receiver == receiver && !function.documentation.is_empty()) {
        writeln!(page, "| `{}` | {} |", function.signature, function.documentation.replace('|', "\\|")).unwrap();
    }
}

#[test]
fn the_help_for_scripts_says_what_the_engine_knows() {
    let page = page();
    if std::env::var_os("BO_AUTH_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    assert!(
        std::fs::read_to_string(PAGE).unwrap() == page,
        "docs/plugins.md is out of date; BO_AUTH_WRITE_DOCS=1 scripts/test help writes it"
    );
}
