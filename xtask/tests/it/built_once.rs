//! What `cargo xtask` builds of itself serves the build of everything: see its manifest.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn no_crate_has_other_features_here_than_in_the_workspace() {
    // With and without what runs while cargo builds: a crate may be in both, with features of its own in each.
    for edges in ["normal,build", "normal,no-proc-macro"] {
        let ours = crates(&["--package", "xtask", "--edges", edges]);
        let all = crates(&["--workspace", "--edges", &format!("{edges},dev")]);

        let twice: Vec<_> = ours.difference(&all).collect();

        assert!(
            twice.is_empty(),
            "built twice by `cargo xtask test` on a clean checkout ({edges}): {twice:#?}\n\
             give them, in xtask/Cargo.toml, the features that `cargo tree --workspace --edges {edges},dev --format '{{p}} {{f}}'` \
             shows"
        );
    }
}

/// Returns name, version and features of the crates in a tree.
fn crates(selection: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(crate::root())
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"])
        .args(selection)
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("text");
    // What was shown above already is marked.
    tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}
