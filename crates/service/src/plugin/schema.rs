//! Whether an answer still is what the published document promises to generated clients: a check against the response schemas of
//! an OpenAPI document, in the casing that a system declares for its SDK.

use bo_auth_core::settings::ResponseSchema;
use bo_auth_plugin::{Context, casing};
use serde::Serialize;
use serde_json::{Map, Value};

use super::trial::{Subject, Trial};

/// References that lead to one another without end are followed this far.
const DEPTH: usize = 32;
/// The most problems of one answer.
const PROBLEMS: usize = 20;

/// What a generated client could not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaProblem {
    /// Where, such as `$.data.token.accessToken`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// The response schemas of a document, and an answer to try for each operation.
pub struct ResponseSchemas {
    camel: Value,
    snake: Value,
    examples: Vec<Subject>,
}

impl ResponseSchemas {
    /// Takes an OpenAPI 3.0 document.
    pub fn new(document: Value) -> Self {
        let mut snake = document.clone();
        respell(&mut snake);
        Self { examples: examples(&document), camel: document, snake }
    }

    /// An answer of each operation, as the document shows it, and one refusal.
    pub fn examples(&self) -> &[Subject] {
        &self.examples
    }

    /// What of an answer breaks the schema of its route, method and status. An unknown route has none.
    pub fn problems(&self, declared: ResponseSchema, context: &Context, envelope: &Value) -> Vec<SchemaProblem> {
        self.found(declared, context, envelope, PROBLEMS)
    }

    /// The same, without what was so before the plugin: a sample may be incomplete by itself.
    pub fn problems_made(&self, declared: ResponseSchema, context: &Context, before: &Value, after: &Value) -> Vec<SchemaProblem> {
        let mut spelled = before.clone();
        if matches!(declared, ResponseSchema::Snake) {
            casing::snake(&mut spelled);
        }
        let present = self.found(declared, context, &spelled, usize::MAX);
        let mut made = self.found(declared, context, after, usize::MAX);
        made.retain(|problem| !present.contains(problem));
        made.truncate(PROBLEMS);
        made
    }

    fn found(&self, declared: ResponseSchema, context: &Context, envelope: &Value, most: usize) -> Vec<SchemaProblem> {
        let document = match declared {
            ResponseSchema::None => return Vec::new(),
            ResponseSchema::Camel => &self.camel,
            ResponseSchema::Snake => &self.snake,
        };
        let responses = &document["paths"][&*context.route][context.method.to_ascii_lowercase()]["responses"];
        let status = context.status.to_string();
        let of_class = format!("{}XX", context.status / 100);
        let response = responses.get(&status).or_else(|| responses.get(&of_class)).unwrap_or(&Value::Null);
        let mut check = Check { document, problems: Vec::new(), most };
        check.value(&response["content"]["application/json"]["schema"], envelope, "$", 0);
        check.problems
    }

    /// What a plugin would break of answers of the published document, under the declaration that it suits best: a plugin is
    /// made for one of a tenant's systems.
    pub fn problems_of(&self, trials: &[(Subject, Trial)], declared: &[ResponseSchema]) -> Vec<SchemaProblem> {
        let of = |declared: &ResponseSchema| {
            let mut problems = Vec::new();
            for (subject, trial) in trials {
                let found = trial.after.as_ref().map_or_else(Vec::new, |after| self.problems(*declared, &subject.context, after));
                let route = format!("{} {}", subject.context.method, subject.context.route);
                problems.extend(found.into_iter().map(|problem| SchemaProblem { path: format!("{route} {}", problem.path), ..problem }));
            }
            problems.truncate(PROBLEMS);
            problems
        };
        declared.iter().map(of).min_by_key(Vec::len).unwrap_or_default()
    }
}

