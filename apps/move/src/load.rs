//! Moving, step by step, from wherever the move is.

use souk_ports::{Holds, Keeper, MoveTarget, Offset, fault};

use crate::history::History;
use crate::{Departure, MoveError, Progress, Record, Stage};

/// Rows and answers of a batch, which is a transaction.
const PAGE: usize = 2_000;

/// Moves everything that is not there yet, and settles the target: its consumers can begin, and an audit after them.
///
/// # Errors
/// [`MoveError`]; after any of them another call goes on from there.
pub async fn load(
    from: &Departure,
    target: &mut dyn MoveTarget,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Record, MoveError> {
    stands_still(from, target).await?;
    let holds = target.holds().await?;
    let end = end(from, &holds).await?;
    let mut record = match look(from, &end, holds)? {
        Some(record) if record.stage == Stage::Done => return Ok(record),
        Some(record) => record,
        None => {
            let shop = from.log.identity().to_string();
            let mut record = Record::begin(shop, from.place.clone(), from.clock.now(), end.clone());
            target.note(&record.milestone()).await?;
            fault::crash_point("move.begun");
            record
        }
    };
    if record.end != end {
        // It went on with its work since: what is new moves after what is there, and rows move again.
        (record.end, record.stage) = (end, Stage::Events);
        if record.forget_rows() {
            target.clear_rows(&record.milestone()).await?;
        }
    }
    if record.stage == Stage::Events {
        events(from, target, &mut record, progress).await?;
    }
    if record.stage == Stage::Rows {
        rows(from, target, &mut record, progress).await?;
    }
    if record.stage == Stage::Answers {
        answers(from, target, &mut record, progress).await?;
        fault::crash_point("move.answers");
        stands_still(from, target).await?;
        if end_after(from, &record.end).await? != record.end {
            return Err(MoveError::AtWork(format!(
                "{} has changed while it was moving: stop whatever works there and run the move again, which goes on \
                 from here",
                from.place
            )));
        }
        record.stage = Stage::Settled;
        target.settle(&record.milestone()).await?;
        fault::crash_point("move.settled");
    }
    Ok(record)
}

/// Refuses a shop whose products another system keeps. Nobody would tell the target so: it would take writes beside the old
/// table, which goes on taking them, too.
///
/// # Errors
/// `Occupied`, naming the remedy.
pub async fn keeps_its_own(from: &Departure) -> Result<(), MoveError> {
    match from.catalog.keeper().await? {
        Keeper::Souk => Ok(()),
        Keeper::Source => Err(MoveError::Occupied(format!(
            "the old system keeps the products of {}: give `souk migrate cutover` and `souk migrate finish` first, or \
             `souk migrate finish --give-up`",
            from.place
        ))),
    }
}

/// Returns where the log ends, for a target that holds `holds`: where the move there knows that it ends, as long as nothing
/// came after. To start the relay, or this move, leaves marks in every partition of Kafka (docs/adr/0017-late-requests.md):
/// they move the end, and are nothing that could move.
///
/// # Errors
/// [`MoveError`] when the log or the archive cannot be read.
pub async fn end(from: &Departure, holds: &Holds) -> Result<Vec<Offset>, MoveError> {
    let record = match holds {
        Holds::Beginning(text) | Holds::Moved(text) => Record::read(text),
        Holds::Nothing | Holds::Shop(_) => None,
    };
    match record.filter(|record| record.shop == from.log.identity().to_string()) {
        Some(record) => end_after(from, &record.end).await,
        None => ends(from).await,
    }
}

/// Judges what a target holds, with the [`end`] for it; `None` when a move would begin there.
///
/// # Errors
/// `Occupied` when it is not this shop, or this shop has moved there and went on here.
pub fn look(from: &Departure, end: &[Offset], holds: Holds) -> Result<Option<Record>, MoveError> {
    let (text, done) = match holds {
        Holds::Nothing => return Ok(None),
        Holds::Shop(what) => return Err(MoveError::Occupied(what)),
        Holds::Beginning(text) => (text, false),
        Holds::Moved(text) => (text, true),
    };
    let Some(record) = Record::read(&text) else {
        return Err(MoveError::Occupied(
            "the target holds what another version of souk has moved there: use that version, or another target"
                .to_owned(),
        ));
    };
    if record.shop != from.log.identity().to_string() {
        return Err(MoveError::Occupied(format!(
            "the target holds {} another shop, which came from {}: name another target",
            if done { "" } else { "a part of" },
            record.from
        )));
    }
    if done && record.end != end {
        return Err(MoveError::Occupied(format!(
            "this shop has moved there already (begun {}), and {} has taken writes since: they are two shops now; move to \
             another target, or go on with the one that is wanted",
            record.begun_at, from.place
        )));
    }
    Ok(Some(record))
}

async fn stands_still(from: &Departure, target: &mut dyn MoveTarget) -> Result<(), MoveError> {
    keeps_its_own(from).await?;
    if let Some(who) = from.source.unrest().await? {
        return Err(MoveError::AtWork(who));
    }
    match target.unrest().await? {
        Some(who) => Err(MoveError::AtWork(who)),
        None => Ok(()),
    }
}

async fn ends(from: &Departure) -> Result<Vec<Offset>, MoveError> {
    Ok(from.log.bounds().await?.iter().map(|bounds| bounds.next).collect())
}

/// Returns `known` as long as no record came after it. What the log has let go meanwhile the archive tells.
async fn end_after(from: &Departure, known: &[Offset]) -> Result<Vec<Offset>, MoveError> {
    let ends = ends(from).await?;
    let is_shorter = known.len() > ends.len() || known.iter().zip(&ends).any(|(known, end)| end < known);
    if ends == known || is_shorter || fault::planted("move-counts-marks") {
        return Ok(ends);
    }
    let grown = History::open(&*from.log, &*from.archive, known, &ends).await?.has_more().await?;
    Ok(if grown { ends } else { known.to_vec() })
}

async fn events(
    from: &Departure,
    target: &mut dyn MoveTarget,
    record: &mut Record,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), MoveError> {
    let mut history = History::open(&*from.log, &*from.archive, &record.next, &record.end).await?;
    loop {
        let batch = history.next().await?;
        let before = record.next.clone();
        record.events += batch.events.len() as u64;
        record.unreadable += batch.unreadable;
        record.next = batch.next;
        if batch.events.is_empty() {
            record.stage = Stage::Rows;
            target.note(&record.milestone()).await?;
            return Ok(());
        }
        let mut milestone = record.milestone();
        if fault::planted("move-remembers-late") {
            // What a move does that notes its progress in a step of its own.
            let mut late = record.clone();
            late.next = before;
            milestone.record = late.milestone().record;
        }
        target.put_events(batch.events, &milestone).await?;
        fault::crash_point("move.events");
        let left: u64 =
            record.end.iter().zip(&record.next).map(|(end, next)| end.saturating_sub(*next)).sum();
        progress(Progress::Events(record.events, record.events + left));
    }
}

async fn rows(
    from: &Departure,
    target: &mut dyn MoveTarget,
    record: &mut Record,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), MoveError> {
    loop {
        let mut rows = from.catalog.scan(record.rows_after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        record.rows_after = Some(last.id);
        let products = rows.iter().filter(|row| row.product.is_some()).count() as u64;
        record.products += products;
        record.tombstones += rows.len() as u64 - products;
        if fault::planted("move-forgets-tombstones") {
            rows.retain(|row| row.product.is_some());
        }
        target.put_rows(&rows, &record.milestone()).await?;
        fault::crash_point("move.rows");
        progress(Progress::Rows(record.products + record.tombstones));
    }
    record.stage = Stage::Answers;
    Ok(target.note(&record.milestone()).await?)
}

async fn answers(
    from: &Departure,
    target: &mut dyn MoveTarget,
    record: &mut Record,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), MoveError> {
    loop {
        let answers = from.source.answers(record.answers_after.as_deref(), PAGE).await?;
        let Some(last) = answers.last() else { return Ok(()) };
        record.answers_after = Some(last.key.to_string());
        record.answers += answers.len() as u64;
        target.put_answers(&answers, &record.milestone()).await?;
        progress(Progress::Answers(record.answers));
    }
}
