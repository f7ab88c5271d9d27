//! `bo-auth plugin new` and `test`, which need no store.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use bo_auth_core::settings::ResponseSchema;
use bo_auth_plugin::{Context, examples};
use bo_auth_service::plugin::{SchemaProblem, Subject, Trial, compiled, run_on};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{engine, name_of, read_source};
use crate::command::Failure;
use crate::command::output::Output;
use crate::openapi::response_schemas;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The file to write: `fn-NAME.rhai`. One that is there is not touched.
    file: PathBuf,
    /// Begin with this worked example of docs/plugins.md.
    #[arg(long, value_parser = example_names())]
    example: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The script: `fn-NAME.rhai`.
    file: PathBuf,
    /// A JSON file with an answer, or with a list of answers; the answers of the published document where absent.
    #[arg(long)]
    sample: Vec<PathBuf>,
    /// A JSON file with what must come out of the only sample, member for member.
    #[arg(long)]
    expect: Option<PathBuf>,
    /// What `ctx.route` reads for the samples; answers are checked against this route's schema.
    #[arg(long, default_value = "/bo/api/v3/auth/login")]
    route: String,
    /// What `ctx.method` reads.
    #[arg(long, default_value = "POST")]
    method: String,
    /// What `ctx.status` reads.
    #[arg(long, default_value_t = 200)]
    status: u16,
    /// What `ctx.language` reads.
    #[arg(long, default_value = "zh-CN")]
    language: String,
    /// What `ctx.sys_id` reads.
    #[arg(long, default_value = "web")]
    sys: String,
    /// A parameter in `ctx.params`, such as `_mode=short`; may be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_parameter)]
    parameters: Vec<(String, String)>,
    /// What generated clients of the system expect.
    #[arg(long, value_enum, default_value_t = Schema::None)]
    schema: Schema,
}

/// As the setting `responseSchema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Schema {
    /// The published document's casing.
    Camel,
    /// The same in `snake_case`.
    Snake,
    /// Nothing in particular.
    None,
}

impl New {
    pub(super) fn run(self, output: Output) -> Result<(), Failure> {
        name_of(&self.file, None)?;
        let source = match self.example.as_deref().and_then(|name| examples::ALL.iter().find(|example| example.name == name)) {
            Some(example) => example.source,
            None => examples::STARTER,
        };
        let failed = |error: std::io::Error| Failure::of(format!("{}: {error}", self.file.display()));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&self.file).map_err(failed)?;
        std::io::Write::write_all(&mut file, source.as_bytes()).map_err(failed)?;
        let shown = self.file.display();
        output.result(&json!({"file": self.file}), || format!("{shown} is written; `bo-auth plugin test {shown}` runs it"))
    }
}

impl Test {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let plugins = engine()?;
        let (name, source) = (name_of(&self.file, None)?, read_source(&self.file)?);
        let schemas = response_schemas();
        let plugin = compiled(&plugins, "demo", &name, &source).await?;
        let subjects = self.subjects(schemas.examples())?;
        let declared = match self.schema {
            Schema::Camel => ResponseSchema::Camel,
            Schema::Snake => ResponseSchema::Snake,
            Schema::None => ResponseSchema::None,
        };
        let mut results = Vec::new();
        let mut broken = 0;
        for subject in &subjects {
            let trial = run_on(&plugins, &plugin, None, subject).await;
            let problems = trial.schema_problems(&schemas, declared, &subject.context);
            broken += usize::from(trial.failure.is_some() || !problems.is_empty());
            results.push((trial, problems));
        }
        let unexpected = self.unexpected(&results)?;
        let listed: Vec<Value> = results.iter().map(|(trial, problems)| described(trial, problems)).collect();
        output.result(&json!({"name": name, "results": listed, "asExpected": unexpected.is_none()}), || text_of(&results))?;
        match (broken, unexpected) {
            (0, None) => Ok(()),
            (0, Some(expected)) => Err(Failure::of(format!("the answer is not the expected one, which is {expected}"))),
            (broken, _) => Err(Failure::of(format!("{broken} of {} answers failed or broke the schema", results.len()))),
        }
    }

    fn subjects(&self, examples: &[Subject]) -> Result<Vec<Subject>, Failure> {
        if self.sample.is_empty() {
            return Ok(examples.to_vec());
        }
        let context = Context {
            owner_id: Some("demo".into()),
            sys_id: Some(self.sys.as_str().into()),
            route: self.route.clone().into(),
            method: self.method.as_str().into(),
            status: self.status,
            language: self.language.clone().into(),
            user_id: Some("u-demo".into()),
            now_ms: 1_767_323_045_678,
            params: self.parameters.clone(),
        };
        let mut subjects = Vec::new();
        for path in &self.sample {
            let envelopes = match read_json(path)? {
                Value::Array(envelopes) => envelopes,
                envelope => vec![envelope],
            };
            subjects.extend(envelopes.into_iter().map(|envelope| Subject { envelope, context: context.clone() }));
        }
        Ok(subjects)
    }

    /// What was expected and did not come.
    fn unexpected(&self, results: &[(Trial, Vec<SchemaProblem>)]) -> Result<Option<Value>, Failure> {
        let Some(path) = &self.expect else { return Ok(None) };
        let [(trial, _)] = results else { return Err(Failure::of("--expect goes with one sample".to_owned())) };
        let expected = read_json(path)?;
        // The order of members counts: it is what goes out.
        let wanted = expected.to_string();
        let came = trial.after.as_ref().map(Value::to_string).is_some_and(|after| after == wanted);
        Ok((!came).then_some(expected))
    }
}

fn read_json(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::of(format!("{}: {error}", path.display())))?;
    // Editors of Windows begin a file with a byte order mark.
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| Failure::of(format!("{}: {error}", path.display())))
}

/// Without a store there is no active version to be beside.
fn described(trial: &Trial, problems: &[SchemaProblem]) -> Value {
    let mut described = trial.described(problems);
    if let Value::Object(members) = &mut described {
        members.shift_remove("active");
    }
    described
}

fn text_of(results: &[(Trial, Vec<SchemaProblem>)]) -> String {
    let mut text = String::new();
    for (trial, problems) in results {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{}", trial.before);
        let _ = match (&trial.after, &trial.failure) {
            (Some(after), _) => writeln!(text, "=> {after}"),
            (None, failure) => {
                let reason = failure.as_ref().map_or_else(String::new, |failure| format!("{}: {}", failure.code, failure.detail));
                writeln!(text, "=> FAILED, the untouched answer goes out: {reason}")
            }
        };
        let _ = writeln!(text, "   {} µs, {} operations", trial.microseconds, trial.operations);
        for line in &trial.log {
            let _ = writeln!(text, "   log: {line}");
        }
        for problem in problems {
            let _ = writeln!(text, "   schema: {} {}", problem.path, problem.message);
        }
    }
    text
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a parameter is written NAME=VALUE")?;
    if !name.starts_with('_') {
        return Err("scripts see parameters whose names begin with `_`".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn example_names() -> Vec<&'static str> {
    examples::ALL.iter().map(|example| example.name).collect()
}
