//! What a server's folder tells about it: `server.json`, by which another process finds it again.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::process::Identity;
use crate::{Kind, Options};

const NAME: &str = "server.json";

/// Where a server listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ports {
    pub main: u16,
    /// Kafka's controller.
    pub controller: Option<u16>,
    /// Kafka: (listened to, told to clients).
    pub behind: Vec<(u16, u16)>,
}

/// A server that was started in a folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub kind: Kind,
    pub options: Options,
    pub ports: Ports,
    /// `None` when it was stopped in order.
    pub process: Option<Identity>,
}

impl Record {
    /// Reads the record of a folder; `None` when there is none.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let record = serde_json::from_str(&text).with_context(|| {
            format!("{} cannot be read; remove it once its server has ended", path.display())
        })?;
        Ok(Some(record))
    }

    /// Replaces the record of a folder at once: a reader sees the old one or the new one.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self).context("a record is always JSON")?;
        let new = folder.join("server.json.new");
        std::fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
        std::fs::rename(&new, folder.join(NAME)).context("cannot replace server.json")
    }
}
