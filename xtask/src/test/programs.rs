//! The test programs that cargo built, as its messages name them, and what it would have passed on to each.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

/// Options of `cargo test` whose value is an argument of its own.
const TAKE_A_VALUE: [&str; 20] = [
    "-p",
    "--package",
    "--exclude",
    "--bin",
    "--example",
    "--test",
    "--bench",
    "-F",
    "--features",
    "-j",
    "--jobs",
    "--profile",
    "--target",
    "--target-dir",
    "--manifest-path",
    "--lockfile-path",
    "--color",
    "--config",
    "-C",
    "-Z",
];
/// Options of `cargo test` that name what is to be tested: the examples in documentation are not among it then.
const NAME_TARGETS: [&str; 10] = [
    "--lib",
    "--bin",
    "--bins",
    "--example",
    "--examples",
    "--test",
    "--tests",
    "--bench",
    "--benches",
    "--all-targets",
];

/// What is passed on to cargo.
#[derive(Debug, PartialEq, Eq)]
pub struct Passed {
    /// What it is to build.
    pub cargo: Vec<String>,
    /// For each test program: a name that its tests are to have, flags.
    pub programs: Vec<String>,
}

impl Passed {
    /// Takes the arguments of a `cargo test` apart; the whole workspace when there are none for cargo.
    pub fn new(arguments: &[String]) -> Self {
        let mut parts = arguments.splitn(2, |argument| argument == "--");
        let (mut cargo, mut programs) =
            (parts.next().unwrap_or_default().to_vec(), parts.next().unwrap_or_default().to_vec());
        let is_value = |place: usize| place > 0 && TAKE_A_VALUE.contains(&cargo[place - 1].as_str());
        let name = (0..cargo.len()).find(|place| !cargo[*place].starts_with('-') && !is_value(*place));
        if let Some(place) = name {
            programs.insert(0, cargo.remove(place));
        }
        if cargo.is_empty() {
            cargo.push("--workspace".to_owned());
        }
        Self { cargo, programs }
    }

    /// Returns what cargo is to build the test programs with.
    pub fn to_build(&self) -> Vec<String> {
        let mut cargo = self.cargo.clone();
        if !self.names_targets() {
            // All but the examples, which no test runs.
            cargo.push("--tests".to_owned());
        }
        cargo
    }

    fn names_targets(&self) -> bool {
        self.cargo.iter().any(|argument| {
            NAME_TARGETS.contains(&argument.split_once('=').map_or(argument.as_str(), |(name, _)| name))
        })
    }
}

/// What cargo has built so far.
#[derive(Debug, Default)]
pub struct Built {
    /// Whether there is a library whose documentation may have examples.
    documented: bool,
    /// The programs that start binaries of their package, by its manifest, until these are there as well: cargo builds
    /// both side by side.
    held: Vec<(PathBuf, Program)>,
    /// For each package of the workspace, by its manifest, how many of its binaries are missing.
    missing: HashMap<PathBuf, usize>,
}

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub package: String,
    /// Where its source begins, from the package's folder: `tests/it/main.rs`.
    pub source: String,
    path: PathBuf,
    folder: PathBuf,
}

impl Built {
    /// Of the packages that cargo's metadata tell of.
    pub fn new(metadata: &Value) -> Self {
        let count = |package: &Value| {
            let targets = package["targets"].as_array()?.iter();
            let binaries = targets.filter(|target| is_of_kind(target, "bin")).count();
            Some((package["manifest_path"].as_str()?.into(), binaries))
        };
        let packages = metadata["packages"].as_array().into_iter().flatten();
        Self { missing: packages.filter_map(count).collect(), ..Self::default() }
    }

