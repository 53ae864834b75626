//! Versions of Postgres that the system's packages do not have.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use super::programs;
use crate::install::{MAVEN, cache, once, project};
use crate::tools::{Tool, on_path, provide, quietly};

/// Each major version with its release, as <https://github.com/zonkyio/embedded-postgres-binaries> has them: server
/// and `initdb` with the libraries that they need.
const RELEASES: [(u32, &str); 3] = [(16, "16.10.0"), (17, "17.6.0"), (18, "18.0.0")];

/// The programs, in the cache.
const TAR: &str = "postgres.tar";

const XZ: Tool = Tool {
    name: "xz",
    why: "unpacks other versions of Postgres",
    found: || on_path("xz").is_some() && on_path("tar").is_some(),
    debian: &["xz-utils", "tar"],
    otherwise: "install xz and tar",
};

/// Returns the folder of programs of `version`: the system's where it has them, else in `folder`, where the server's
/// data is too, since the user who runs Postgres in place of root may not be able to enter the cache.
///
/// # Errors
/// When there is no such release, or it cannot be brought here; names the remedy.
pub fn of_version(version: u32, folder: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(programs) = programs(Some(version)) {
        return Ok(programs);
    }
    let own = folder.join("programs");
    if !own.is_dir() {
        let packed = packed(version, &cache()?)?;
        let new = tempfile::Builder::new().prefix("programs-").tempdir_in(folder)?;
        quietly(Command::new("tar").arg("-xf").arg(packed).arg("-C").arg(new.path()))
            .with_context(|| format!("could not unpack PostgreSQL {version}"))?;
        crate::scratch::open_to_others(new.path())?;
        std::fs::rename(new.path(), &own)?;
        // Renamed: there is nothing left to remove under the old name.
        let _ = new.keep();
    }
    Ok(own.join("bin"))
}

/// Returns the archive of `version`, brought into `cache` where it is not there.
fn packed(version: u32, cache: &Path) -> anyhow::Result<PathBuf> {
    let Some((_, release)) = RELEASES.iter().find(|(major, _)| *major == version) else {
        bail!("PostgreSQL {version} is neither installed nor among those that can be fetched: install it");
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64v8",
        other => bail!("there is no PostgreSQL {version} to fetch for {other}: install it"),
    };
    provide(&[&MAVEN, &XZ])?;
    let folder = once(cache, &format!("postgres-tar-{release}"), |folder| {
        eprintln!("installing PostgreSQL {release} with Maven (some seconds)");
        let artifact =
            format!("io.zonky.test.postgres:embedded-postgres-binaries-linux-{machine}:{release}:jar");
        // What Maven leaves beside the archive, its own notes included, is not for the cache.
        let work = tempfile::tempdir_in(folder)?;
        std::fs::write(work.path().join("pom.xml"), project(""))?;
        let mut maven = Command::new("mvn");
        maven.current_dir(work.path()).args(["-q", "-B", "dependency:unpack", "-DoutputDirectory=."]);
        quietly(maven.arg(format!("-Dartifact={artifact}"))).with_context(|| {
            format!("could not fetch PostgreSQL {release}: is Maven's repository within reach?")
        })?;
        let mut brought = std::fs::read_dir(work.path())?.flatten().map(|entry| entry.path());
        let packed = brought.find(|path| path.extension().is_some_and(|extension| extension == "txz"));
        let packed = packed.context("the artifact has no PostgreSQL in it")?;
        // Taken out of its compression once, not by each test that runs it.
        let tar = std::fs::File::create(folder.join(TAR))?;
        let status =
            Command::new("xz").args(["--decompress", "--stdout"]).arg(&packed).stdout(tar).status()?;
        if !status.success() {
            bail!("could not unpack PostgreSQL {release}: xz said why");
        }
        Ok(())
    })?;
    Ok(folder.join(TAR))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_release_is_brought_alone() {
        let cache = tempfile::tempdir().expect("a folder");
        let packed = super::packed(17, cache.path()).expect("it is brought");
        let folder = packed.parent().expect("it is in a folder");
        let names: Vec<_> = std::fs::read_dir(folder).expect("it is there").flatten().collect();
        assert!(names.len() == 1 && packed.is_file(), "{names:?}");
    }
}
