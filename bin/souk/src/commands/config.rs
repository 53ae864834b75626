//! `souk config`: each setting with its value, where it came from and who reads it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::cli::ConfigArgs;
use crate::failure::Failure;
use crate::output;
use crate::settings::table::SETTINGS;
use crate::settings::{Layers, Resolved, Role, Settings, Source};

/// Prints the settings.
///
/// # Errors
/// `Usage` with every fault of the settings.
pub fn run(args: ConfigArgs) -> Result<(), Failure> {
    let layers = Layers::of_process(args.settings.values, args.settings.env_file);
    let settings = Settings::load(&layers, Role::Config)?;
    if args.json {
        output::print_json(&document(&settings));
    } else {
        output::print(&table(&rows(&settings), &settings.warnings));
    }
    Ok(())
}

/// Returns every setting as JSON, secrets hidden.
pub fn document(settings: &Settings) -> Value {
    let rows: Vec<Value> = rows(settings).iter().map(Row::json).collect();
    json!({"settings": rows, "warnings": settings.warnings})
}

/// Returns every setting's name, value and where it came from as JSON, secrets hidden: what a backup keeps.
pub fn values(settings: &Settings) -> Value {
    let rows = rows(settings);
    let value =
        |row: &Row<'_>| json!({"name": row.resolved.setting.name, "value": row.value, "from": row.source()});
    rows.iter().map(value).collect()
}

fn rows(settings: &Settings) -> Vec<Row<'_>> {
    SETTINGS
        .iter()
        .map(|setting| Row::of(settings, &settings.resolved[setting.name]))
        // What this version does not read is of interest only where somebody set it.
        .filter(|row| row.is_used() || row.value.is_some())
        .collect()
}

struct Row<'a> {
    resolved: &'a Resolved,
    value: Option<String>,
    derived: bool,
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
            resolved,
            value: resolved.shown.clone().or_else(|| derived.cloned()),
            derived: resolved.shown.is_none() && derived.is_some(),
        }
    }

    fn is_used(&self) -> bool {
        !self.resolved.setting.readers.is_empty()
    }

    fn readers(&self) -> Vec<&'static str> {
        self.resolved.setting.readers.iter().map(|role| role.name()).collect()
    }

    /// The value as the table has it: where each service has a default of its own, all of them.
    fn shown(&self) -> String {
        let defaults = self.resolved.setting.defaults;
        match &self.value {
            Some(value) => value.clone(),
            None if defaults.is_empty() => "(none)".to_owned(),
            None => defaults.iter().map(|(_, default)| *default).collect::<Vec<_>>().join(" | "),
        }
    }

    fn source(&self) -> String {
        if self.derived { "from the ports".to_owned() } else { self.resolved.source.describe() }
    }

    fn json(&self) -> Value {
        let (setting, source) = (self.resolved.setting, &self.resolved.source);
        let kind = match source {
            _ if self.derived => "derived",
            Source::Flag(_) => "flag",
            Source::Environment => "environment",
            Source::File(_) | Source::Named { .. } => "file",
            Source::Default => "default",
        };
        let from = match source {
            Source::Flag(name) => Some(format!("--{name}")),
            Source::File(path) | Source::Named { path, .. } => Some(path.display().to_string()),
            _ => None,
        };
        let defaults: Map<String, Value> =
            setting.defaults.iter().map(|(role, default)| (role.name().to_owned(), json!(default))).collect();
        json!({
            "name": setting.name, "value": self.value, "defaults": defaults, "source": kind, "from": from,
            "file": setting.file, "used": self.is_used(), "readBy": self.readers(), "help": setting.help,
        })
    }
}

fn table(rows: &[Row<'_>], warnings: &[String]) -> String {
    let mut text = String::new();
    let shown: Vec<(&str, String, String, String)> = rows
        .iter()
        .map(|row| {
            let readers =
                if row.is_used() { row.readers().join(", ") } else { "not used by this version".to_owned() };
            (row.resolved.setting.name, row.shown(), row.source(), readers)
        })
        .collect();
    let widest =
        |of: fn(&(&str, String, String, String)) -> usize| shown.iter().map(of).max().unwrap_or_default();
    let names = widest(|(name, ..)| name.len());
    let values = widest(|(_, value, ..)| value.chars().count());
    let sources = widest(|(_, _, source, _)| source.chars().count());
    for (name, value, source, readers) in &shown {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:names$}  {value:values$}  {source:sources$}  {readers}");
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}
