//! `bo-auth area import`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{Frontend, Pair, Place};

/// As many areas as a country has down to its townships: the codes of GB/T 2260, and three digits more for a township.
fn whole_country() -> (String, usize) {
    let (mut text, mut rows) = ("code,parent,name\n".to_owned(), 0);
    let mut add = |code: &str, parent: &str, name: &str| {
        writeln!(text, "{code},{parent},{name}").unwrap();
        rows += 1;
    };
    for province in 11..45 {
        let province_code = format!("{province}0000");
        add(&province_code, "", &format!("{province}省"));
        for city in 1..=10 {
            let city_code = format!("{province}{city:02}00");
            add(&city_code, &province_code, &format!("{city}市"));
            for county in 1..=8 {
                let county_code = format!("{province}{city:02}{county:02}");
                add(&county_code, &city_code, &format!("{county}县"));
                for town in 1..=14 {
                    add(&format!("{county_code}{town:03}"), &county_code, &format!("\"{town}镇, {county}县\""));
                }
            }
        }
    }
    (text, rows)
}

#[tokio::test]
async fn a_whole_country_is_imported_in_seconds() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let (text, rows) = whole_country();
    assert!(rows > 40_000, "{rows}");
    let file = place.file("areas.csv", &text);
    let server = place.serve(&[]).await;

    let begun = Instant::now();
    let imported = place.run(&["area", "import", &file, "--owner", "acme"]).await;
    let taken = begun.elapsed();
    assert_eq!((imported.text(), imported.stderr.as_str()), (format!("{rows} areas of tenant acme\n").as_str(), ""));
    assert!(taken < Duration::from_secs(20), "{taken:?}");

    let again = place.json(&["area", "import", &file, "--owner", "acme"]).await;
    assert_eq!(again, json!({"ownerId": "acme", "areas": rows}), "repeating it is safe");

    let password = place.file("password", Frontend::PASSWORD);
    place.json(&["user", "add", "--owner", "acme", "--account", "mei", "--area", "440100", "--password-file", &password]).await;
    let mei = Pair::of(&server.call(&frontend.login_as("mei", Frontend::PASSWORD)).await);
    for (area, code) in
        [("440108014", "OK"), ("440100", "OK"), ("440208014", "AREA_FORBIDDEN"), ("440000", "AREA_FORBIDDEN"), ("990000", "AREA_UNKNOWN")]
    {
        assert_eq!(server.code(&frontend.current(&mei).header("XfilterAreaCode", area)).await, code, "{area}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_imported_is_named_by_its_line() {
    let place = Place::embedded();
    place.with_tenant("acme").await;
    for (text, reason) in [
        ("code,parent,name\n44,,a\n44,,b\n", "line 3: the code stands in line 2 already"),
        ("44,,a\n4401,45,b\n", "line 2: parent `45` is not in the file"),
        ("44,,a\n\n\n4401,45,b\n", "line 4: parent `45` is not in the file"),
        ("44,,\"two\nlines\"\n4401,45,b\n", "line 3: parent `45` is not in the file"),
        ("44,4401,a\n4401,44,b\n", "line 1: its parents form a circle, or lie more than 16 deep"),
        ("44,,a\n4401,44\n", "line 2: it must have three columns: code, parent (may be empty), name"),
        ("44,,a\n4401,44,\n", "line 2: it must have three columns: code, parent (may be empty), name"),
        ("44,,a\n44 01,44,b\n", "line 2: the code is not an identifier"),
        ("44,,a\n4401,4 4,b\n", "line 2: the parent is not an identifier"),
    ] {
        let file = place.file("areas.csv", text);
        let refused = place.run(&["area", "import", &file, "--owner", "acme"]).await;
        assert_eq!(refused.failure(), format!("error: {file}: {reason}"), "{text:?}");
    }
    let latin = place.file("latin.csv", b"44,,a\n4401,44,M\xfcnster\n");
    let refused = place.run(&["area", "import", &latin, "--owner", "acme"]).await;
    assert!(refused.failure().ends_with("line 2: not readable as CSV in UTF-8"), "{refused:?}");

    let good = place.file("areas.csv", "44,,广东省\n");
    let refused = place.run(&["area", "import", &good, "--owner", "nobody"]).await;
    assert!(refused.failure().contains("there is no tenant `nobody`"), "{refused:?}");
    let refused = place.run(&["area", "import", "/nowhere.csv", "--owner", "acme"]).await;
    assert!(refused.failure().starts_with("error: /nowhere.csv: "), "{refused:?}");
}
