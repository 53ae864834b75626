//! A folder is a dependency rule: `bin → apps, infra → contract`; and a file is one idea.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Apps that others may use: the manners that all share, the page that these show, the client of those who come from
/// outside, the folding that an audit repeats, and the proven objects that a move reads.
const SHARED_APPS: &[(&str, &[&str])] = &[
    ("souk-http", &["souk-api", "souk-notifications", "souk-analytics", "souk-web"]),
    ("souk-docs", &["souk-http"]),
    ("souk-client", &["souk-load", "souk-migrate", "souk-verify"]),
    ("souk-analytics", &["souk-audit", "souk-move"]),
    ("souk-audit", &["souk-move"]),
];

/// What only tests and `xtask` use: no service starts servers or breaks connections.
const TEST_BEDS: &[&str] =
    &["souk-servers", "souk-fault-proxy", "souk-browser", "souk-conformance", "souk-contract-check"];

/// The adapters, as code names them.
const ADAPTERS: &[&str] = &["souk_embedded", "souk_distributed", "souk_postgres", "souk_kafka", "souk_aws"];

/// Past this a file has more than one responsibility.
const LONGEST: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("bin/souk is two below the root")
        .to_owned()
}

/// A crate of the workspace: its folder, and what it depends on, as (name, for tests only).
struct Member {
    name: String,
    folder: String,
    dependencies: Vec<(String, bool)>,
}

fn members() -> Vec<Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo is there: it runs this test");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: Vec<String> = packages.iter().map(|package| text(&package["name"])).collect();
    packages
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let folder = manifest.parent().expect("a manifest is in a folder");
            let folder = folder.strip_prefix(root()).expect("members are below the root");
            let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
            Member {
                name: text(&package["name"]),
                folder: folder.to_string_lossy().replace('\\', "/"),
                dependencies: dependencies
                    .map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev"))
                    .filter(|(name, _)| ours.contains(name))
                    .collect(),
            }
        })
        .collect()
}

/// Tells whether `from` may depend on `to`; the folders are `bin/souk`, `apps/api` and so on.
fn may_depend(from: &Member, to: &Member, in_tests: bool) -> bool {
    let layer = |member: &Member| member.folder.split('/').next().unwrap_or_default().to_owned();
    if TEST_BEDS.contains(&to.name.as_str()) {
        return in_tests || layer(from) == "xtask" || TEST_BEDS.contains(&from.name.as_str());
    }
    let distributed = |member: &Member| member.folder.starts_with("infra/distributed");
    match (layer(from).as_str(), layer(to).as_str()) {
        (_, "contract") | ("bin", "apps" | "infra") => true,
        // Who asks another app over HTTP in its tests speaks its manners.
        ("apps", "apps") if in_tests && to.name == "souk-http" => true,
        ("apps", "apps") => SHARED_APPS
            .iter()
            .any(|(shared, users)| *shared == to.name && users.contains(&from.name.as_str())),
        // The relay works between Postgres and Kafka.
        ("infra", "infra") if distributed(from) && distributed(to) => true,
        // Tests need something that answers; the suite is made for the adapters' tests.
        ("apps" | "infra", "infra") => in_tests,
        // Developers start by hand the servers that tests start.
        ("xtask", "infra") => to.name == "souk-servers",
        _ => false,
    }
}

#[test]
fn arrows_point_from_bin_to_apps_and_infra_to_contract() {
    let members = members();
    let by_name: BTreeMap<&str, &Member> = members.iter().map(|m| (m.name.as_str(), m)).collect();
    assert!(
        by_name.contains_key("souk") && by_name.contains_key("souk-domain"),
        "the workspace was not found"
    );
    let mut wrong = Vec::new();
    for member in &members {
        for (dependency, in_tests) in &member.dependencies {
            if !may_depend(member, by_name[dependency.as_str()], *in_tests) {
                wrong.push(format!("{} -> {dependency}", member.folder));
            }
        }
    }
    assert!(wrong.is_empty(), "these dependencies point the wrong way: {wrong:#?}");
}

