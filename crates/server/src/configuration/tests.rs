//! Options as an operator gives them, without the variables of the machine that runs the tests.

use clap::builder::{OsStr, Resettable};
use clap::{Command, FromArgMatches};

use super::*;

fn command() -> Command {
    let command = LogOptions::augment_args(ServeOptions::augment_args(Command::new("serve")));
    command.mut_args(|argument| argument.env(Resettable::<OsStr>::Reset))
}

fn options(arguments: &[&str]) -> ServeOptions {
    let matches = command().try_get_matches_from([&["serve"], arguments].concat()).unwrap();
    ServeOptions::from_arg_matches(&matches).unwrap()
}

fn validated(arguments: &[&str]) -> Result<Configuration, String> {
    options(arguments).validate().map_err(|error| error.to_string())
}

#[test]
fn without_options_everything_is_embedded_and_local() {
    let configuration = validated(&[]).unwrap();
    assert_eq!(configuration.listen.to_string(), "127.0.0.1:8480");
    assert_eq!(configuration.store.database, DatabaseChoice::Sqlite("./data/bo-auth.db".into()));
    assert_eq!(configuration.store.cache, CacheChoice::Local);
    assert!(configuration.store.single_node && configuration.store.master_key.is_none());
    assert_eq!((configuration.body_limit, configuration.limits.header_bytes), (65_536, 65_536));
    assert_eq!(configuration.password_cost, PasswordCost { memory_kib: 19 * 1024, iterations: 2, lanes: 1 });
    assert!(configuration.password_concurrency >= 1);
}

#[test]
fn caches_are_chosen_by_what_is_there() {
    let redis = || CacheChoice::Redis(Secret::new("redis://cache".to_owned()));
    for (arguments, cache) in [
        (&["--redis-url", "redis://cache"][..], redis()),
        (&["--redis-url", "redis://cache", "--database-url", "postgres://db/x"], redis()),
        (&["--redis-url", "redis://cache", "--cache", "local"], CacheChoice::Local),
        (&["--cache", "sqlite"], CacheChoice::Sqlite),
        (&["--database-url", "postgresql://db/x", "--single-node"], CacheChoice::Local),
        (&["--database-url", "postgresql://db/x", "--single-node", "--cache", "sqlite"], CacheChoice::Sqlite),
    ] {
        assert_eq!(validated(arguments).unwrap().store.cache, cache, "{arguments:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_do() {
    for (arguments, advice) in [
        (&["--database-url", "postgres://db/x"][..], "give --redis-url, or --single-node"),
        (&["--database-url", "postgres://db/x", "--redis-url", "redis://cache", "--cache", "local"], "give --redis-url, or --single-node"),
        (&["--cache", "redis"], "give --redis-url"),
        (&["--demo", "--listen", "0.0.0.0:8480"], "listen on a loopback address"),
        (&["--demo", "--admin-listen", "0.0.0.0:8481"], "listen on a loopback address"),
        (&["--database-url", "mysql://db/x"], "must begin with postgres://"),
        (&["--redis-url", "cache:6379"], "must begin with redis://"),
        (&["--redis-url", "redis://a,b"], "must begin with redis://"),
        (&["--redis-url", "redis://cache?patience=5"], "from 10 to 1000"),
        (&["--redis-url", "redis://cache:port"], "redis://host:port"),
        (&["--admin", "off", "--admin-listen", "127.0.0.1:0"], "leave one of them out"),
        (&["--metrics-listen", "127.0.0.1:8480"], "give it another port"),
        (&["--header-limit", "4KiB"], "give 8KiB to 1MiB"),
        (&["--body-limit", "1GiB"], "give 1KiB to 16MiB"),
        (&["--argon2-memory", "64KiB", "--argon2-lanes", "9"], "give fewer lanes"),
        (&["--grpc-listen", "127.0.0.1:0"], "give --legacy-v1 too"),
        (&["--legacy-v1", "/nowhere/fleets.toml"], "check that the file is there"),
        (&["--master-key-file", "/nowhere/key"], "check that the file is there"),
        (&["--master-key", "x", "--master-key-file", "y"], "leave one of them out"),
    ] {
        let error = validated(arguments).unwrap_err();
        assert!(error.contains(advice), "{arguments:?}: {error}");
    }
}

#[test]
fn secrets_come_from_files_and_are_not_printed() {
    let path = std::env::temp_dir().join(format!("bo-auth-secret-{}", std::process::id()));
    std::fs::write(&path, "postgres://user:hunter2@db/x\n").unwrap();
    let options = options(&["--database-url-file", path.to_str().unwrap(), "--redis-url", "redis://:hunter2@cache"]);
    let configuration = options.validate().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(configuration.store.database, DatabaseChoice::Postgres(Secret::new("postgres://user:hunter2@db/x".to_owned())));
    assert!(!format!("{options:?}{configuration:?}").contains("hunter2"));
}

#[test]
fn one_address_may_hold_a_tenth_of_all_connections() {
    for (arguments, all, own) in
        [(&[][..], 10_000, 1_000), (&["--max-connections", "100"], 100, 64), (&["--max-connections-per-address", "7"], 10_000, 7)]
    {
        let limits = validated(arguments).unwrap().limits;
        assert_eq!((limits.connections, limits.connections_per_client), (all, own), "{arguments:?}");
    }
}

#[test]
fn proxies_may_be_repeated() {
    let options = options(&["--trusted-proxy", "10.0.0.0/8,fd00::/8", "--trusted-proxy", "192.0.2.1"]);
    let texts: Vec<_> = options.trusted_proxy.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]);
}

#[test]
fn every_option_has_a_flag_a_variable_and_a_line_of_help() {
    let command = LogOptions::augment_args(ServeOptions::augment_args(Command::new("serve")));
    for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
        let id = argument.get_id();
        assert!(argument.get_long().is_some() && argument.get_help().is_some(), "{id}");
        let variable = argument.get_env().unwrap().to_str().unwrap();
        assert!(["BO_AUTH_", "DATABASE_URL", "REDIS_URL"].iter().any(|start| variable.starts_with(start)), "{variable}");
        assert!(argument.get_default_values().is_empty() || !argument.is_hide_env_values_set(), "{id}");
    }
}
