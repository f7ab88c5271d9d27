//! The OpenAPI document: what poem-openapi prints, mended and completed in one pass, so that generators of client code
//! understand it and it says all that the server answers.

mod errors;
mod normalise;
mod operation;
mod page;
#[cfg(test)]
mod tests;
mod version_3_1;

use serde_json::{Map, Value};

pub use self::page::Asset;

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In a header.
    Header,
    /// In the query.
    Query,
    /// In the path.
    Path,
}

/// A parameter as the document shows it.
#[derive(Debug, Clone)]
pub struct ParameterDescription {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub location: Location,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub description: &'static str,
    /// Its JSON schema.
    pub schema: Value,
    /// A value it may have.
    pub example: Value,
}

/// One way to refuse an operation.
#[derive(Debug, Clone, Copy)]
pub struct ErrorDescription {
    /// HTTP status.
    pub status: u16,
    /// `code` of the envelope.
    pub code: i32,
    /// `error.errorCode` of the envelope.
    pub error_code: &'static str,
    /// The text in Chinese; a `{}` in it stands for a parameter's name.
    pub chinese: &'static str,
    /// The same in English.
    pub english: &'static str,
}

/// What is to be said of an operation beyond what poem-openapi knows.
#[derive(Debug, Clone, Default)]
pub struct OperationDescription {
    /// Its parameters; where the operation has one of the same place and name, the two are merged.
    pub parameters: Vec<ParameterDescription>,
    /// How it refuses.
    pub errors: Vec<ErrorDescription>,
    /// Whether it cannot do without its body.
    pub needs_body: bool,
    /// An answer with which it succeeds, where that is JSON.
    pub success: Option<Value>,
    /// Names of security schemes, all of which it needs, beside those poem-openapi knows of. Public where there are none.
    pub security: Vec<&'static str>,
}

/// Members to be laid over the schema of one property: a pattern, a length, an example.
#[derive(Debug, Clone)]
pub struct Constraint {
    /// Name of the component schema.
    pub schema: &'static str,
    /// Name of the property.
    pub property: &'static str,
    /// An object of schema members.
    pub members: Value,
}

/// What is to be said of the whole beyond what poem-openapi knows.
#[derive(Debug, Clone, Default)]
pub struct Supplement {
    /// Security schemes by name, as the document has them.
    pub security_schemes: Map<String, Value>,
    /// Constraints on properties.
    pub constraints: Vec<Constraint>,
    /// Component schemas whose optional members may be null as well as absent: those of requests, and those of answers
    /// that write null.
    pub nullable_schemas: Vec<&'static str>,
    /// Component schemas of bodies that may be null as well as absent: generated clients send null for a body that is not set.
    pub nullable_bodies: Vec<&'static str>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON.
    #[error("the OpenAPI document is not JSON")]
    Json(#[from] serde_json::Error),
    /// It has no YAML form.
    #[error("the OpenAPI document cannot be written as YAML")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// The title becomes a package's or a class's name in generated code.
    #[error("the OpenAPI document's title must be ASCII, so that generators can make names of it")]
    Title,
    /// Something is described that the document does not have.
    #[error("the OpenAPI document has no {0}")]
    Unknown(String),
}

/// A finished document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl Document {
    /// Mends and completes `specification` (OpenAPI 3.0 JSON, as `OpenApiService::spec` gives it).
    ///
    /// # Errors
    /// Where it is not a document, or where something is described that it does not have.
    pub fn build(
        specification: &str,
        supplement: &Supplement,
        describe: impl Fn(&str) -> OperationDescription,
    ) -> Result<Self, DocumentError> {
        normalise::normalise(serde_json::from_str(specification)?, supplement, describe).map(Self)
    }

    /// The document with something changed that the pass over it does not know of.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.0);
        self
    }

    /// Each path as segments, where one that begins with `{` stands for any, with its methods as `Allow` lists them.
    pub fn routes(&self) -> Vec<(Vec<String>, String)> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        let route = |(path, operations): (&String, &Value)| {
            let methods: Vec<String> = operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()).collect();
            (path.split('/').map(str::to_owned).collect(), methods.join(", "))
        };
        paths.map(route).collect()
    }

    /// The document as a value.
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The document for those who want OpenAPI 3.1.0.
    #[must_use]
    pub fn to_version_3_1(&self) -> Self {
        Self(version_3_1::convert(self.0.clone()))
    }

    /// Pretty JSON, ending with a line's end.
    ///
    /// # Errors
    /// None in practice: the document was JSON before.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        Ok(serde_json::to_string_pretty(&self.0)? + "\n")
    }

    /// YAML.
    ///
    /// # Errors
    /// None in practice: all JSON has a YAML form.
    pub fn to_yaml(&self) -> Result<String, DocumentError> {
        Ok(serde_yaml_ng::to_string(&self.0)?)
    }
}
