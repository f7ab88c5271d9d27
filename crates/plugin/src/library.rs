//! What a script can call: the host functions of the plugin contract, and strings, arrays and maps whose functions check
//! their sizes before they work. Everything that is not registered here or in `engine` does not exist for a script.

mod arrays;
mod facts;
mod format;
mod maps;
mod members;
mod names;
mod nested;
mod number_pattern;
mod places;
mod same;
mod strings;
mod text;
mod value;

use rhai::Engine;

pub(crate) use facts::Facts;
pub(crate) use format::Texts;
pub(crate) use nested::check_variable;

/// Puts everything into the engine.
pub(crate) fn install(engine: &mut Engine, texts: Texts) {
    facts::install(engine);
    value::install(engine);
    names::install(engine);
    members::install(engine);
    places::install(engine);
    format::install(engine, texts);
    text::install(engine);
    strings::install(engine);
    arrays::install(engine);
    maps::install(engine);
    same::install(engine);
}

#[cfg(test)]
mod tests {
    use rhai::Engine;
    use serde_json::Value;

    use super::{Texts, install};

    #[test]
    fn every_host_function_of_the_contract_is_there_and_documented() {
        let mut engine = Engine::new_raw();
        install(&mut engine, Texts::new(|_, _| None));
        let metadata: Value = serde_json::from_str(&engine.gen_fn_metadata_to_json(false).unwrap()).unwrap();
        let functions = metadata["functions"].as_array().unwrap();
        for name in [
            "camel",
            "snake",
            "rename",
            "keep",
            "remove",
            "at",
            "set",
            "each",
            "defaults",
            "mask",
            "format_time",
            "parse_time",
            "format_number",
            "text",
        ] {
            let documented = functions.iter().any(|function| function["name"] == name && !function["docComments"].is_null());
            assert!(documented, "{name}");
        }
    }
}
