//! Services that verify access tokens with libraries that nobody here wrote, in their defaults,
//! while keys are rotated: jose on Node.js, and `PyJWT`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::signing_key::set::ANNOUNCEMENT;
use bo_auth_service::operator::key::{Replacement, RotationOptions};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::{Session, Tenant, TestApp};

one_backend!(Local: verifiers_notice_nothing_of_a_rotation, verifiers_refuse_what_an_emergency_signs_until_they_ask_again);

/// A running service.
struct Verifier {
    name: &'static str,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Verifier {
    fn start(app: &TestApp, tenant: &Tenant, name: &'static str) -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut command = match name {
            "jose" => Command::new("node"),
            _ => Command::new(root.join("target/pyjwt-client/bin/python")),
        };
        let program = if name == "jose" { "verifier.mjs" } else { "verifier.py" };
        let address = app.address();
        let key_set = format!("http://{address}/.well-known/jwks.json?ownerId={}", tenant.owner_id);
        command.arg(program).current_dir(root.join("tests/clients").join(name)).env("KEY_SET", key_set);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("tests need Node.js and PyJWT, as scripts/test installs them");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { name, input, output: BufReader::new(output).lines(), _process: process }
    }

    fn all(app: &TestApp, tenant: &Tenant) -> [Self; 2] {
        ["jose", "pyjwt"].map(|name| Self::start(app, tenant, name))
    }

    async fn verify(&mut self, app: &TestApp, session: &Session) -> String {
        let line = json!({"token": session.access_token, "now": app.now().0}).to_string() + "\n";
        self.input.write_all(line.as_bytes()).await.unwrap();
        self.output.next_line().await.unwrap().unwrap_or_else(|| panic!("{} has stopped", self.name))
    }
}

async fn verifiers_notice_nothing_of_a_rotation(app: TestApp) {
    for algorithm in [Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA] {
        let tenant = app.with_tenant_of("acme", algorithm).await;
        let mut session = tenant.with_user("li").await.signed_in().await;
        let mut verifiers = Verifier::all(&app, &tenant);
        for verifier in &mut verifiers {
            assert_eq!(verifier.verify(&app, &session).await, "ok", "{}", verifier.name);
        }
        let rotated = tenant.rotate(Replacement::Access(None), Duration::from_hours(1)).await;
        let older = session.clone();
        let steps = [Duration::ZERO, Duration::from_secs(1), ANNOUNCEMENT / 2, (ANNOUNCEMENT / 2).saturating_sub(Duration::from_secs(1))];
        for step in steps {
            app.advance(step);
            session = session.refreshed().await;
            for verifier in &mut verifiers {
                for token in [&session, &older] {
                    assert_eq!(verifier.verify(&app, token).await, "ok", "{algorithm:?} {} after {step:?}", verifier.name);
                }
            }
        }
        let header = crate::support::base64_url(session.access_token.split('.').next().unwrap());
        let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["kid"], rotated.key.key_id.as_str(), "the new key signs by now");
    }
}

async fn verifiers_refuse_what_an_emergency_signs_until_they_ask_again(app: TestApp) {
    let tenant = app.with_tenant_of("acme", Algorithm::ES256).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let [mut jose, _] = Verifier::all(&app, &tenant);
    assert_eq!(jose.verify(&app, &session).await, "ok");
    let options = RotationOptions { overlap: None, now: true };
    let rotated = tenant.rotate_with(Replacement::Access(None), options).await;
    assert!(rotated.is_unknown_to_verifiers, "whoever asks for it is told");
    let session = session.refreshed().await;
    assert_eq!(jose.verify(&app, &session).await, "ERR_JWKS_NO_MATCHING_KEY");
    app.advance(Duration::from_mins(10));
    assert_eq!(jose.verify(&app, &session).await, "ok");
}
