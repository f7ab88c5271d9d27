//! The integration tests: the real server over real stores, called as clients call it. Each file is one subject; a test in
//! `each_backend!` runs on SQLite with its cache in the database, on SQLite with its cache in memory, and on Postgres with
//! Redis. Without `DATABASE_URL` and `REDIS_URL` they fail: a test that was left out says nothing.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure is what a test reports")]

#[macro_use]
mod support;

mod admin;
mod bad_headers;
mod bad_parameters;
mod bodies;
mod bounds;
mod captcha;
mod clients;
mod command_line;
mod console;
mod crash;
mod cross_origin;
mod current_user;
mod envelope;
mod error_table;
mod failpoints;
mod guesses;
mod head;
mod health;
mod host;
mod isolation;
mod key_flood;
mod keys;
mod legacy;
mod login;
mod logout;
mod logout_refusals;
mod named_system;
mod nodes;
mod not_before;
mod not_everywhere;
mod persistence;
mod plugins;
mod ports;
mod process;
mod proxies;
mod races;
mod refresh;
mod repeated;
mod secrecy;
mod security_headers;
mod sessions;
mod signals;
mod stamp;
mod stamp_v2;
mod store_links;
mod unfinished_requests;
mod verifiers;
