//! The console's files, each named where a test holds it to what is in `crates/server/console`.

use super::file::File;

macro_rules! files {
    ($($name:literal)*) => {
        /// Name and content of each.
        const FILES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/console/", $name)))),*];
    };
}

files! {
    "base/api.js"
    "base/dialog.js"
    "base/dom.js"
    "base/fields.js"
    "base/icon.js"
    "base/json.js"
    "base/list.js"
    "base/memory.js"
    "base/notice.js"
    "base/route.js"
    "base/tabs.js"
    "base/text.js"
    "editor/completion.js"
    "editor/look.js"
    "editor/mount.js"
    "editor/phrases.js"
    "editor/rhai.js"
    "editor/script.js"
    "icon.svg"
    "index.html"
    "main.js"
    "pages/audit.js"
    "pages/index.js"
    "pages/password.js"
    "pages/plugin.js"
    "pages/plugins.js"
    "pages/sessions.js"
    "pages/sign_in.js"
    "pages/users.js"
    "plugin/changes.js"
    "plugin/chart.js"
    "plugin/failures.js"
    "plugin/functions.js"
    "plugin/recording.js"
    "plugin/sample.js"
    "plugin/state.js"
    "plugin/trial.js"
    "plugin/versions.js"
    "shell.js"
    "style/base.css"
    "style/controls.css"
    "style/dialogs.css"
    "style/plugin.css"
    "style/shell.css"
    "style/tables.css"
    "style/tokens.css"
    "text/en.json"
    "text/zh.json"
    "theme.js"
    "vendor/codemirror.LICENSE.txt"
    "vendor/codemirror.js"
}

/// Every file.
pub(super) fn all() -> impl Iterator<Item = File> {
    FILES.iter().map(|(name, body)| File::new(name, body))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    fn on_disk(directory: &Path, below: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                on_disk(&path, below, names);
            } else {
                names.insert(path.strip_prefix(below).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    fn texts(language: &str) -> BTreeMap<String, String> {
        let (_, body) = FILES.iter().find(|(name, _)| *name == format!("text/{language}.json")).unwrap();
        serde_json::from_slice(body).unwrap()
    }

    /// The console's own scripts.
    fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
        let ours =
            FILES.iter().filter(|(name, _)| name.rsplit_once('.').is_some_and(|(_, kind)| kind == "js") && !name.starts_with("vendor/"));
        ours.map(|(name, body)| (*name, std::str::from_utf8(body).unwrap()))
    }

    /// The texts between `begin` and `end`.
    fn between<'a>(text: &'a str, begin: &'a str, end: char) -> impl Iterator<Item = &'a str> {
        text.split(begin).skip(1).filter_map(move |rest| rest.split_once(end).map(|(inner, _)| inner))
    }

    #[test]
    fn every_file_of_the_directory_is_served() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("console");
        let mut names = BTreeSet::new();
        on_disk(&directory, &directory, &mut names);
        assert_eq!(names, FILES.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn both_languages_have_the_same_texts() {
        let (english, chinese) = (texts("en"), texts("zh"));
        assert_eq!(english.keys().collect::<Vec<_>>(), chinese.keys().collect::<Vec<_>>());
        for (key, text) in &english {
            let values = |text: &str| between(text, "{", '}').map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(values(text), values(&chinese[key]), "{key}");
            assert!(!text.trim().is_empty() && !chinese[key].trim().is_empty(), "{key}");
        }
    }

    #[test]
    fn every_text_that_is_asked_for_is_there() {
        let texts = texts("en");
        for (name, script) in scripts() {
            for key in between(script, " t(\"", '"').chain(between(script, "(t(\"", '"')).chain(between(script, "[t(\"", '"')) {
                assert!(texts.contains_key(key), "{name} asks for {key}");
            }
            for key in between(script, "counted(\"", '"') {
                assert!(texts.contains_key(&format!("{key}.one")) && texts.contains_key(&format!("{key}.other")), "{name} asks for {key}");
            }
        }
    }

    #[test]
    fn the_page_brings_everything_along_and_writes_no_markup() {
        for (name, script) in scripts() {
            for forbidden in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "https:", "style="] {
                let script = script.replace("http://www.w3.org/2000/svg", "");
                assert!(!script.contains(forbidden), "{name} has {forbidden}");
            }
            for module in between(script, "from \"", '"') {
                let path = Path::new(name).parent().unwrap().join(module);
                let mut parts = Vec::new();
                for part in path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != ".") {
                    if part == ".." {
                        parts.pop();
                    } else {
                        parts.push(part);
                    }
                }
                assert!(FILES.iter().any(|(name, _)| *name == parts.join("/")), "{name} imports {module}");
            }
        }
        let (_, page) = FILES.iter().find(|(name, _)| *name == "index.html").unwrap();
        let page = std::str::from_utf8(page).unwrap();
        for address in between(page, "href=\"", '"').chain(between(page, "src=\"", '"')) {
            let name = address.strip_prefix("/console/").unwrap_or_else(|| panic!("{address} is not ours"));
            assert!(FILES.iter().any(|(known, _)| *known == name), "{address}");
        }
        assert!(!page.contains("<style") && !page.contains("style=") && !page.contains("<script>"));
    }
}