/// Spells the names of a document's members in `snake_case`: those of schemas, which are data to a schema's reader.
fn respell(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                let respelled = std::mem::take(properties).into_iter().map(|(name, schema)| (snake(&name), schema)).collect();
                *properties = respelled;
            }
            if let Some(Value::Array(required)) = members.get_mut("required") {
                for name in required {
                    if let Value::String(text) = name {
                        *text = snake(text);
                    }
                }
            }
            members.values_mut().for_each(respell);
        }
        Value::Array(elements) => elements.iter_mut().for_each(respell),
        _ => {}
    }
}

fn snake(name: &str) -> String {
    let mut one = Value::Object(Map::from_iter([(name.to_owned(), Value::Null)]));
    casing::snake(&mut one);
    one.as_object().and_then(|members| members.keys().next().cloned()).unwrap_or_else(|| name.to_owned())
}

fn examples(document: &Value) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (route, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
            if example.is_object() {
                subjects.push(subject(route, method, 200, example.clone()));
            }
        }
    }
    // In the server's own words, as the document has them.
    let refused = &document["components"]["examples"]["TOKEN_INVALID"]["value"];
    if refused.is_object() {
        subjects.push(subject("/bo/api/v3/auth/token/logout", "get", 401, refused.clone()));
    }
    subjects
}

fn subject(route: &str, method: &str, status: u16, envelope: Value) -> Subject {
    let context = Context {
        owner_id: Some("demo".into()),
        sys_id: Some("web".into()),
        route: route.to_owned().into(),
        method: method.to_ascii_uppercase().into(),
        status,
        language: "zh-CN".into(),
        user_id: Some("u-demo".into()),
        now_ms: 1_767_323_045_678,
        params: Vec::new(),
    };
    Subject { envelope, context }
}

/// One look at an answer.
struct Check<'a> {
    document: &'a Value,
    problems: Vec<SchemaProblem>,
    most: usize,
}

impl Check<'_> {
    fn problem(&mut self, path: &str, message: String) {
        if self.problems.len() < self.most {
            self.problems.push(SchemaProblem { path: path.to_owned(), message });
        }
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        if depth > DEPTH {
            return;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let document = self.document;
            let found = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
            return found.map_or((), |schema| self.value(schema, value, path, depth + 1));
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.value(part, value, path, depth + 1);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        if let Some(expected) = schema["type"].as_str()
            && !is_of(expected, value)
        {
            return self.problem(path, format!("must be of type {expected}, and is {}", kind(value)));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            return self.problem(path, format!("must be one of {}", Value::Array(allowed.clone())));
        }
        if let Some(members) = value.as_object() {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !members.contains_key(name) {
                    self.problem(&format!("{path}.{name}"), "is required, and missing".to_owned());
                }
            }
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(member) = members.get(name) {
                    self.value(schema, member, &format!("{path}.{name}"), depth + 1);
                }
            }
        }
        if let (Some(elements), true) = (value.as_array(), schema["items"].is_object()) {
            for (at, element) in elements.iter().enumerate() {
                self.value(&schema["items"], element, &format!("{path}[{at}]"), depth + 1);
            }
        }
    }
}

