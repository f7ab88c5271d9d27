//! The lines that documents show for a shell run as they stand.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use crate::process::Place;

const PLUGINS: &str = include_str!("../../docs/plugins.md");
const ADMIN_API: &str = include_str!("../../docs/admin-api.md");

/// The first block for a shell.
fn shell_lines(page: &str) -> &str {
    let (_, block) = page.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0
}

/// A shell that finds the binary by its name.
fn shell(script: &str) -> Command {
    let binary: PathBuf = Path::new(env!("CARGO_BIN_EXE_bo-auth")).parent().unwrap().to_owned();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-eu", "-o", "pipefail", "-c", script]).env_clear().env("PATH", path);
    command
}

#[tokio::test]
async fn a_plugin_goes_from_a_file_to_every_node_and_back() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    let sample = r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"13800008000"}}}"#;
    place.file("login.json", sample);
    place.file("login.out.json", sample.replace("13800008000", "138****8000"));
    let mut printed = Vec::new();
    for line in shell_lines(PLUGINS).lines() {
        if line == "# the script is changed" {
            let script = place.scratch().join("fn-shape.rhai");
            let source = std::fs::read_to_string(&script).unwrap();
            std::fs::write(script, source.replace("3, 4", "3, 2")).unwrap();
            continue;
        }
        let output = shell(line).env("BO_AUTH_DATA", place.data()).current_dir(place.scratch()).output().await.unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        printed.push(String::from_utf8(output.stdout).unwrap());
    }
    let [_, all, sample, published, diff, canary, shown, full, rolled_back, _] = &printed[..] else { panic!("{printed:?}") };
    assert!(all.contains("下线成功") && sample.contains("138****8000") && !sample.contains("schema:"), "{sample}");
    assert_eq!(published, "version 1 of plugin shape answers\n");
    assert!(diff.contains("+     response.mask(\"data.user.mobile\", 3, 2)"), "{diff}");
    assert_eq!(canary, "version 2 of plugin shape answers 5 % of the requests\n");
    assert!(shown.contains("canary") && shown.contains("masks numbers"), "{shown}");
    assert_eq!((full.as_str(), rolled_back.as_str()), ("version 2 of plugin shape answers\n", "version 1 of plugin shape answers\n"));
}

#[tokio::test]
async fn the_admin_api_answers_the_calls_of_its_page() {
    let place = Place::embedded();
    let server = place.serve(&["--demo"]).await;
    let calls = shell_lines(ADMIN_API).replace("127.0.0.1:8480", &server.address().to_string());
    // Each answer on a line of its own.
    let calls = calls.lines().map(|line| if line.starts_with("curl") { format!("{line}; echo\n") } else { format!("{line}\n") });
    let output = shell(&calls.collect::<String>()).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("urn:bo-auth:problem"), "{printed}");
    let answers: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect();
    let [tenants, changed, ended, draft, tested, published, statistics, withdrawn, trail] = &answers[..] else { panic!("{printed}") };
    assert_eq!((&tenants["items"][0]["ownerId"], &changed["name"]), (&"demo".into(), &"Demo".into()));
    assert!(ended["endedSessions"].is_u64() && draft["version"] == 1, "{printed}");
    assert!(tested["results"].as_array().unwrap().iter().all(|result| result["after"]["message"] == "hello"));
    assert_eq!((&published["activeVersion"], &statistics["active"]["runs"]), (&1.into(), &0.into()));
    assert!(withdrawn.is_null() && trail["items"][0]["details"]["plugin"] == "greeting", "{printed}");
    server.stop().await;
}
