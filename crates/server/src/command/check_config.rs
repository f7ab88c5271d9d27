//! `bo-auth check-config`.

use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::Output;
use crate::configuration::{CacheChoice, DatabaseChoice, ServeOptions};

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    options: ServeOptions,
}

impl CheckConfig {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let configuration = self.options.validate()?;
        let database = match &configuration.store.database {
            DatabaseChoice::Postgres(_) => "postgres".to_owned(),
            DatabaseChoice::Sqlite(path) => format!("sqlite {}", path.display()),
        };
        let cache = match configuration.store.cache {
            CacheChoice::Redis(_) => "redis",
            CacheChoice::Sqlite => "sqlite",
            CacheChoice::Local => "local",
        };
        let nodes = if configuration.store.single_node { "one node" } else { "any number of nodes" };
        let result = json!({"listen": configuration.listen.to_string(), "data": configuration.store.data, "database": database, "cache": cache,
            "singleNode": configuration.store.single_node});
        output.result(&result, || {
            format!(
                "the options fit together\nlisten    {}\ndata      {}\ndatabase  {database}\ncache     {cache}\nserves as {nodes}\nnext: `bo-auth doctor` tries the stores",
                configuration.listen,
                configuration.store.data.display()
            )
        })
    }
}
