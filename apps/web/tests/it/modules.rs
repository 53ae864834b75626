//! The page's own modules, tested in node, as they are written, before they are joined.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the tests of the modules.
fn tests() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js");
    let (mut folders, mut files) = (vec![folder], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("the checkout is readable").path()) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".test.js") || name.ends_with(".test.mjs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "there are no tests in apps/web/tests/js");
    files
}

#[test]
fn the_modules_do_what_their_tests_say() {
    // Folders are read differently by node's versions; files are not.
    let run =
        Command::new("node").arg("--test").args(tests()).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = run.unwrap_or_else(|error| {
        panic!(
            "node could not be started ({error}): install it, on Debian and Ubuntu `apt-get install nodejs`"
        )
    });
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let ran = told.lines().find_map(|line| line.trim_start_matches(['#', 'ℹ', ' ']).strip_prefix("pass "));
    assert!(ran.is_some_and(|count| count.trim() != "0"), "nothing was run: {told}");
}
