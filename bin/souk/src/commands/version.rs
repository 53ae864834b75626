//! `souk version`.

use serde_json::json;

use crate::cli::VersionArgs;
use crate::failure::Failure;
use crate::output;

/// The commit it was built from, where the builder says so.
const COMMIT: Option<&str> = option_env!("SOUK_COMMIT");

/// Prints the version.
///
/// # Errors
/// None so far.
pub fn run(args: &VersionArgs) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        output::print_json(&json!({
            "name": "souk",
            "version": version,
            "commit": COMMIT,
            "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            "optimised": !cfg!(debug_assertions),
        }));
    } else {
        let commit = COMMIT.map(|commit| format!(" ({commit})")).unwrap_or_default();
        output::print(&format!("souk {version}{commit}\n"));
    }
    Ok(())
}
