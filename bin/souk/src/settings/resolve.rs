//! From flags, environment, `.env` and defaults to one value each.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::settings::dotenv::{self, DotEnv};
use crate::settings::fault::Fault;
use crate::settings::from_file;
use crate::settings::names;
use crate::settings::redact::redact;
use crate::settings::role::Role;
use crate::settings::secret::Secret;
use crate::settings::table::{self, SETTINGS, Setting};
use crate::settings::value::Value;

/// Where values come from, the first before the second.
#[derive(Debug, Default)]
pub struct Layers {
    /// Flags, by the name of their setting.
    pub flags: BTreeMap<&'static str, Flag>,
    pub environment: Vec<(OsString, OsString)>,
    /// The file given with `--env-file`, in place of `./.env`.
    pub env_file: Option<PathBuf>,
}

/// A flag that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without its dashes.
    pub name: String,
    pub value: String,
}

impl Layers {
    /// Returns the layers of this process.
    pub fn of_process(flags: BTreeMap<&'static str, Flag>, env_file: Option<PathBuf>) -> Self {
        Self { flags, environment: std::env::vars_os().collect(), env_file }
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Flag(String),
    Environment,
    File(PathBuf),
    /// The file that a setting such as `DATABASE_URL_FILE` names.
    Named {
        setting: &'static str,
        path: PathBuf,
    },
    Default,
}

impl Source {
    /// Returns it as people read it.
    pub fn describe(&self) -> String {
        match self {
            Self::Flag(name) => format!("the flag --{name}"),
            Self::Environment => "the environment".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Named { setting, path } => format!("{} ({setting})", path.display()),
            Self::Default => "the default".to_owned(),
        }
    }
}

/// A setting's value and where it came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub setting: &'static Setting,
    /// As it may be shown; `None` when there is none.
    pub shown: Option<String>,
    pub source: Source,
    /// `None` when there is none, or when it could not be read. What the role does not read has its default.
    pub value: Option<Value>,
}

impl Resolved {
    /// Returns the setting as faults name it.
    pub fn subject(&self) -> String {
        let value = self.shown.as_deref().unwrap_or_default();
        format!("{}={value:?} from {}", self.setting.name, self.source.describe())
    }

    /// Tells whether somebody set it.
    pub fn is_given(&self) -> bool {
        self.shown.is_some() && self.source != Source::Default
    }
}

/// Resolves every setting for `role`; returns them with all faults and warnings.
pub fn resolve(layers: &Layers, role: Role) -> (BTreeMap<&'static str, Resolved>, Vec<Fault>, Vec<String>) {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    let file = dotenv::read(layers.env_file.as_deref()).unwrap_or_else(|fault| {
        faults.push(fault);
        DotEnv::default()
    });
    let environment = decode(&layers.environment, &mut faults);
    judge_names(
        environment.iter().map(|(name, value)| (*name, value.as_str())),
        "the environment",
        &mut faults,
        &mut warnings,
    );
    let in_file = file.path.display().to_string();
    judge_names(
        file.entries.iter().map(|(n, v)| (n.as_str(), v.as_str())),
        &in_file,
        &mut faults,
        &mut warnings,
    );
    refuse_repeats(&file, &mut faults);

    let given = Given { layers, environment, file };
    let mut resolved = BTreeMap::new();
    for setting in SETTINGS {
        resolved.insert(setting.name, given.one(setting, role, &mut faults));
    }
    (resolved, faults, warnings)
}

/// What was given, layer by layer.
struct Given<'a> {
    layers: &'a Layers,
    environment: Vec<(&'a str, String)>,
    file: DotEnv,
}

