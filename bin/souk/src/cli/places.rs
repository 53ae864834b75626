//! Where the services are, on the command line of those who talk to them.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::settings::{Flag, Layers, Role, Settings};

/// Where an installation is.
#[derive(Debug, clap::Args)]
pub struct PlaceArgs {
    /// Where the api is [setting: API_URL] [default: http://localhost:3000]
    #[arg(long, value_name = "URL")]
    pub api: Option<String>,
    /// Where the event stream is [setting: SSE_URL] [default: port 3001 beside the api, or on its port with --monolith]
    #[arg(long, value_name = "URL")]
    pub stream: Option<String>,
    /// Where analytics is [setting: ANALYTICS_URL] [default: port 8080 beside the api, or on its port with --monolith]
    #[arg(long, value_name = "URL")]
    pub analytics: Option<String>,
}

impl PlaceArgs {
    /// Reads the settings of clients, these before all others.
    ///
    /// # Errors
    /// `Usage` naming what is wrong.
    pub fn settings(&self, env_file: Option<PathBuf>) -> Result<Settings, Failure> {
        let given = [("API_URL", "api", &self.api), ("SSE_URL", "stream", &self.stream)];
        clients(given.into_iter().chain([("ANALYTICS_URL", "analytics", &self.analytics)]), env_file)
    }
}

/// Reads the settings of clients; `given` are setting, flag and value, before all others.
///
/// # Errors
/// `Usage` naming what is wrong.
pub fn clients<'a>(
    given: impl IntoIterator<Item = (&'static str, &'a str, &'a Option<String>)>,
    env_file: Option<PathBuf>,
) -> Result<Settings, Failure> {
    let flag = |(setting, name, value): (&'static str, &str, &Option<String>)| {
        Some((setting, Flag { name: name.to_owned(), value: value.clone()? }))
    };
    let flags = given.into_iter().filter_map(flag).collect();
    Ok(Settings::load(&Layers::of_process(flags, env_file), Role::Clients)?)
}