fn is_of(expected: &str, value: &Value) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use bo_auth_plugin::{Plugins, examples};
    use serde_json::json;

    use super::super::trial::run_on;
    use super::*;

    fn schemas() -> ResponseSchemas {
        ResponseSchemas::new(serde_json::from_str(include_str!("../../../../openapi/bo-v3.json")).unwrap())
    }

    #[test]
    fn the_documents_own_examples_break_nothing_in_their_casing() {
        let schemas = schemas();
        assert!(schemas.examples().len() > 6);
        for subject in schemas.examples() {
            assert_eq!(schemas.problems(ResponseSchema::Camel, &subject.context, &subject.envelope), [], "{:?}", subject.context);
            let mut snake = subject.envelope.clone();
            casing::snake(&mut snake);
            assert_eq!(schemas.problems(ResponseSchema::Snake, &subject.context, &snake), [], "{:?}", subject.context);
            assert_eq!(schemas.problems(ResponseSchema::None, &subject.context, &json!([])), []);
        }
    }

    #[test]
    fn the_refusal_among_the_examples_is_in_the_servers_own_words() {
        let schemas = schemas();
        let refused = schemas.examples().iter().find(|subject| subject.context.status == 401).unwrap();
        assert_eq!(refused.envelope["message"], "用户认证信息无效");
    }

    #[test]
    fn the_worked_examples_begin_with_what_their_routes_answer() {
        let schemas = schemas();
        for example in examples::ALL {
            let before: Value = serde_json::from_str(example.before).unwrap();
            let context = subject(example.route, example.method, example.status, Value::Null).context;
            assert_eq!(schemas.problems(ResponseSchema::Camel, &context, &before), [], "{}", example.name);
            let published = &schemas.camel["paths"][example.route][example.method.to_ascii_lowercase()]["responses"];
            let shown = &published["200"]["content"]["application/json"]["example"];
            let refused = &schemas.camel["components"]["examples"]["TOKEN_EXPIRED"]["value"];
            let shown = if example.status == 200 { shown } else { refused };
            assert_eq!(before["message"], shown["message"], "{}: in the server's own words", example.name);
            if example.status == 200 {
                let names = |value: &Value| value.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>());
                assert_eq!(names(&before), names(shown), "{}", example.name);
            }
        }
    }

    #[test]
    fn what_a_client_could_not_read_is_named_with_its_path() {
        let schemas = schemas();
        let login = schemas.examples().iter().find(|subject| subject.context.route.ends_with("login")).unwrap();
        let mut broken = login.envelope.clone();
        broken["data"]["token"]["expiresIn"] = json!("7200");
        broken["data"]["user"].as_object_mut().unwrap().shift_remove("userName");
        broken["data"]["user"]["areaCodes"] = json!([1]);
        broken["cacheType"] = json!("file");
        let problems = schemas.problems(ResponseSchema::Camel, &login.context, &broken);
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths.len(), 4, "{problems:?}");
        for path in ["$.data.token.expiresIn", "$.data.user.userName", "$.data.user.areaCodes[0]", "$.cacheType"] {
            assert!(paths.contains(&path), "{path} is not among {paths:?}");
        }
    }

    #[test]
    fn what_a_sample_has_not_is_not_laid_to_the_plugin() {
        let schemas = schemas();
        let login = schemas.examples().iter().find(|subject| subject.context.route.ends_with("login")).unwrap();
        let before = json!({"code": 0, "success": true, "message": "ok", "data": {"user": {"userId": "u1", "userName": "li"}}});
        let mut after = before.clone();
        after["data"]["user"].as_object_mut().unwrap().shift_remove("userId");
        for (declared, path) in [(ResponseSchema::Camel, "$.data.user.userId"), (ResponseSchema::Snake, "$.data.user.user_id")] {
            let spelled = |answer: &Value| {
                let mut answer = answer.clone();
                if matches!(declared, ResponseSchema::Snake) {
                    casing::snake(&mut answer);
                }
                answer
            };
            assert_eq!(schemas.problems_made(declared, &login.context, &before, &spelled(&before)), []);
            let problems = schemas.problems_made(declared, &login.context, &before, &spelled(&after));
            assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), [path]);
        }
        // One that spells everything otherwise has made that, whatever the sample lacks.
        assert!(!schemas.problems_made(ResponseSchema::Snake, &login.context, &before, &before).is_empty());
    }

    #[tokio::test]
    async fn a_plugin_suits_the_system_it_is_made_for() {
        let (schemas, plugins) = (schemas(), Plugins::new().unwrap());
        let under = plugins.find(None, "common-data-under").unwrap();
        let mut trials = Vec::new();
        for subject in schemas.examples() {
            trials.push((subject.clone(), run_on(&plugins, &under, None, subject).await));
        }
        let both = [ResponseSchema::Camel, ResponseSchema::Snake];
        assert_eq!(schemas.problems_of(&trials, &both), []);
        let problems = schemas.problems_of(&trials, &both[..1]);
        assert!(
            problems.iter().any(|problem| problem.path.contains("POST /bo/api/v3/auth/login $.data.token.accessToken")),
            "{problems:?}"
        );
    }
}