    /// Reads cargo's messages to their end, and passes each program on as soon as it can run.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn read(&mut self, messages: impl Read, mut ready: impl FnMut(Program)) -> anyhow::Result<()> {
        for line in BufReader::new(messages).lines() {
            let line = line.context("the messages of cargo broke off")?;
            let message: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
            if message["reason"] == "compiler-artifact" {
                self.take(&message, &mut ready);
            } else if message["reason"] == "build-finished" && message["success"] == true {
                // A binary that this build leaves out will not come.
                self.held.drain(..).for_each(|(_, program)| ready(program));
            }
        }
        Ok(())
    }

    fn take(&mut self, artifact: &Value, ready: &mut impl FnMut(Program)) {
        let Some(manifest) = artifact["manifest_path"].as_str().map(PathBuf::from) else { return };
        if artifact["profile"]["test"] == true {
            self.documented |= artifact["target"]["doctest"] == true;
            let Some(program) = Program::of(artifact) else { return };
            let starts_binaries = is_of_kind(&artifact["target"], "test");
            if starts_binaries && self.missing.get(&manifest).is_some_and(|missing| *missing > 0) {
                self.held.push((manifest, program));
            } else {
                ready(program);
            }
        } else if is_of_kind(&artifact["target"], "bin")
            && let Some(missing) = self.missing.get_mut(&manifest)
        {
            *missing = missing.saturating_sub(1);
            if *missing == 0 {
                self.held.extract_if(.., |(of, _)| *of == manifest).for_each(|(_, program)| ready(program));
            }
        }
    }

    /// Tells whether the examples in documentation are to be tested as well.
    pub fn has_examples(&self, passed: &Passed) -> bool {
        self.documented && !passed.names_targets()
    }
}

fn is_of_kind(target: &Value, kind: &str) -> bool {
    target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|of| of == kind))
}

impl Program {
    /// Returns what a message of cargo tells of; nothing when that is no program.
    fn of(message: &Value) -> Option<Self> {
        let path = PathBuf::from(message["executable"].as_str()?);
        let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
        let source = Path::new(message["target"]["src_path"].as_str()?);
        let source = source.strip_prefix(&folder).unwrap_or(source).to_string_lossy().into_owned();
        // "path+file:///a/souk#0.1.0", or "path+file:///a/domain#souk-domain@0.1.0" where the folder is called otherwise.
        let (place, version) = message["package_id"].as_str()?.rsplit_once('#')?;
        let package = version.split_once('@').map(|(name, _)| name).or(place.rsplit('/').next())?.to_owned();
        Some(Self { package, source, path, folder })
    }

    /// Returns it as cargo runs it.
    pub fn command(&self, passed: &Passed) -> Command {
        let mut command = Command::new(&self.path);
        crate::cargo::forget_our_package(&mut command);
        command.current_dir(&self.folder).args(&passed.programs);
        command.env("CARGO_MANIFEST_DIR", &self.folder).env("CARGO_PKG_NAME", &self.package);
        command
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Built, Passed, Program};

