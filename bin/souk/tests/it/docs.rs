//! The guide for operators tells every setting as it is.

use serde_json::Value;

use crate::support::run_souk;

/// Returns the table of settings as the guide has to have it.
fn table() -> String {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let config = run_souk(folder.path(), &["config", "--json"], &[]).json();
    let settings = config["settings"].as_array().expect("settings are an array");
    let mut table = "| setting | default | read by | |\n|---|---|---|---|\n".to_owned();
    for setting in settings {
        let text = |field: &str| setting[field].as_str().unwrap_or_default().to_owned();
        let file = setting["file"].as_str().map(|file| format!(", `{file}`")).unwrap_or_default();
        let defaults = setting["defaults"].as_object().expect("defaults are an object");
        let default = match (text("source").as_str(), &setting["value"]) {
            ("derived", _) => "from the ports".to_owned(),
            (_, Value::String(value)) => value.clone(),
            _ if defaults.is_empty() => "–".to_owned(),
            _ => {
                let each =
                    defaults.iter().map(|(by, value)| format!("{} ({by})", value.as_str().unwrap_or("")));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        let readers: Vec<&str> =
            setting["readBy"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        table.push_str(&format!(
            "| `{}`{file} | {default} | {} | {} |\n",
            text("name"),
            readers.join(", "),
            text("help")
        ));
    }
    table
}

#[test]
fn the_guide_has_every_setting_as_it_is() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
    let guide = std::fs::read_to_string(guide).expect("docs/operating.md is there");
    let table = table();
    assert!(guide.contains(&table), "put this table into docs/operating.md:\n\n{table}");
}
