//! The operator's folder: mapping, reports, and the record of what each step did.
//!
//! The record is replaced whole: written beside, synced, renamed. A process that ends anywhere leaves the one before or the
//! one after.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_domain::Timestamp;
use souk_ports::fault;

use crate::error::MigrateError;
use crate::way::{
    BackRecord, DifferencesRecord, Direction, FollowRecord, ProvenRecord, ShutRecord, TurnRecord,
};

mod lock;
mod waiting;

pub use lock::AtWork;
use lock::Lock;
pub use waiting::Waiting;

/// Time between two looks whether a follower has to make way, or may go on.
const ASKED: Duration = Duration::from_millis(100);

/// What is known of a migration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The source's identity.
    pub source: Option<String>,
    /// Where the source is, without a password.
    pub place: Option<String>,
    /// The target's identity.
    pub target: Option<String>,
    /// How far the copy is.
    pub copy: Option<CopyRecord>,
    /// Which side is followed.
    #[serde(default)]
    pub direction: Direction,
    /// How far following the source is.
    #[serde(default)]
    pub follow: Option<FollowRecord>,
    /// How far following souk is, after a cut-over.
    #[serde(default)]
    pub back: Option<BackRecord>,
    /// What the last comparison found that went on meanwhile.
    #[serde(default)]
    pub differences: Option<DifferencesRecord>,
    /// Every cut-over and rollback that took effect.
    #[serde(default)]
    pub turns: Vec<TurnRecord>,
    /// The last time that both sides were proven the same before one was opened, or let go.
    #[serde(default)]
    pub proven: Option<ProvenRecord>,
    /// Since when nobody can write; `None`: one side is open.
    #[serde(default)]
    pub shut: Option<ShutRecord>,
    /// The last time that each step was taken.
    #[serde(default)]
    pub steps: BTreeMap<String, StepRecord>,
}

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyRecord {
    /// The mapping that it was made with, as a digest.
    pub mapping: String,
    /// The last key of which the target has everything up to it.
    pub after: Option<String>,
    /// Rows read in this pass.
    pub rows: u64,
    /// Whether it came to the end once.
    pub complete: bool,
}

/// The last time that a step was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None`: it is at work, or was broken off.
    pub ended: Option<Timestamp>,
    /// How it ended, for people.
    pub outcome: String,
}

/// The folder, held by one operator.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: Option<Lock>,
}

impl Folder {
    /// Opens the folder for a step, made when absent. A follower makes way for a step that turns.
    ///
    /// # Errors
    /// `Unreachable` when it cannot be written, or another step is at work there.
    pub fn open(path: &Path, step: &str) -> Result<Self, MigrateError> {
        Ok(Self { path: path.to_owned(), lock: Some(Lock::take(path, step)?) })
    }

    /// Opens the folder to look at it.
    pub fn look(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
    }

    /// Tells which step is at work in it.
    pub fn at_work(&self) -> Option<AtWork> {
        lock::at_work(&self.path)
    }

    /// Returns where a step says for what it waits.
    pub fn waiting(&self) -> Waiting {
        Waiting::at(self.file("waiting"))
    }

    /// Waits until a step wants to turn, and the follower that has the folder has to make way.
    pub async fn is_asked_for(&self) {
        while !lock::is_asked_for(&self.path) {
            tokio::time::sleep(ASKED).await;
        }
    }

    /// Gives the folder up until the step that asked for it has come to its end, and takes it again.
    ///
    /// # Errors
    /// `Unreachable` when another step is at work there by then.
    pub async fn make_way(&mut self, step: &str) -> Result<(), MigrateError> {
        drop(self.lock.take());
        while lock::is_awaited(&self.path) {
            tokio::time::sleep(ASKED).await;
        }
        self.lock = Some(Lock::take(&self.path, step)?);
        Ok(())
    }

    /// Returns the path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns where the mapping is.
    pub fn mapping(&self) -> PathBuf {
        self.file("mapping.toml")
    }

