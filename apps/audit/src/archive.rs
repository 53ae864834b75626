//! The archive's objects, listed in the order in which they follow each other.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path;
use souk_analytics::archive::log_prefix;
use souk_events::LogId;
use souk_ports::{Offset, Partition};

use crate::report::{Check, Report};

/// An object as its key names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub key: String,
    pub first_offset: Offset,
}

/// Returns the objects of `log` by partition, each partition's by offset. A key that is not souk's is a difference.
///
/// Objects are listed by key alone, so that one with a damaged footer is named instead of stopping the audit.
pub(crate) async fn list(
    store: &dyn ObjectStore,
    log: LogId,
    report: &mut Report,
) -> Result<BTreeMap<Partition, Vec<Listed>>> {
    let prefix = Path::from(log_prefix(log));
    let found: Vec<_> =
        store.list(Some(&prefix)).try_collect().await.context("the archive cannot be listed")?;
    let mut objects: BTreeMap<Partition, Vec<Listed>> = BTreeMap::new();
    for meta in found {
        let key = meta.location.to_string();
        match parse(&key) {
            Some((partition, first_offset)) => {
                objects.entry(partition).or_default().push(Listed { key, first_offset });
            }
            None => {
                let expected = "a key that ends in p=<partition>/o=<first offset>.parquet";
                report.differs(Check::ArchiveObjects, format!("object {key}"), expected, "another");
            }
        }
    }
    for listed in objects.values_mut() {
        listed.sort_by(|a, b| (a.first_offset, &a.key).cmp(&(b.first_offset, &b.key)));
    }
    Ok(objects)
}

fn parse(key: &str) -> Option<(Partition, Offset)> {
    let (folders, name) = key.rsplit_once('/')?;
    let (_, partition) = folders.rsplit_once("/p=")?;
    let offset = name.strip_prefix("o=")?.strip_suffix(".parquet")?;
    Some((partition.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_say_partition_and_start() {
        let key = "product-events/log=A/date=2026-11-22/hour=18/p=00007/o=00000000000000123456.parquet";
        assert_eq!(parse(key), Some((7, 123_456)));
        for other in ["o=1.parquet", "p=1/x", "a/p=x/o=1.parquet", "a/p=1/o=1.tmp", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
