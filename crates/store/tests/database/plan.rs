//! Every statement that finds rows in a large table goes by an index, whatever statistics say: of a
//! table without any, of a small one and a large one, and of one that has grown since it was looked
//! at.

use bo_auth_core::session::first_id_at;
use bo_auth_store::Db;
use bo_auth_store::db::plan::{BOTH, LookUp, POSTGRES, SQLITE};
use sqlx::{AssertSqlSafe, PgPool};

use crate::backend::{Directory, Schema};
use crate::fixture::{Demo, NOW, later};

/// The tables that grow large.
const LARGE: [&str; 5] = ["bo_session", "bo_audit_event", "bo_outbox", "bo_not_before", "bo_database_feed"];

async fn run(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(pool).await.unwrap();
}

/// Brings the tables to this number of rows, or near it, half of the sessions live.
async fn grow(pool: &PgPool, from: i64, to: i64) {
    let (first, now) = (first_id_at(NOW), NOW.0);
    let rows = format!("generate_series({from} + 1, {to}) AS n");
    run(
        pool,
        &format!(
            "INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, \
                 expires_at, access_expires_at, ended_at, end_reason, keep_until) \
             SELECT 'demo', {first} + n::bigint * 4194304, 'app', 'u' || n % 1000, 0, {now}, {now}, {now} + n, {now} + n, {now} + n, \
                 CASE WHEN n % 2 = 0 THEN {now} END, CASE WHEN n % 2 = 0 THEN 1 END, CASE WHEN n % 2 = 0 THEN {now} + n END FROM {rows}; \
             INSERT INTO bo_audit_event (owner_id, event_id, kind, actor, trace, at) \
             SELECT 'demo', {first} + n, 'session.ended', 'user', '{{}}', {now} + n FROM {rows}; \
             INSERT INTO bo_outbox (event_id, owner_id, kind, payload, created_at) \
             SELECT {first} + n, 'demo', 'session.ended', '{{}}', {now} + n FROM {rows}; \
             INSERT INTO bo_not_before (owner_id, event_id, scope, not_before, reason, revision, actor, trace, at) \
             SELECT 'demo', {first} + n, 'tenant', {now}, 1, n, 'user', '{{}}', {now} + n FROM {rows}; \
             INSERT INTO bo_database_feed (number, at) SELECT n, {now} + n FROM {rows};"
        ),
    )
    .await;
}

/// A list of keys, as the arguments of a statement that looks them up.
fn keys(name: &str, count: i64) -> Option<String> {
    let ids = |apart: i64| format!("ARRAY(SELECT {} + n * {apart}::bigint FROM generate_series(1, {count}) AS n)", first_id_at(NOW));
    let fill = |value: &str| format!("array_fill({value}, ARRAY[{count}])");
    let owners = fill("'demo'::text");
    Some(match name {
        "end sessions" => format!(
            "{owners}, {}, {}, {text}, {text}, {at}, {at}, {}, {}",
            ids(1 << 22),
            fill("1"),
            ids(1),
            fill("'{}'::jsonb"),
            text = fill("'x'::text"),
            at = fill("1::bigint"),
        ),
        "find ended sessions" => format!("{owners}, {}", ids(1 << 22)),
        "mark events as untold" => format!("{}, 'session.ended.untold'", ids(1)),
        "remove events" => ids(1),
        "mark marks as untold" => format!("{owners}, {}", ids(1)),
        _ => return None,
    })
}

/// The plans of a statement: for any values, and for lists of few and of many keys.
async fn plans(pool: &PgPool, statement: &LookUp) -> Vec<Vec<String>> {
    let mut connection = pool.acquire().await.unwrap();
    let mut plans = Vec::new();
    // What may be absent has no type by itself.
    let types = match statement.name {
        "end the sessions of a user" => "(text, text, bigint, integer, bigint, bigint, bigint, bigint, text)",
        _ => "",
    };
    let prepare = format!("PREPARE look_up {types} AS {}", statement.text);
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
    let parameters: i32 = sqlx::query_scalar("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'look_up'")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let nothing = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
    let mut asked = vec![("force_generic_plan", nothing)];
    for count in [1, 10, 512] {
        if let Some(keys) = keys(statement.name, count) {
            // A subquery is no argument: its value is.
            let mut values = Vec::new();
            for key in split(&keys) {
                let value: String = sqlx::query_scalar(AssertSqlSafe(format!("SELECT quote_literal(({key})::text)")))
                    .fetch_one(&mut *connection)
                    .await
                    .unwrap();
                values.push(value);
            }
            asked.push(("force_custom_plan", values.join(", ")));
        }
    }
    for (mode, values) in asked {
        let explain = format!("SET plan_cache_mode = {mode}");
        sqlx::raw_sql(AssertSqlSafe(explain)).execute(&mut *connection).await.unwrap();
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE look_up ({values})");
        let plan: Vec<String> = sqlx::raw_sql(AssertSqlSafe(explain))
            .fetch_all(&mut *connection)
            .await
            .unwrap()
            .iter()
            .map(|row| sqlx::Row::get(row, 0))
            .collect();
        plans.push(plan);
    }
    sqlx::raw_sql("DEALLOCATE look_up; RESET plan_cache_mode").execute(&mut *connection).await.unwrap();
    plans
}

