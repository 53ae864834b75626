//! Other versions of Postgres than the system's: the adapter's tests once more with each.

use souk_servers::{Kind, Options, Scratch, Server};

use super::programs::{Built, Program};

/// Those that souk supports and Debian does not bring.
const OTHERS: [u32; 3] = [16, 17, 18];

/// The servers; they end with this value.
#[derive(Debug, Default)]
pub struct Versions(Vec<(u32, Server)>);

impl Versions {
    /// Starts one of each, where a program is there that talks to them.
    ///
    /// # Errors
    /// When one cannot be brought here or does not start.
    pub fn start(built: &Built, scratch: &Scratch) -> anyhow::Result<Self> {
        if !built.programs.iter().any(talks_to_postgres) {
            return Ok(Self::default());
        }
        let start = |version| {
            let options = Options { version: Some(version), ..Options::default() };
            let folder = scratch.folder(&format!("postgres-{version}"));
            Ok((version, Server::start(Kind::Postgres, folder, options)?))
        };
        OTHERS.into_iter().map(start).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Returns what is to run once more: the version, the program, and the settings by which it finds the server.
    pub fn again<'a>(
        &'a self,
        built: &'a Built,
    ) -> impl Iterator<Item = (u32, &'a Program, Vec<(&'static str, String)>)> {
        let programs = || built.programs.iter().filter(|program| talks_to_postgres(program));
        self.0.iter().flat_map(move |(version, server)| {
            programs().map(move |program| (*version, program, server.env()))
        })
    }
}

/// Tells whether a program's tests talk to Postgres alone.
fn talks_to_postgres(program: &Program) -> bool {
    program.package == "souk-postgres" && program.source.starts_with("tests/")
}
