//! What makes a server die, wait or leave out a guard for the tests of `tests/torture` is in no ordinary build.

use std::process::Command;

#[test]
fn an_ordinary_build_has_no_failpoints() {
    for name in ["BO_AUTH_FAILPOINTS", "BO_AUTH_WITHOUT"] {
        let found = Command::new("grep").args(["-aqF", name, env!("CARGO_BIN_EXE_bo-auth")]).status().unwrap();
        assert_eq!(found.code(), Some(1), "{name} is in the binary");
    }
}