#[test]
fn an_arrow_the_wrong_way_is_noticed() {
    let member = |name: &str, folder: &str| Member {
        name: name.to_owned(),
        folder: folder.to_owned(),
        dependencies: Vec::new(),
    };
    let (api, audit) = (member("souk-api", "apps/api"), member("souk-audit", "apps/audit"));
    let (embedded, ports) =
        (member("souk-embedded", "infra/embedded"), member("souk-ports", "contract/ports"));
    let (http, bin) = (member("souk-http", "apps/http"), member("souk", "bin/souk"));
    let (servers, kafka) =
        (member("souk-servers", "infra/servers"), member("souk-kafka", "infra/distributed/kafka"));
    let relay = member("souk-distributed", "infra/distributed");
    for (from, to) in [
        (&bin, &servers),
        (&kafka, &servers),
        (&kafka, &embedded),
        (&embedded, &kafka),
        (&api, &kafka),
        (&api, &embedded),
        (&api, &audit),
        (&ports, &api),
        (&ports, &embedded),
        (&embedded, &api),
        (&http, &api),
        (&api, &bin),
    ] {
        assert!(!may_depend(from, to, false), "{} -> {}", from.name, to.name);
    }
    for (from, to) in [
        (&api, &http),
        (&api, &ports),
        (&bin, &embedded),
        (&bin, &kafka),
        (&relay, &kafka),
        (&embedded, &ports),
    ] {
        assert!(may_depend(from, to, false), "{} -> {}", from.name, to.name);
    }
    assert!(may_depend(&api, &embedded, true) && may_depend(&bin, &servers, true));
}

#[test]
fn folders_are_named_as_their_crates() {
    for member in members() {
        let folder = member.folder.rsplit('/').next().unwrap_or_default().to_owned();
        let name = member.name.strip_prefix("souk-").unwrap_or(&member.name);
        assert_eq!(name, folder, "{} in {}", member.name, member.folder);
    }
}

#[test]
fn only_the_wiring_names_an_adapter() {
    let mut found = Vec::new();
    each_source(&root(), &mut |path, text| {
        let wires = path.starts_with("bin/souk/") || path.starts_with("infra/");
        // Examples are run by hand, like tests.
        let test = ["/tests/", "/tests.rs", "/testing", "/examples/"].iter().any(|part| path.contains(part));
        // What follows the tests' module of a file is compiled for tests only.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if !wires && !test && ADAPTERS.iter().any(|adapter| code.contains(adapter)) {
            found.push(path.to_owned());
        }
    });
    assert!(found.is_empty(), "these name an adapter outside of bin/souk: {found:#?}");
}

#[test]
fn no_file_is_long() {
    let mut long = Vec::new();
    each_source(&root(), &mut |path, text| {
        let lines = text.lines().count();
        if lines > LONGEST {
            long.push(format!("{path}: {lines} lines"));
        }
    });
    assert!(long.is_empty(), "split these by responsibility: {long:#?}");
}

#[test]
fn every_file_says_on_top_what_it_is() {
    let mut silent = Vec::new();
    each_source(&root(), &mut |path, text| {
        // A file of tests stands beside the code whose doc says it.
        if !text.starts_with("//!") && !path.ends_with("tests.rs") {
            silent.push(path.to_owned());
        }
    });
    assert!(silent.is_empty(), "these begin without a module doc: {silent:#?}");
}

/// Calls `visit` with each Rust file's path from the root, and its text.
fn each_source(root: &Path, visit: &mut impl FnMut(&str, &str)) {
    let mut folders: Vec<PathBuf> =
        ["bin", "apps", "contract", "infra", "xtask"].map(|f| root.join(f)).into();
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("the checkout is readable").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are text");
                let relative = path.strip_prefix(root).expect("it is below the root");
                visit(&relative.to_string_lossy().replace('\\', "/"), &text);
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} sources were found below {}", root.display());
}
