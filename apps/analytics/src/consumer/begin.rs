//! Where a consumer begins in a partition that it takes over: at its committed position, if the log still holds
//! what follows it. A group whose positions are gone is at 0, as one is that never had any.

use souk_ports::{EventLog, GroupConsumer, Offset, Partition, PartitionBounds};

use super::{ConsumeError, ConsumerState, Sink};

/// Offsets that may lie between the end of what was read and the log's earliest record without any record having
/// been there: the mark that ends a transaction, or offset 0 in a log that counts from 1. A record that is gone takes
/// its transaction's mark with it, so it leaves more.
const MARK: Offset = 1;

/// Records that the log no longer holds, from a consumer's position to the log's earliest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hole {
    pub partition: Partition,
    pub position: Offset,
    pub earliest: Offset,
}

impl Hole {
    /// Tells whether something is missing for one who has everything before `next` by other means.
    pub fn is_left(&self, next: Offset) -> bool {
        self.earliest > next.saturating_add(MARK)
    }

    /// Says that events are lost to `group`, which has everything before `next`.
    pub fn lost(&self, group: &str, next: Offset) -> ConsumeError {
        let Self { partition, earliest, .. } = self;
        ConsumeError::Stop(format!(
            "events of partition {partition} from offset {next} to {earliest} are neither in the log nor in the \
             archive, and consumer group {group} has not had them: put back what the archive has lost; or, to go on \
             without them, commit {earliest} for this group (kafka-consumer-groups --reset-offsets --to-earliest), \
             then restart"
        ))
    }
}

/// Returns the partitions with where to begin, after filling holes.
pub(super) async fn begin<S: Sink>(
    sink: &mut S,
    consumer: &mut Box<dyn GroupConsumer>,
    log: &dyn EventLog,
    state: &ConsumerState,
    mut partitions: Vec<(Partition, Offset)>,
) -> Result<Vec<(Partition, Offset)>, ConsumeError> {
    let bounds = if partitions.is_empty() { Vec::new() } else { log.bounds().await? };
    let mut looked = None;
    for (partition, position) in &mut partitions {
        let Some(PartitionBounds { earliest, next, .. }) = bounds.get(*partition as usize) else { continue };
        if *position > *next {
            return Err(ConsumeError::Stop(format!(
                "consumer group {} is at offset {position} of partition {partition}, and the log ends at {next}: it \
                 was made anew or cut off; restore the log, or use another KAFKA_CLIENT_ID to begin anew",
                state.group
            )));
        }
        let hole = Hole { partition: *partition, position: *position, earliest: *earliest };
        let mut is_hole = hole.is_left(*position);
        if is_hole {
            if looked.is_none() {
                looked = Some(log.looked(&state.group).await?);
            }
            let looked = looked.iter().flatten().nth(*partition as usize);
            is_hole = looked.is_none_or(|looked| hole.is_left(*looked));
        }
        if is_hole {
            state.trouble(format!(
                "the log no longer holds partition {partition} from {position} to {earliest}: it is taken from the archive"
            ));
            *position = sink.fill(consumer, hole).await?;
        } else {
            *position = sink.start(consumer, *partition, *position).await?;
        }
        if *position < *earliest {
            consumer.seek(*partition, *earliest).await?;
        } else if hole.position != *position {
            consumer.seek(*partition, *position).await?;
        }
    }
    Ok(partitions)
}
