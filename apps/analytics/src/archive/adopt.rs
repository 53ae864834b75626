//! An object that is there already: written by this writer before a crash, or by another one that took over.
//!
//! It is adopted when it holds exactly what the log holds from where it begins to where it says it ends; anything
//! else means that two logs share an identity or that somebody changed the archive, and is never overwritten.

use object_store::ObjectStore;
use souk_ports::{EventLog, PortError, ReadLimit};

use super::footer::RecordDigest;
use super::reader::{ReadError, read_object};
use super::{ArchivedObject, Span};

/// Why an object cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdoptError {
    /// The log cannot be read now.
    #[error("the log cannot be read: {0}")]
    Log(#[from] PortError),
    /// The store cannot be read now.
    #[error(transparent)]
    Store(object_store::Error),
    /// It is not ours.
    #[error(
        "archived object {key} is in the way: {reason}; it is left as it is, move it out of the archive or restore the log that it belongs to, then restart"
    )]
    Foreign {
        /// The object.
        key: String,
        /// What tells.
        reason: String,
    },
}

/// Reads the object at `key` and proves that it holds what the log holds; returns it.
pub(super) async fn verify(
    store: &dyn ObjectStore,
    log: &dyn EventLog,
    key: &str,
    span: &Span,
) -> Result<ArchivedObject, AdoptError> {
    let foreign = |reason: String| AdoptError::Foreign { key: key.to_owned(), reason };
    let object = match read_object(store, key).await {
        Ok(contents) => contents.object,
        Err(ReadError::Store(error)) => return Err(AdoptError::Store(error)),
        Err(ReadError::Damaged { reason, .. }) => return Err(foreign(reason)),
    };
    let footer = &object.footer;
    if (footer.log, footer.partition, footer.first_offset) != (span.log, span.partition, span.first_offset) {
        return Err(foreign(format!(
            "it says log {}, partition {}, offset {}",
            footer.log, footer.partition, footer.first_offset
        )));
    }
    if footer.next_offset <= footer.first_offset {
        return Err(foreign(format!("it ends at {}, before its first record", footer.next_offset)));
    }
    let (rows, digest) = digest_of_log(log, span, footer.next_offset).await?;
    if (rows, &digest) != (footer.rows, &footer.digest) {
        return Err(foreign(format!(
            "from {} to {} it holds {} records with digest {}, the log {rows} with {digest}",
            footer.first_offset, footer.next_offset, footer.rows, footer.digest
        )));
    }
    Ok(object)
}

/// Returns count and digest of what the log holds from the span's start to `next`.
async fn digest_of_log(log: &dyn EventLog, span: &Span, next: u64) -> Result<(u64, String), PortError> {
    let (mut digest, mut rows, mut from) = (RecordDigest::default(), 0, span.first_offset);
    while from < next {
        let mut records = log.read(span.partition, from, ReadLimit::default()).await?;
        records.retain(|record| record.offset < next);
        let Some(last) = records.last() else { break };
        from = last.offset + 1;
        rows += digest.update_all(&records);
    }
    Ok((rows, digest.finish()))
}
