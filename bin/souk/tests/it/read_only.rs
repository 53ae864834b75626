//! A data folder that cannot be written: `audit` reads it, `up` says what to do.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::support::{Output, Souk, run_souk, run_souk_as};

/// The user that owns nothing; whoever runs the tests as root has to become somebody whom permissions bind.
const NOBODY: u32 = 65_534;

fn protect(path: &Path) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            protect(&entry.expect("an entry").path());
        }
    }
    let mode = if path.is_dir() { 0o555 } else { 0o444 };
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own files");
}

fn unprotect(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own files");
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            unprotect(&entry.expect("an entry").path());
        }
    }
}

/// Runs `souk` as somebody who may read `folder` and write nothing of it.
fn run_protected(folder: &Path, args: &[&str]) -> Output {
    let user = (std::fs::metadata(folder).expect("a folder").uid() == 0).then_some(NOBODY);
    protect(folder);
    let ports = [("API_PORT", "0"), ("NOTIFICATIONS_PORT", "0"), ("HEALTH_PORT", "0"), ("WEB_PORT", "0")];
    let output = run_souk_as(user, folder, args, &ports);
    unprotect(folder);
    output
}

fn shop(folder: &Path) -> Souk {
    let souk = Souk::start(folder);
    let body = r#"{"name":"Lantern","price":1,"stock":10,"sellerId":"s"}"#;
    assert_eq!(souk.api().post("/products", body).status, 201);
    souk
}

#[test]
fn a_folder_that_was_closed_in_order_is_audited_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    assert_eq!(shop(folder.path()).terminate().code(), Some(0));

    let audited = run_protected(folder.path(), &["audit", "--data-dir", "data", "--json"]);
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
    assert_eq!(audited.json()["events"], 1);

    let refused = run_protected(folder.path(), &["up", "--data-dir", "data"]);
    assert_eq!(refused.code, Some(3), "{}{}", refused.stdout, refused.stderr);
    assert!(
        refused.stderr.contains("DATA_DIR data cannot be used")
            && refused.stderr.contains("make it writable"),
        "{}",
        refused.stderr
    );
}

#[test]
fn changes_that_cannot_be_brought_in_are_told_not_left_out() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    shop(folder.path()).kill();
    let _ = std::fs::remove_file(folder.path().join("data/souk.db-shm"));

    let audited = run_protected(folder.path(), &["audit", "--data-dir", "data"]);
    assert_eq!(audited.code, Some(3), "{}{}", audited.stdout, audited.stderr);
    assert!(audited.stderr.contains("souk.db-wal; make the folder writable"), "{}", audited.stderr);

    let audited = run_souk(folder.path(), &["audit", "--data-dir", "data"], &[]);
    assert_eq!(audited.code, Some(0), "{}{}", audited.stdout, audited.stderr);
}