impl Given<'_> {
    /// Returns the text given under `name`, and where.
    fn text(&self, name: &str) -> Option<(String, Source)> {
        if let Some(flag) = self.layers.flags.get(name) {
            return Some((flag.value.clone(), Source::Flag(flag.name.clone())));
        }
        // Empty is how compose files and shells say "not set".
        let of_environment = self.environment.iter().rev().find(|(n, v)| *n == name && !v.is_empty());
        if let Some((_, text)) = of_environment {
            return Some((text.clone(), Source::Environment));
        }
        let of_file = self.file.entries.iter().find(|(n, v)| n == name && !v.is_empty());
        of_file.map(|(_, text)| (text.clone(), Source::File(self.file.path.clone())))
    }

    fn one(&self, setting: &'static Setting, role: Role, faults: &mut Vec<Fault>) -> Resolved {
        let is_read = setting.is_read_by(role);
        let named = setting.file.and_then(|name| Some((name, self.text(name)?)));
        let (text, source) = match (self.text(setting.name), named) {
            (Some((text, source)), None) => (Some(text), source),
            (Some((text, source)), Some((name, (_, other)))) => {
                if is_read {
                    faults.push(Fault {
                        subject: format!(
                            "{}={:?} from {} and {name} from {}",
                            setting.name,
                            redact(setting, &text),
                            source.describe(),
                            other.describe()
                        ),
                        what: "are both given".to_owned(),
                        remedy: format!("keep one of {} and {name}", setting.name),
                    });
                }
                (Some(text), source)
            }
            (None, Some((name, (path, source)))) if is_read => match from_file::read(name, &path, &source) {
                Ok(text) => (Some(text), Source::Named { setting: name, path: path.into() }),
                Err(fault) => {
                    faults.push(fault);
                    (None, Source::Named { setting: name, path: path.into() })
                }
            },
            (None, _) => (setting.default_for(role).map(str::to_owned), Source::Default),
        };
        let mut entry =
            Resolved { setting, shown: text.as_deref().map(|t| redact(setting, t)), source, value: None };
        // What is not read here cannot do harm here; who reads it judges it.
        let text = if is_read { text } else { setting.default_for(role).map(str::to_owned) };
        if let Some(text) = text {
            match setting.kind.parse(&text) {
                Ok(Value::Text(text)) if setting.secret => {
                    entry.value = Some(Value::Secret(Secret::new(text)))
                }
                Ok(value) => entry.value = Some(value),
                Err(misread) => faults.push(Fault {
                    subject: entry.subject(),
                    what: misread.what,
                    remedy: misread.remedy,
                }),
            }
        }
        entry
    }
}

/// Takes the environment as text. What is not text and not ours is let be.
fn decode<'a>(environment: &'a [(OsString, OsString)], faults: &mut Vec<Fault>) -> Vec<(&'a str, String)> {
    let mut decoded = Vec::with_capacity(environment.len());
    for (name, value) in environment {
        let Some(name) = name.to_str() else { continue };
        match value.to_str() {
            Some(value) => decoded.push((name, value.to_owned())),
            None if table::find(name).is_some() => faults.push(Fault {
                subject: format!("{name} from the environment"),
                what: "is not UTF-8 text".to_owned(),
                remedy: "set it anew".to_owned(),
            }),
            None => {}
        }
    }
    decoded
}

fn judge_names<'a>(
    entries: impl Iterator<Item = (&'a str, &'a str)>,
    source: &str,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<String>,
) {
    for (name, value) in entries {
        if let Some(successor) = table::older(name) {
            warnings.push(format!("{name} from {source} is a setting of the older system: {successor}"));
        } else if let Some(ours) = names::meant(name) {
            let setting = table::find(ours).expect("it is one of ours");
            faults.push(Fault {
                subject: format!("{name}={:?} from {source}", redact(setting, value)),
                what: format!("looks like {ours} misspelt"),
                remedy: format!("write {ours}; if it belongs to another program, start souk without it: env -u {name} souk"),
            });
        }
    }
}

/// Refuses a setting that a file gives twice: which one counts differs between readers of such files.
fn refuse_repeats(file: &DotEnv, faults: &mut Vec<Fault>) {
    for (at, (name, _)) in file.entries.iter().enumerate() {
        if table::find(name).is_some() && file.entries[..at].iter().any(|(earlier, _)| earlier == name) {
            faults.push(Fault {
                subject: format!("{name} from {}", Path::display(&file.path)),
                what: "is there more than once".to_owned(),
                remedy: "keep one line of it".to_owned(),
            });
        }
    }
}
