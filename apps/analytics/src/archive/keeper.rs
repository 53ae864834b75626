//! Making objects: a closed file is encoded, put create-only, or found to be there and adopted.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode};
use souk_ports::{Clock, EventLog, Offset, Partition, ReadLimit, fault};

use super::adopt::{self, AdoptError};
use super::encode::encode_object;
use super::replay::beyond;
use super::writer::{ClosedFile, Limits, Writer};
use super::{ArchivedObject, Span, object_key};
use crate::consumer::{ConsumeError, Hole, chain};
use crate::metrics::ArchiveFigures;

/// An object under way.
pub(super) struct Closing {
    pub span: Span,
    pub object: ArchivedObject,
    pub bytes: Bytes,
    /// Where the object ends, once it is there for sure.
    pub stored: Option<Offset>,
}

/// Makes objects.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub log: Arc<dyn EventLog>,
    pub store: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
    pub figures: ArchiveFigures,
}

impl Keeper {
    /// Encodes a file of `partition`.
    pub(super) async fn encode(
        &self,
        partition: Partition,
        file: ClosedFile,
    ) -> Result<Closing, ConsumeError> {
        let log = self.log.identity();
        let span = Span {
            log,
            partition,
            first_offset: file.first_offset,
            next_offset: file.next_offset,
            created_at: self.clock.now(),
        };
        let key = object_key(log, partition, file.first_appended_at, file.first_offset);
        let (bytes, footer) = tokio::task::spawn_blocking(move || encode_object(&file.records, &span))
            .await
            .map_err(|e| ConsumeError::Restart(format!("encoding {key} was cut off: {e}")))?
            .map_err(|e| ConsumeError::Restart(format!("{key}: {e}")))?;
        fault::crash_point("archive.encoded");
        let object = ArchivedObject { key, bytes: bytes.len() as u64, footer };
        Ok(Closing { span, object, bytes, stored: None })
    }

    /// Stores the object, or adopts the one that is there; returns where it ends.
    pub(super) async fn put(&self, closing: &mut Closing) -> Result<Offset, ConsumeError> {
        let key = &closing.object.key;
        let location = Path::from(key.as_str());
        match self.store.put_opts(&location, closing.bytes.clone().into(), PutMode::Create.into()).await {
            Ok(_) => {
                fault::crash_point("archive.written");
                self.figures.wrote(&closing.object);
                Ok(closing.span.next_offset)
            }
            Err(object_store::Error::AlreadyExists { .. }) => {
                match adopt::verify(&*self.store, &*self.log, key, &closing.span).await {
                    Ok(object) => {
                        tracing::info!(
                            messaging.destination.partition.id = closing.span.partition,
                            "adopts {key}, which was written up to {} before",
                            object.footer.next_offset
                        );
                        let end = object.footer.next_offset;
                        closing.object = object;
                        Ok(end)
                    }
                    Err(error @ AdoptError::Foreign { .. }) => Err(ConsumeError::Stop(error.to_string())),
                    Err(error) => {
                        Err(ConsumeError::Blocked(format!("{key} cannot be checked: {}", chain(&error))))
                    }
                }
            }
            Err(error) => Err(ConsumeError::Blocked(format!(
                "the archive cannot be written ({}); make room or check its permissions, it goes on by itself",
                chain(&error)
            ))),
        }
    }

    /// Returns where to go on in `partition` whose position is `position`: further, where the archive holds more.
    pub(super) async fn start(&self, partition: Partition, position: Offset) -> Result<Offset, ConsumeError> {
        let one = ReadLimit { records: 1, bytes: 1 };
        match self.log.read(partition, position, one).await?.first() {
            Some(next) => {
                let log = self.log.identity();
                Ok(beyond(&*self.store, log, partition, position, next.appended_at).await?)
            }
            None => Ok(position),
        }
    }

    /// Archives another member's partition from `position` to at least `target`; returns the objects. Of what comes before
    /// `looked` the group has missed nothing, whether the log still holds it or not.
    ///
    /// Whoever owns the partition finds them in its way, with the keys that it would have written, and adopts them:
    /// an object is made once, whoever makes it.
    pub async fn archive_for_others(
        &self,
        limits: Limits,
        partition: Partition,
        position: Offset,
        looked: Offset,
        target: Offset,
    ) -> Result<Vec<ArchivedObject>, ConsumeError> {
        let (mut made, mut next) = (Vec::new(), self.start(partition, position).await?);
        while next < target {
            let Some(file) = self.read_file(limits, partition, next, target).await? else { break };
            // After it was read: what the log let go of meanwhile is not in it.
            let bounds = self.log.bounds().await?;
            let earliest = bounds.get(partition as usize).map_or(0, |bounds| bounds.earliest);
            if (Hole { partition, position: next, earliest }).is_left(next.max(looked)) {
                return Err(ConsumeError::Blocked(format!(
                    "the log begins at {earliest} and nothing is known to be archived beyond {next}: its owner has to \
                     say first where it goes on"
                )));
            }
            let mut closing = self.encode(partition, file).await?;
            next = self.put(&mut closing).await?;
            made.push(closing.object);
        }
        Ok(made)
    }

    /// Reads what the next object of `partition` holds, as its owner would cut it; `None` when nothing is left.
    async fn read_file(
        &self,
        limits: Limits,
        partition: Partition,
        position: Offset,
        target: Offset,
    ) -> Result<Option<ClosedFile>, ConsumeError> {
        let mut writer = Writer::new(limits);
        writer.assign(partition, position);
        let (now, mut from) = (std::time::Instant::now(), position);
        'reading: while from < target {
            let records = self.log.read(partition, from, ReadLimit::default()).await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in records {
                if record.offset >= target || writer.closes_before(&record).is_some() {
                    break 'reading;
                }
                writer.push(record, now);
            }
        }
        Ok(writer.close(partition))
    }
}
