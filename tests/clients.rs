//! Clients that nobody here wrote by hand for these tests' sake: frontends with crypto-js as they stand in the field, and one
//! whose types are generated from the OpenAPI document. They run on Node.js against the real server.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{DES_KEY, System, TestApp, User};

each_backend!(a_frontend_with_crypto_js_signs_in_and_out);
one_backend!(Local: every_cipher_of_a_frontend_is_understood, a_client_generated_from_the_document_compiles_and_works);

/// A client's directory, with what it needs installed.
fn directory(client: &str) -> PathBuf {
    let directory = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients")).join(client);
    let installed = directory.join("node_modules/.package-lock.json").exists();
    assert!(installed, "tests/clients/{client} is not installed: run scripts/test, or `npm ci` in that directory");
    directory
}

/// Runs a program of Node.js to its end; answers what it printed.
async fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.unwrap_or_else(|error| panic!("Node.js and npm must be there, as scripts/test sees to ({error})"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// Runs the crypto-js client on a system; it must take all its steps.
async fn run_crypto_js(app: &TestApp, user: &User, system: &System, (cipher, output): (&str, &str)) {
    let mut command = Command::new("node");
    command.arg("client.mjs").current_dir(directory("crypto-js"));
    command.env("BASE_URL", format!("http://{}", app.address())).env("OWNER", system.tenant.owner_id.as_str());
    command.env("SYS", system.sys_id.as_str()).env("KEY", DES_KEY).env("ACCOUNT", &user.account).env("PASSWORD", user.password());
    let printed = run(command.env("CIPHER", cipher).env("OUTPUT", output)).await;
    let steps: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(steps.iter().all(|step| step["ok"] == true && step["cipher"] == cipher && step["output"] == output), "{printed}");
    assert_eq!(steps.len(), 18, "nine steps with each method of logout: {printed}");
}

async fn a_frontend_with_crypto_js_signs_in_and_out(app: TestApp) {
    let user = app.with_tenant("clients").await.with_user("li").await;
    run_crypto_js(&app, &user, &user.system, ("ecb", "base64")).await;
}

async fn every_cipher_of_a_frontend_is_understood(app: TestApp) {
    let tenant = app.with_tenant("clients").await;
    let user = tenant.with_user("li").await;
    for (cipher, output) in [("ecb", "hex"), ("cbc", "base64"), ("cbc", "hex")] {
        let settings = json!({"cipher": format!("des-{cipher}-pkcs7"), "output": output});
        let system = tenant.with_system(&format!("{cipher}-{output}"), settings).await;
        run_crypto_js(&app, &user, &system, (cipher, output)).await;
    }
}

async fn a_client_generated_from_the_document_compiles_and_works(app: TestApp) {
    let user = app.with_tenant("clients").await.with_user("li").await;
    let directory = directory("openapi-typescript");
    let mut build = Command::new("npm");
    build.args(["run", "--silent", "build"]).current_dir(&directory);
    run(&mut build).await;

    let stamps: Vec<_> = (0..6).map(|_| user.system.new_stamp()).collect();
    let mut client = Command::new("node");
    client.arg("build/client.js").current_dir(&directory).env("BASE_URL", format!("http://{}", app.address()));
    client.env("OWNER", user.system.tenant.owner_id.as_str()).env("ACCOUNT", &user.account);
    client.env("PASSWORD", user.system.encrypt(&user.password())).env("STAMPS", stamps.join(" "));
    assert_eq!(run(&mut client).await, "");
}
