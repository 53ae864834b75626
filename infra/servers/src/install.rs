//! Bringing the servers' programs here, once, into a cache outside the checkout.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tools::{Tool, on_path, provide, quietly};
use crate::{Kind, classes, dynamo, java, kafka, minio, postgres};

/// Where the programs of each kind lie: Postgres' folder of programs, the folder of jars, MinIO's program.
#[derive(Debug, Clone, Default)]
pub struct Installed(BTreeMap<Kind, PathBuf>);

impl Installed {
    pub(crate) fn path(&self, kind: Kind) -> anyhow::Result<&Path> {
        self.0.get(&kind).map(PathBuf::as_path).with_context(|| format!("{kind} was not installed"))
    }
}

pub const MAVEN: Tool = Tool {
    name: "Maven",
    why: "fetches servers",
    found: || on_path("mvn").is_some(),
    debian: &["maven"],
    otherwise: "install it from https://maven.apache.org",
};

/// Returns the folder that keeps installed programs: `SOUK_CACHE`, else `souk/servers` in the user's cache.
///
/// # Errors
/// When neither `SOUK_CACHE` nor `HOME` is set.
pub fn cache() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(folder) = set("SOUK_CACHE") {
        return std::path::absolute(&folder).context("SOUK_CACHE is no path");
    }
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache
        .context("set HOME or SOUK_CACHE: one says where the servers are installed")?
        .join("souk/servers"))
}

/// Makes sure that the programs of `kinds` are here; says on stderr what takes long. Cheap when they are.
///
/// # Errors
/// When something is missing and cannot be brought here; names it and the remedy.
pub fn install(kinds: &[Kind]) -> anyhow::Result<Installed> {
    if !cfg!(target_os = "linux") {
        bail!("without Docker the servers run on Linux alone: start a Docker engine");
    }
    let mut tools: Vec<&Tool> = Vec::new();
    let cache = cache()?;
    for kind in kinds {
        let installed = is_installed(*kind, &cache);
        match kind {
            Kind::Postgres => tools.push(&postgres::TOOL),
            Kind::Kafka | Kind::Dynamo => {
                tools.push(&java::TOOL);
                if !installed {
                    tools.push(&MAVEN);
                }
            }
            Kind::Minio if !installed => tools.push(&minio::GO),
            Kind::Minio => {}
        }
    }
    tools.sort_by_key(|tool| tool.name);
    tools.dedup_by_key(|tool| tool.name);
    provide(&tools)?;
    if tools.iter().any(|tool| tool.name == java::TOOL.name) {
        java::check_version()?;
    }
    let mut paths = BTreeMap::new();
    for kind in kinds {
        let path = match kind {
            Kind::Postgres => postgres::programs(None)?,
            Kind::Kafka => {
                let path = maven(&cache, &kafka::PACKAGE)?;
                classes::prepare(&path)?;
                path
            }
            Kind::Dynamo => maven(&cache, &dynamo::PACKAGE)?,
            Kind::Minio => minio::install(&cache)?,
        };
        paths.insert(*kind, path);
    }
    Ok(Installed(paths))
}

fn is_installed(kind: Kind, cache: &Path) -> bool {
    match kind {
        Kind::Postgres => true,
        Kind::Kafka => cache.join(kafka::PACKAGE.folder).is_dir(),
        Kind::Dynamo => cache.join(dynamo::PACKAGE.folder).is_dir(),
        Kind::Minio => minio::is_installed(cache),
    }
}

/// Jars to fetch with Maven.
pub struct Package {
    /// For people.
    pub name: &'static str,
    /// Its folder in the cache; the version is part of the name.
    pub folder: &'static str,
    /// As (group, artifact, version).
    pub jars: &'static [(&'static str, &'static str, &'static str)],
    /// Files that go beside the jars.
    pub files: &'static [(&'static str, &'static str)],
}

/// Makes `folder` in the cache by `fill`, once: whoever comes meanwhile waits, and nobody sees half of it.
pub fn once(
    cache: &Path,
    folder: &str,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let target = cache.join(folder);
    if target.is_dir() {
        return Ok(target);
    }
    std::fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock =
        File::create(cache.join("lock")).with_context(|| format!("cannot write to {}", cache.display()))?;
    lock.lock().context("cannot lock the cache of servers")?;
    if target.is_dir() {
        return Ok(target);
    }
    let new =
        tempfile::Builder::new().prefix("new-").tempdir_in(cache).context("cannot write to the cache")?;
    fill(new.path())?;
    std::fs::rename(new.path(), &target).with_context(|| format!("cannot make {}", target.display()))?;
    // Renamed: there is nothing left to remove under the old name.
    let _ = new.keep();
    Ok(target)
}

/// What Maven takes for a project: without one it calls folders by names such as `${project.basedir}`.
pub fn project(dependencies: &str) -> String {
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>souk</groupId><artifactId>servers</artifactId><version>1</version>\
         <packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>\n"
    )
}

fn maven(cache: &Path, package: &Package) -> anyhow::Result<PathBuf> {
    once(cache, package.folder, |folder| {
        eprintln!("installing {} with Maven (some seconds)", package.name);
        let dependencies: String = package
            .jars
            .iter()
            .map(|(group, artifact, version)| {
                format!(
                    "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
                     <version>{version}</version></dependency>"
                )
            })
            .collect();
        std::fs::write(folder.join("pom.xml"), project(&dependencies))?;
        quietly(Command::new("mvn").args(["-q", "-B", "-f"]).arg(folder.join("pom.xml")).args([
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-DoutputDirectory=lib",
        ]))
        .with_context(|| format!("could not fetch {}: is Maven's repository within reach?", package.name))?;
        for (name, text) in package.files {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_folder_is_made_once_and_whole() {
        let cache = tempfile::tempdir().expect("a folder");
        let failed = super::once(cache.path(), "thing", |folder| {
            std::fs::write(folder.join("half"), "")?;
            anyhow::bail!("broke off")
        });
        assert!(failed.is_err() && !cache.path().join("thing").exists(), "half of it is nothing");
        for _ in 0..2 {
            let mut calls = 0;
            let path = super::once(cache.path(), "thing", |folder| {
                calls += 1;
                Ok(std::fs::write(folder.join("whole"), "")?)
            });
            assert!(path.expect("it can be made").join("whole").is_file());
            assert!(calls <= 1);
        }
        let entries = std::fs::read_dir(cache.path()).expect("it is there").count();
        assert_eq!(entries, 2, "the lock and the thing, nothing half-made");
    }
}