    /// Reads the record; an empty one where there is none.
    ///
    /// # Errors
    /// `Unreachable` when it cannot be read.
    pub fn record(&self) -> Result<Record, MigrateError> {
        let path = self.file("state.json");
        let unreadable = |error: &dyn std::fmt::Display| {
            MigrateError::Unreachable(format!(
                "the record {} cannot be read: {error}; without it a step begins anew",
                path.display()
            ))
        };
        match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| unreadable(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Replaces the record.
    ///
    /// # Errors
    /// `Unreachable` when it cannot be written.
    pub fn keep(&self, record: &Record) -> Result<(), MigrateError> {
        let json = serde_json::to_vec_pretty(record).expect("a record has text keys");
        self.replace("state.json", &json)
    }

    /// Replaces a file of the folder whole.
    ///
    /// # Errors
    /// `Unreachable` when it cannot be written.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), MigrateError> {
        let (path, new) = (self.file(name), self.file(&format!("{name}.new")));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(content)?;
            file.sync_all()?;
            if name == "state.json" {
                fault::crash_point("migrate.recording");
            }
            std::fs::rename(&new, &path)?;
            // The name is on disk once the folder is.
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error: std::io::Error| {
            MigrateError::Unreachable(format!("{} cannot be written: {error}", path.display()))
        })
    }
}

impl Record {
    /// Notes that a step begins.
    pub fn begin(&mut self, step: &str, now: Timestamp) {
        let began = StepRecord { began: now, ended: None, outcome: "at work, or broken off".to_owned() };
        self.steps.insert(step.to_owned(), began);
    }

    /// Notes how a step ended.
    pub fn end(&mut self, step: &str, now: Timestamp, outcome: impl Into<String>) {
        if let Some(step) = self.steps.get_mut(step) {
            step.ended = Some(now);
            step.outcome = outcome.into();
        }
    }

    /// Notes where the source is, for a step that does not work with what the record knows of one.
    pub fn at(&mut self, place: &str) {
        self.place.get_or_insert_with(|| place.to_owned());
    }

    /// Binds the record to a source; what it knows of another one is forgotten.
    pub fn of_source(&mut self, id: &str, place: &str) {
        if self.source.as_deref().is_some_and(|known| known != id) {
            *self = Self::default();
        }
        self.source = Some(id.to_owned());
        self.place = Some(place.to_owned());
    }

    /// Binds the record to a target; a copy that went elsewhere begins anew.
    pub fn of_target(&mut self, target: &str) {
        if self.target.as_deref() != Some(target) {
            let steps = std::mem::take(&mut self.steps);
            let (source, place) = (self.source.take(), self.place.take());
            *self = Self { source, place, target: Some(target.to_owned()), steps, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operator_at_a_time_and_the_record_comes_back() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("state");
        let folder = Folder::open(&path, "copy").unwrap();
        let refused = Folder::open(&path, "follow").unwrap_err().to_string();
        assert!(
            refused.contains("another `souk migrate` is at work") && refused.contains(": copy, process "),
            "{refused}"
        );
        assert_eq!(Folder::look(&path).at_work().unwrap().step, "copy");
        let mut record = folder.record().unwrap();
        assert_eq!(record, Record::default());
        record.at("postgres://shop@db:5432/app");
        record.begin("backup", Timestamp::from_millis(4));
        record.of_source("postgres:1:2", "postgres://shop@db:5432/app");
        record.of_target("log-1");
        assert!(record.steps.contains_key("backup"), "a backup comes before the source is known");
        record.begin("copy", Timestamp::from_millis(5));
        record.copy = Some(CopyRecord { after: Some("7".into()), rows: 7, ..CopyRecord::default() });
        folder.keep(&record).unwrap();
        drop(folder);
        assert_eq!(Folder::look(&path).at_work(), None);
        let folder = Folder::open(&path, "copy").unwrap();
        assert_eq!(folder.record().unwrap(), record);
        let mut early = Record::default();
        early.begin("backup", Timestamp::from_millis(1));
        early.of_source("postgres:1:2", "postgres://shop@db:5432/app");
        early.of_target("log-1");
        assert!(early.steps.contains_key("backup"), "what was done before the source was known is of it");
        let mut moved = record.clone();
        moved.of_target("log-2");
        assert_eq!(moved.copy, None, "another target has none of it");
        record.of_source("postgres:1:3", "postgres://shop@db:5432/other");
        assert_eq!((record.copy, record.steps.len()), (None, 0), "another source has none of it");
    }
}