    fn passed(arguments: &[&str]) -> Passed {
        Passed::new(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_come_to_whom_they_are_for() {
        let of = |arguments| {
            let Passed { cargo, programs } = passed(arguments);
            (cargo.join(" "), programs.join(" "))
        };
        let is = |cargo: &str, programs: &str| (cargo.to_owned(), programs.to_owned());
        assert_eq!(of(&[]), is("--workspace", ""));
        assert_eq!(of(&["--package", "souk-domain"]), is("--package souk-domain", ""));
        assert_eq!(of(&["-p", "souk", "crash"]), is("-p souk", "crash"));
        assert_eq!(of(&["crash"]), is("--workspace", "crash"));
        assert_eq!(
            of(&["-p", "souk", "--test=it", "--", "crash", "--exact"]),
            is("-p souk --test=it", "crash --exact")
        );
        assert_eq!(of(&["--", "crash", "--", "x"]), is("--workspace", "crash -- x"));
    }

    #[test]
    fn examples_are_not_built_unless_named() {
        let of = |arguments| passed(arguments).to_build().join(" ");
        assert_eq!(of(&["-p", "souk", "crash"]), "-p souk --tests");
        assert_eq!(of(&["--workspace", "--test", "it"]), "--workspace --test it");
        assert_eq!(of(&["--all-targets"]), "--all-targets");
    }

    const LIBC: &str = r#"{"reason":"compiler-artifact","package_id":"registry+https://x#libc@0.2.1","manifest_path":"/r/libc/Cargo.toml","target":{"kind":["lib"],"name":"libc","src_path":"/r/libc/src/lib.rs","doctest":true},"profile":{"test":false},"executable":null}"#;
    const BUILD_SCRIPT: &str =
        r#"{"reason":"build-script-executed","package_id":"path+file:///w/apps/web#souk-web@0.1.0"}"#;
    const SOUK: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/bin/souk#0.1.0","manifest_path":"/w/bin/souk/Cargo.toml","target":{"kind":["bin"],"name":"souk","src_path":"/w/bin/souk/src/main.rs","doctest":false},"profile":{"test":false},"executable":"/t/debug/souk"}"#;
    const SOUK_IT: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/bin/souk#0.1.0","manifest_path":"/w/bin/souk/Cargo.toml","target":{"kind":["test"],"name":"it","src_path":"/w/bin/souk/tests/it/main.rs","doctest":false},"profile":{"test":true},"executable":"/t/debug/deps/it-1"}"#;
    const DOMAIN: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/contract/domain#souk-domain@0.1.0","manifest_path":"/w/contract/domain/Cargo.toml","target":{"kind":["lib"],"name":"souk_domain","src_path":"/w/contract/domain/src/lib.rs","doctest":true},"profile":{"test":true},"executable":"/t/debug/deps/souk_domain-1"}"#;
    const FINISHED: &str = r#"{"reason":"build-finished","success":true}"#;
    const BROKEN: &str = r#"{"reason":"build-finished","success":false}"#;

    fn read(messages: &[&str]) -> (Built, Vec<Program>) {
        let metadata = json!({"packages": [
            {"manifest_path": "/w/bin/souk/Cargo.toml", "targets": [{"kind": ["bin"]}, {"kind": ["test"]}]},
            {"manifest_path": "/w/contract/domain/Cargo.toml", "targets": [{"kind": ["lib"]}]},
        ]});
        let (mut built, mut programs) = (Built::new(&metadata), Vec::new());
        built
            .read(messages.join("\n").as_bytes(), |program| programs.push(program))
            .expect("these are messages");
        (built, programs)
    }

    fn sources(messages: &[&str]) -> Vec<String> {
        read(messages)
            .1
            .into_iter()
            .map(|program| format!("{} {}", program.package, program.source))
            .collect()
    }

    #[test]
    fn reads_programs_off_cargos_messages() {
        let (built, programs) = read(&[LIBC, BUILD_SCRIPT, SOUK, SOUK_IT, DOMAIN, FINISHED]);
        let names: Vec<_> =
            programs.iter().map(|program| (program.package.as_str(), program.source.as_str())).collect();
        assert_eq!(names, [("souk", "tests/it/main.rs"), ("souk-domain", "src/lib.rs")]);
        let command = programs[0].command(&passed(&["crash"]));
        assert_eq!(command.get_program(), "/t/debug/deps/it-1");
        assert_eq!(command.get_current_dir().and_then(std::path::Path::to_str), Some("/w/bin/souk"));
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["crash"]);
        assert!(built.has_examples(&passed(&["-p", "souk-domain", "decide"])));
        for named in ["--lib", "--test=it", "--all-targets"] {
            assert!(!built.has_examples(&passed(&[named])), "{named}");
        }
        assert!(
            !read(&[SOUK_IT]).0.has_examples(&passed(&[])),
            "a program alone has no documentation to test"
        );
    }

    /// Cargo links both side by side, and the one that is tested is the larger one.
    #[test]
    fn a_program_waits_for_the_binary_that_it_starts() {
        let (it, domain) = ("souk tests/it/main.rs", "souk-domain src/lib.rs");
        assert_eq!(sources(&[SOUK_IT, DOMAIN, SOUK]), [domain, it]);
        assert_eq!(sources(&[SOUK_IT, DOMAIN, BROKEN]), [domain]);
        assert_eq!(sources(&[SOUK_IT, DOMAIN, FINISHED]), [domain, it], "cargo was not asked for the binary");
    }
}
