//! How far the consumers of the log are, who works for them, and what they set aside.

use souk_ports::{EventLog, Finding, Findings, Offset, PartitionBounds, PortError, ReadLimit};

/// The consumers of analytics.
const CONSUMERS: [&str; 3] = ["recent", "aggregates", "archive"];

/// Dead letters counted at most: that many are a fault of their own.
const LETTERS: usize = 1_000;

/// More events than this behind is no flush that is due, but a consumer that does not keep up or does not run.
const LAG: u64 = 100_000;

/// Examines the consumer groups `<client_id>-…` of `log`, and its dead letters.
pub async fn examine_consumers(log: &dyn EventLog, client_id: &str, findings: Findings<'_>) {
    let failed = |name: &str, error: &PortError| {
        Finding::fail(name, error.to_string(), "see whether the log can be reached, then look again")
    };
    let bounds = match log.bounds().await {
        Ok(bounds) => bounds,
        Err(error) => return findings(failed("log.bounds", &error)),
    };
    for consumer in CONSUMERS {
        let (name, group) = (format!("consumer.{consumer}"), format!("{client_id}-{consumer}"));
        match place(log, &group, &bounds).await {
            Ok(place) => findings(judge(&name, &group, &place)),
            Err(error) => findings(failed(&name, &error)),
        }
    }
    match log.dead_letters(LETTERS).await {
        Ok(letters) => findings(dead_letters(letters.len())),
        Err(error) => findings(failed("log.dead-letters", &error)),
    }
}

/// Where a group is.
struct Place {
    /// Events not yet done with, at most: offsets have holes.
    lag: u64,
    /// A partition, where the group is and where the log begins, when that is later.
    lost: Option<(usize, Offset, Offset)>,
    /// A partition in which the group is beyond the log's end.
    ahead: Option<usize>,
    members: Option<usize>,
}

async fn place(log: &dyn EventLog, group: &str, bounds: &[PartitionBounds]) -> Result<Place, PortError> {
    let (committed, looked) = (log.committed(group).await?, log.looked(group).await?);
    let mut place = Place { lag: 0, lost: None, ahead: None, members: log.members(group).await? };
    for (partition, bounds) in bounds.iter().enumerate() {
        let at = committed.get(partition).copied().unwrap_or(0);
        if at > bounds.next {
            place.ahead = Some(partition);
        }
        if at >= bounds.next {
            continue;
        }
        // Whether anything is there, or but the markers of transactions.
        let number = u32::try_from(partition).unwrap_or(u32::MAX);
        let first = log.read(number, at.max(bounds.earliest), ReadLimit { records: 1, bytes: 1 }).await?;
        // Where only markers are gone, nothing is.
        let looked = looked.get(partition).copied().unwrap_or(0);
        if looked < bounds.earliest && at > 0 {
            place.lost = Some((partition, at, bounds.earliest));
        }
        if let Some(first) = first.first() {
            place.lag += bounds.next.saturating_sub(first.offset).max(1);
        }
    }
    Ok(place)
}

fn judge(name: &str, group: &str, place: &Place) -> Finding {
    let Place { lag, members, .. } = *place;
    let who = match members {
        Some(1) => ", 1 member".to_owned(),
        Some(members) => format!(", {members} members"),
        None => String::new(),
    };
    let finding = if let Some((partition, at, earliest)) = place.lost {
        Finding::fail(
            name,
            format!("{group} is at {at} of partition {partition}, and the log begins at {earliest}{who}"),
            "events between were removed before they were read: raise the topic's retention.ms, and let `souk audit` \
             name what is missing",
        )
    } else if let Some(partition) = place.ahead {
        Finding::fail(
            name,
            format!("{group} is beyond the end of partition {partition}{who}"),
            "the log lost its end, or is an older copy: restore it, or reset the group's offsets after `souk audit`",
        )
    } else if lag > 0 && members == Some(0) {
        Finding::warn(
            name,
            format!("{group} is about {lag} events behind, and nobody reads for it"),
            "start `souk analytics`, or `souk up`",
        )
    } else if lag > LAG {
        Finding::warn(
            name,
            format!("{group} is about {lag} events behind{who}"),
            "if it does not shrink, see /health of analytics, or start more of it (up to one per partition)",
        )
    } else {
        Finding::ok(name, format!("{group} is about {lag} events behind{who}"))
    };
    let finding = finding.with("lagEvents", i64::try_from(lag).unwrap_or(i64::MAX));
    match members {
        Some(members) => finding.with("members", i64::try_from(members).unwrap_or(i64::MAX)),
        None => finding,
    }
}

fn dead_letters(count: usize) -> Finding {
    let finding = match count {
        0 => Finding::ok("log.dead-letters", "none"),
        count => Finding::warn(
            "log.dead-letters",
            format!(
                "{}{count} records could not be read and were set aside",
                if count == LETTERS { "at least " } else { "" }
            ),
            "`souk audit` names them; see who writes them to the topic",
        ),
    };
    finding.with("count", i64::try_from(count).unwrap_or(i64::MAX))
}
