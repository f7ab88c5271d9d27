//! `bo-auth openapi`.

use serde_json::{Value, json};

use crate::process::{Place, finish};

const FILES: [&str; 5] = ["bo-v3.json", "bo-v3.yaml", "bo-v3.1.json", "session-v1.json", "admin-v1.json"];

fn checked_in(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../openapi/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test]
async fn the_document_is_printed_as_it_is_checked_in() {
    let place = Place::embedded();
    let printed = finish(place.binary(&["openapi"])).await;
    assert_eq!(printed.text().trim_end(), checked_in("bo-v3.json").trim_end());
    let json = finish(place.binary(&["openapi", "--json"])).await.json();
    assert_eq!(json, serde_json::from_str::<Value>(&checked_in("bo-v3.json")).unwrap());
    assert!(!place.data().exists(), "nothing is made for it");
}

#[tokio::test]
async fn the_documents_are_written_as_they_are_checked_in() {
    let place = Place::embedded();
    let directory = place.scratch().to_str().unwrap();
    let written = finish(place.binary(&["openapi", "--write", directory, "--json"])).await;
    assert_eq!(written.json(), json!(FILES));
    for name in FILES {
        assert_eq!(std::fs::read_to_string(place.scratch().join(name)).unwrap(), checked_in(name), "{name}: run scripts/openapi");
    }
    let refused = finish(place.binary(&["openapi", "--write", "/nowhere"])).await;
    assert!(refused.failure().starts_with("error: /nowhere/bo-v3.json: "), "{refused:?}");
}