/// Splits arguments at commas outside parentheses and brackets.
fn split(arguments: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for character in arguments.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(character);
    }
    parts
}

/// How much there is in a table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    /// A page or two: for a range of rows any index is as good as another. A row is looked up by its key all the same.
    Tiny,
    Usual,
}

async fn all_go_by_an_index(pool: &PgPool, size: Size, state: &str) {
    for statement in BOTH.iter().chain(POSTGRES) {
        for plan in plans(pool, statement).await {
            let told = || format!("{}, {state}:\n{}", statement.name, plan.join("\n"));
            for line in &plan {
                assert!(!line.contains("Hash Join") && !line.contains("Merge Join"), "{}", told());
                let Some((how, table)) = line.split_once(" on ") else { continue };
                let table = table.split(' ').next().unwrap();
                if LARGE.contains(&table) && how.contains("Scan") {
                    assert!(!how.contains("Seq Scan"), "{}", told());
                    let index = how.split_once(" using ").map(|(_, index)| index);
                    let is_fixed = size == Size::Usual || statement.indexes.len() == 1 && statement.indexes[0].ends_with("_pkey");
                    let is_right = |index| statement.indexes.contains(&index) || !is_fixed;
                    assert!(index.is_none_or(is_right), "{}", told());
                }
                if let Some((_, index)) = line.split_once("Bitmap Index Scan on ") {
                    assert!(size == Size::Tiny || statement.indexes.contains(&index), "{}", told());
                }
            }
        }
    }
}

#[tokio::test]
async fn postgres_looks_up_by_an_index_whatever_statistics_say() {
    let schema = Schema::new().await;
    let db = schema.open().await;
    Demo::new(db.clone()).await;
    let Db::Postgres(pool) = &db else { unreachable!() };
    for table in LARGE {
        run(pool, &format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    let analyze = LARGE.map(|table| format!("ANALYZE {table}")).join("; ");
    all_go_by_an_index(pool, Size::Tiny, "empty").await;
    grow(pool, 0, 100).await;
    all_go_by_an_index(pool, Size::Tiny, "100 rows, never looked at").await;
    grow(pool, 100, 5_900).await;
    all_go_by_an_index(pool, Size::Usual, "5,900 rows, never looked at").await;
    run(pool, &analyze).await;
    all_go_by_an_index(pool, Size::Usual, "5,900 rows").await;
    grow(pool, 5_900, 60_000).await;
    all_go_by_an_index(pool, Size::Usual, "60,000 rows, looked at when there were 5,900").await;
    run(pool, &analyze).await;
    all_go_by_an_index(pool, Size::Usual, "60,000 rows").await;
    db.close().await;
    schema.remove().await;

    let (schema, rows) = (Schema::new().await, 60_000);
    let db = schema.open().await;
    Demo::new(db.clone()).await;
    let Db::Postgres(pool) = &db else { unreachable!() };
    for table in LARGE {
        run(pool, &format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    grow(pool, 0, rows).await;
    all_go_by_an_index(pool, Size::Usual, "60,000 rows, never looked at").await;
    db.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn sqlite_looks_up_by_an_index() {
    let directory = Directory::new();
    let db = directory.open().await;
    let demo = Demo::new(db.clone()).await;
    demo.open(later(1)).await;
    let Db::Sqlite { write, .. } = &db else { unreachable!() };
    for statement in BOTH.iter().chain(SQLITE) {
        let explain = format!("EXPLAIN QUERY PLAN {}", statement.text);
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(explain)).fetch_all(write).await.unwrap();
        let plan = rows.into_iter().map(|(.., line)| line).collect::<Vec<_>>();
        let told = || format!("{}:\n{}", statement.name, plan.join("\n"));
        for line in &plan {
            let words: Vec<_> = line.split(' ').collect();
            let ["SCAN" | "SEARCH", table, rest @ ..] = words.as_slice() else { continue };
            let table = if *table == "session" { "bo_session" } else { table };
            if !LARGE.contains(&table) {
                continue;
            }
            assert_eq!(words[0], "SEARCH", "{}", told());
            let index = rest.iter().position(|word| *word == "INDEX").map_or(format!("{table}_pkey"), |at| rest[at + 1].to_owned());
            assert!(statement.indexes.contains(&index.as_str()), "{}", told());
            // A key is given whole.
            assert!(!index.ends_with("_pkey") || table != "bo_session" || line.contains("session_id=?"), "{}", told());
        }
    }
    db.close().await;
}
