//! What a running server takes up anew when it is told to (SIGHUP), and what it says of the rest.
//!
//! Arguments and variables of a process cannot change. Files can: the service tokens in the fleets' file are taken up at
//! once. Addresses and keys of the stores, and the rest of the fleets' file, hold connections and sessions that began with
//! them, so that a change of theirs is logged and waits for a restart. What belongs to a tenant is in the database and needs
//! no signal.

use crate::configuration::{Configuration, ConfigurationError, FleetConfiguration, StoreConfiguration};
use crate::legacy::fleets::Fleets;

/// The part of a server that can be taken up anew.
#[derive(Clone)]
pub struct Rereading {
    started_with: StartedWith,
    fleets: Fleets,
}

/// What the server began with, as far as it stands in files.
#[derive(Clone)]
struct StartedWith {
    store: StoreConfiguration,
    fleets: Vec<FleetConfiguration>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reread {
    /// What has taken effect.
    pub taken_up: Vec<&'static str>,
    /// What has changed and takes effect with a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Rereading {
    /// For a server of this configuration, which serves these fleets.
    pub fn new(configuration: &Configuration, fleets: Fleets) -> Self {
        let started_with = StartedWith { store: configuration.store.clone(), fleets: configuration.legacy.fleets.clone() };
        Self { started_with, fleets }
    }

    /// Takes up what can be.
    pub fn take_up(&self, configuration: &Configuration) -> Reread {
        let (store, began) = (&configuration.store, &self.started_with.store);
        let mut reread = Reread::default();
        let mut compare = |is_same: bool, name| {
            if !is_same {
                reread.needs_restart.push(name);
            }
        };
        compare(store.database == began.database, "the database's address");
        compare(store.cache == began.cache, "the cache and its address");
        compare(store.master_key == began.master_key, "the master key");
        let fleets = &configuration.legacy.fleets;
        let is_same = |(now, then): (&FleetConfiguration, &FleetConfiguration)| now.is_same_but_for_its_token(then);
        let are_same = fleets.len() == self.started_with.fleets.len() && fleets.iter().zip(&self.started_with.fleets).all(is_same);
        compare(are_same, "fleets, their names, cookies and old servers");
        if are_same && self.fleets.set_service_tokens(fleets.iter().map(|fleet| fleet.service_token.clone())) {
            reread.taken_up.push("service tokens of fleets");
        }
        reread
    }

    /// Takes up what can be, and logs what was and what was not. Whatever is wrong with the files, the server goes on as
    /// it was.
    pub fn take_up_and_log(&self, configuration: Result<Configuration, ConfigurationError>) {
        match configuration {
            Ok(configuration) => {
                let Reread { taken_up, needs_restart } = self.take_up(&configuration);
                tracing::info!(
                    takenUp = taken_up.join("; "),
                    needsRestart = needs_restart.join("; "),
                    "SIGHUP: files read again; arguments, variables, ports and TLS stay as they are until a restart"
                );
            }
            Err(error) => tracing::warn!(%error, "SIGHUP: the options do not fit together any more; nothing was changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::builder::{OsStr, Resettable};
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::configuration::ServeOptions;
    use crate::legacy::fleets::GatewayRefusal;

    fn validated(fleets: &Path, more: &[&str]) -> Result<Configuration, ConfigurationError> {
        let command = ServeOptions::augment_args(Command::new("serve")).mut_args(|argument| argument.env(Resettable::<OsStr>::Reset));
        let arguments = ["serve", "--legacy-v1", fleets.to_str().unwrap()];
        let matches = command.try_get_matches_from(arguments.iter().chain(more)).unwrap();
        ServeOptions::from_arg_matches(&matches).unwrap().validate()
    }

    #[test]
    fn a_service_token_is_taken_up_and_the_rest_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fleets.toml");
        let [old, new] = ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"];
        let write = |system: &str, token: &str| {
            std::fs::write(&file, format!("[[legacy_v1]]\nowner = \"acme\"\nsystem = \"{system}\"\nservice_token = \"{token}\"\n"))
        };
        write("web", old).unwrap();
        let began = validated(&file, &[]).unwrap();
        let fleets = Fleets::open(&began.legacy.fleets).unwrap();
        let rereading = Rereading::new(&began, fleets.clone());
        let admits = |token: &str| fleets.of_gateway(None, [token.as_bytes()], false).map(|_| ());
        assert_eq!(rereading.take_up(&validated(&file, &[]).unwrap()), Reread::default());

        write("web", new).unwrap();
        let reread = rereading.take_up(&validated(&file, &["--cache", "sqlite"]).unwrap());
        let expected = Reread { taken_up: vec!["service tokens of fleets"], needs_restart: vec!["the cache and its address"] };
        assert_eq!(reread, expected);
        assert_eq!([admits(new), admits(old)], [Ok(()), Err(GatewayRefusal::Unknown)]);

        write("other", old).unwrap();
        let reread = rereading.take_up(&validated(&file, &[]).unwrap());
        assert_eq!(reread.needs_restart, ["fleets, their names, cookies and old servers"]);
        assert_eq!(admits(new), Ok(()), "half a change is none");

        std::fs::remove_file(&file).unwrap();
        rereading.take_up_and_log(validated(&file, &[]));
        assert_eq!(admits(new), Ok(()));
    }
}
