//! `souk config`: each setting with its value and where it came from.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::ConfigArgs;
use crate::failure::Failure;
use crate::output;
use crate::settings::table::{SETTINGS, UsedBy};
use crate::settings::{Layers, Purpose, Resolved, Settings, Source};

/// Prints the settings.
///
/// # Errors
/// `Usage` with every fault of the settings.
pub fn run(args: ConfigArgs) -> Result<(), Failure> {
    let flags = args.up.0;
    let layers = Layers::of_process(flags.values, flags.env_file);
    let settings = Settings::load(&layers, Purpose::Installation)?;
    let rows: Vec<Row<'_>> = SETTINGS
        .iter()
        .map(|setting| Row::of(&settings, &settings.resolved[setting.name]))
        // What this version does not read is of interest only where somebody set it.
        .filter(|row| row.used || row.value.is_some())
        .collect();
    if args.json {
        let rows: Vec<Value> = rows.iter().map(Row::json).collect();
        output::print_json(&json!({"settings": rows, "warnings": settings.warnings}));
    } else {
        output::print(&table(&rows, &settings.warnings));
    }
    Ok(())
}

struct Row<'a> {
    name: &'static str,
    value: Option<String>,
    source: &'a Source,
    derived: bool,
    used: bool,
    help: &'static str,
}

impl<'a> Row<'a> {
    fn of(settings: &Settings, resolved: &'a Resolved) -> Self {
        let derived = match resolved.setting.name {
            "API_URL" => Some(&settings.api_url),
            "SSE_URL" => Some(&settings.sse_url),
            "ANALYTICS_URL" => Some(&settings.analytics_url),
            _ => None,
        };
        Self {
            name: resolved.setting.name,
            value: resolved.shown.clone().or_else(|| derived.cloned()),
            source: &resolved.source,
            derived: resolved.shown.is_none() && derived.is_some(),
            used: resolved.setting.used_by != UsedBy::Later,
            help: resolved.setting.help,
        }
    }

    fn source(&self) -> String {
        if self.derived { "from the ports".to_owned() } else { self.source.describe() }
    }

    fn json(&self) -> Value {
        let kind = match self.source {
            _ if self.derived => "derived",
            Source::Flag(_) => "flag",
            Source::Environment => "environment",
            Source::File(_) => "file",
            Source::Default => "default",
        };
        let from = match self.source {
            Source::Flag(name) => Some(format!("--{name}")),
            Source::File(path) => Some(path.display().to_string()),
            _ => None,
        };
        json!({
            "name": self.name, "value": self.value, "source": kind, "from": from,
            "used": self.used, "help": self.help,
        })
    }
}

fn table(rows: &[Row<'_>], warnings: &[String]) -> String {
    let mut text = String::new();
    let shown: Vec<(&str, String, String)> = rows
        .iter()
        .map(|row| {
            let value = row.value.clone().unwrap_or_else(|| "(none)".to_owned());
            let mut source = row.source();
            if !row.used {
                source.push_str(", not used by this version");
            }
            (row.name, value, source)
        })
        .collect();
    let names = shown.iter().map(|(name, ..)| name.len()).max().unwrap_or_default();
    let values = shown.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or_default();
    for (name, value, source) in &shown {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:names$}  {value:values$}  {source}");
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
