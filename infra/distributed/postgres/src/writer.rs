//! One transaction of one batch: loads what the units name, folds them, writes rows and events, commits.
//!
//! Three round trips at most (rows and answers; skus, and answers again; everything to write), one where all units create,
//! then COMMIT, by itself: by then the transaction's id is known, which tells its outcome should the reply be lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_domain::{Event, ProductId, SellerId, Sku, Stock, Timestamp};
use souk_ports::{
    Clock, ErrorKind, ExecuteError, IdGenerator, KEPT_ELSEWHERE, Keeper, Outcome, PortError, UnitOfWork,
    fault,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};
use uuid::Uuid;

use crate::batch::{self, Changes, Moment, Rows};
use crate::connect::{ConnectError, Role, Server, Session};
use crate::failure::Failure;
use crate::keeper;
use crate::keys::{AnswerColumns, KEY_LIFETIME_MS, Keys};
use crate::resolve::Trace;
use crate::rows::{self, Columns, StockColumns, read};
use crate::run::{begin, rollback, rows_if, run};
use crate::sql::{LEAVES, Statements};

/// How old the knowledge of the leaf may be: the relay waits for whoever still writes to the one before.
const LEAF_AGE: Duration = Duration::from_millis(500);

/// The outcome of each unit, in order.
pub(crate) type Outcomes = Vec<Result<Outcome, ExecuteError>>;

/// A session that writes.
pub(crate) struct Writer {
    session: Session,
    statements: Statements,
    leaf: usize,
    leaf_read: Instant,
    /// As the last transaction saw it; each write makes sure.
    keeper: Keeper,
    default_threshold: Stock,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGenerator>,
    /// Time never runs backwards within an instance.
    last_time: Timestamp,
    /// The payloads of a batch, one after another; kept for its memory.
    payloads: Vec<u8>,
}

/// What a writer decides with.
#[derive(Clone)]
pub(crate) struct Rules {
    pub default_threshold: Stock,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdGenerator>,
    /// How long a lost outcome is looked into.
    pub outcome_patience: Duration,
    /// How long the server may take to answer.
    pub answer_patience: Duration,
}

/// A batch that is written and not yet committed.
pub(crate) struct Prepared {
    pub outcomes: Outcomes,
    /// The transaction; `None` when there was nothing to write and none is open.
    pub transaction: Option<Transaction>,
}

/// An open transaction.
pub(crate) struct Transaction {
    /// Its id, which outlives the connection.
    pub xid: String,
    pub has_events: bool,
}

/// Room from which on the payloads' memory is given back after an uncommonly large batch.
const PAYLOADS_KEPT: usize = 2 << 20;

impl Writer {
    pub async fn open(server: &Server, rules: &Rules) -> Result<Self, ConnectError> {
        let session = server.open(Role::Committer).await?;
        let explain = |error: Error| server.explain(&error);
        let statements = Statements::prepare(&session.client).await.map_err(explain)?;
        let row = session.client.query_one(&statements.epoch, &[]).await.map_err(explain)?;
        Ok(Self {
            session,
            statements,
            leaf: leaf(row.get(0)),
            leaf_read: Instant::now(),
            keeper: Keeper::default(),
            default_threshold: rules.default_threshold,
            clock: rules.clock.clone(),
            ids: rules.ids.clone(),
            last_time: Timestamp::MIN,
            payloads: Vec::new(),
        })
    }

    /// Tells whether the session is gone.
    pub fn is_closed(&self) -> bool {
        self.session.client.is_closed()
    }

    /// Returns what tells a transaction of the session when the session is gone.
    pub fn trace(&self, xid: &str) -> Trace {
        Trace { xid: xid.to_owned(), pid: self.session.pid, incarnation: self.session.incarnation.clone() }
    }

    /// Folds `units` and writes what follows; after a failure the transaction may be open and has to be abandoned.
    /// `careful` looks up every id and sku instead of presuming those of creates free.
    pub async fn prepare(&mut self, units: &[UnitOfWork], careful: bool) -> Result<Prepared, Failure> {
        let client = &self.session.client;
        let statements = &self.statements;
        let any_ordinary = units.iter().any(|unit| !unit.is_import());
        if any_ordinary && self.keeper == Keeper::Source {
            // A refusal writes nothing that would notice that it is not true any more.
            self.keeper = keeper::of(read(&client.query_one(&statements.is_source, &[]).await?, 0)?);
        }
        self.last_time = self.clock.now().max(self.last_time);
        let now = self.last_time;
        let mut begun = false;
        let mut known = Rows::default();
        let mut keys = Keys::default();

        let lock = batch::ids_to_lock(units.iter(), careful);
        let mut asked: Vec<&str> =
            units.iter().filter_map(|unit| unit.idempotency.as_ref()).map(|used| &*used.key).collect();
        asked.sort_unstable();
        asked.dedup();
        if !lock.is_empty() || !asked.is_empty() {
            let ids = uuids(&lock);
            let (locks, asks) = (!lock.is_empty(), !asked.is_empty());
            // Tombstones after the locks: a delete that the lock waited for has left one by then.
            let (begin, found, buried, answers) = tokio::join!(
                biased;
                begin(client, true),
                rows_if(locks, client, &statements.lock, [&ids]),
                rows_if(locks, client, &statements.tombstones, [&ids]),
                rows_if(asks, client, &statements.answers, [&asked]),
            );
            begun = true;
            begin.map_err(Failure::from)?;
            let products = found?.iter().map(rows::product).collect::<Result<Vec<_>, PortError>>()?;
            known.load(&lock, products, rows::versions(&buried?)?);
            keys.load(&answers?, now)?;
        }
        let wanted = known.skus_to_find(units.iter());
        if !wanted.is_empty() {
            let sellers: Vec<&str> = wanted.iter().map(|(seller, _)| seller.as_str()).collect();
            let skus: Vec<&str> = wanted.iter().map(|(_, sku)| sku.as_str()).collect();
            // Answers once more, after the skus: a request whose product has one of them has left its answer by then, and its
            // repeat is answered by that instead of being refused for its own product.
            let asks = !asked.is_empty() && !fault::planted("answers-before-skus");
            let (begin, holders, answers) = tokio::join!(
                biased;
                begin(client, !begun),
                rows_if(true, client, &statements.skus, [&sellers, &skus]),
                rows_if(asks, client, &statements.answers, [&asked]),
            );
            begun = true;
            begin?;
            known.found_skus(holders?.iter().map(holder).collect::<Result<Vec<_>, _>>()?);
            keys.load(&answers?, now)?;
        }

        let moment = Moment { now, default_threshold: self.default_threshold, ids: &*self.ids };
        let mut events = Vec::new();
        let mut outcomes = Vec::with_capacity(units.len());
        for unit in units {
            let outcome = fold_unit(self.keeper, &mut known, &mut keys, unit, &moment, &mut events);
            if matches!(outcome, Err(ExecuteError::Rejected(_))) && known.presumes(unit) {
                // What was presumed free may be why, or one more reason.
                return Err(Failure::Redo);
            }
            outcomes.push(outcome);
        }
        let changes = known.changes();
        if events.is_empty() && keys.new.is_empty() {
            rollback(client, begun).await?;
            return Ok(Prepared { outcomes, transaction: None });
        }
        let has_events = !events.is_empty();
        let stale_leaf = self.leaf_read.elapsed() > LEAF_AGE;
        self.payloads.clear();
        let written = write(
            client,
            statements,
            &statements.outbox[self.leaf],
            Writing { begin: !begun, now, changes: &changes, keys: &keys, events: &events, stale_leaf },
            &mut self.payloads,
        )
        .await;
        if self.payloads.capacity() > PAYLOADS_KEPT {
            self.payloads = Vec::new();
        }
        let (xid, keeper, epoch) = written?;
        if keeper != std::mem::replace(&mut self.keeper, keeper) && any_ordinary {
            return Err(Failure::Redo);
        }
        if let Some(epoch) = epoch {
            self.leaf = leaf(epoch);
            self.leaf_read = Instant::now();
        }
        Ok(Prepared { outcomes, transaction: Some(Transaction { xid, has_events }) })
    }

    /// Makes the open transaction durable.
    pub async fn commit(&self) -> Result<(), Error> {
        self.session.client.batch_execute("COMMIT").await
    }

    /// Ends a transaction that failed; none being open is no error.
    pub async fn abandon(&self) -> Result<(), Failure> {
        rollback(&self.session.client, true).await
    }
}

fn leaf(epoch: i64) -> usize {
    usize::try_from(epoch.rem_euclid(LEAVES as i64)).expect("between 0 and 3")
}

fn holder(row: &Row) -> Result<((SellerId, Sku), ProductId), PortError> {
    let broken = || PortError::new(ErrorKind::InvalidData, "a stored value breaks a rule of the catalog");
    let seller = SellerId::new(read::<&str>(row, 0)?).map_err(|_| broken())?;
    let sku = Sku::new(read::<&str>(row, 1)?).map_err(|_| broken())?;
    Ok(((seller, sku), ProductId(read(row, 2)?)))
}

fn fold_unit(
    keeper: Keeper,
    known: &mut Rows,
    keys: &mut Keys,
    unit: &UnitOfWork,
    moment: &Moment<'_>,
    events: &mut Vec<Event>,
) -> Result<Outcome, ExecuteError> {
    if let Some(idempotency) = &unit.idempotency
        && let Some((fingerprint, answer)) = keys.find(&idempotency.key)
    {
        let same = *fingerprint == idempotency.fingerprint;
        return if same { Ok(Outcome::Replayed(answer.clone())) } else { Err(ExecuteError::KeyReused) };
    }
    if keeper == Keeper::Source && !unit.is_import() {
        return Err(ExecuteError::Overloaded(KEPT_ELSEWHERE.to_owned()));
    }
    let applied = known.fold(&unit.commands, moment, events).map_err(ExecuteError::Rejected)?;
    if let Some(idempotency) = &unit.idempotency {
        let answer = (idempotency.answer)(&applied);
        keys.use_up(idempotency.clone(), answer);
    }
    Ok(Outcome::Applied(applied))
}

/// What one batch writes.
struct Writing<'a> {
    begin: bool,
    now: Timestamp,
    changes: &'a Changes<'a>,
    keys: &'a Keys,
    events: &'a [Event],
    stale_leaf: bool,
}

/// Sends every statement of the batch at once; returns the transaction's id, who keeps the products and, where it was
/// asked for, the epoch.
async fn write(
    client: &Client,
    statements: &Statements,
    outbox: &Statement,
    writing: Writing<'_>,
    payloads: &mut Vec<u8>,
) -> Result<(String, Keeper, Option<i64>), Failure> {
    let Writing { changes, keys, events, .. } = &writing;
    let answers = AnswerColumns::of(&keys.new);
    let expired_before = writing.now.millis() - KEY_LIFETIME_MS;
    let (delete, release, unbury) = (uuids(&changes.delete), uuids(&changes.release), uuids(&changes.unbury));
    let mut moves = StockColumns::default();
    changes.move_stock.iter().for_each(|product| moves.push(product));
    let update = Columns::of(&changes.update);
    let brief = Columns::of(&changes.brief.iter().collect::<Vec<_>>());
    let insert = Columns::of(&changes.insert);
    let claimed: Vec<Uuid> = insert.id.iter().chain(&brief.id).copied().collect();
    let (bury, buried_versions): (Vec<Uuid>, Vec<i64>) =
        changes.bury.iter().map(|(id, version)| (id.0, rows::signed(*version))).unzip();
    let mut ends = Vec::with_capacity(events.len());
    for event in *events {
        souk_events::encode(event, payloads);
        ends.push(payloads.len());
    }
    let mut start = 0;
    let payloads: Vec<&[u8]> =
        ends.iter().map(|end| &payloads[std::mem::replace(&mut start, *end)..*end]).collect();
    let subjects: Vec<Uuid> = events.iter().map(|event| event.product.id.0).collect();

    // The order matters: keys before rows; skus are given away before they are taken; new ids are claimed before their
    // tombstones are looked at; events come last, when every row is locked, so that seq orders a product's events.
    let begin = begin(client, writing.begin);
    let expire =
        run(!keys.expired.is_empty(), client, &statements.expire_answers, [&keys.expired, &expired_before]);
    let answers_given: [&(dyn ToSql + Sync); 7] = [
        &answers.key,
        &answers.fingerprint,
        &answers.status,
        &answers.etag,
        &answers.location,
        &answers.body,
        &writing.now.millis(),
    ];
    let store = run(!answers.key.is_empty(), client, &statements.store_answers, answers_given);
    let delete = run(!delete.is_empty(), client, &statements.delete, [&delete]);
    let release = run(!release.is_empty(), client, &statements.release_skus, [&release]);
    let stock_given: [&(dyn ToSql + Sync); 5] =
        [&moves.id, &moves.stock, &moves.low_stock, &moves.version, &moves.updated_at];
    let moved = run(!moves.id.is_empty(), client, &statements.move_stock, stock_given);
    let (update_given, insert_given, brief_given) =
        (parameters(&update), parameters(&insert), parameters(&brief));
    let updated = run(!update.id.is_empty(), client, &statements.update, update_given);
    let inserted = run(!insert.id.is_empty(), client, &statements.insert, insert_given);
    let came = run(!brief.id.is_empty(), client, &statements.insert, brief_given);
    let went = run(!brief.id.is_empty(), client, &statements.delete, [&brief.id]);
    let found = rows_if(!claimed.is_empty(), client, &statements.tombstones, [&claimed]);
    let bury = run(!bury.is_empty(), client, &statements.bury, [&bury, &buried_versions]);
    let unbury = run(!unbury.is_empty(), client, &statements.unbury, [&unbury]);
    let told = run(!events.is_empty(), client, outbox, [&subjects, &payloads]);
    let xid = client.query_one(&statements.xid, &[]);
    let epoch = rows_if(writing.stale_leaf, client, &statements.epoch, []);
    let (
        begin,
        expire,
        store,
        delete,
        release,
        moved,
        updated,
        inserted,
        came,
        went,
        found,
        bury,
        unbury,
        told,
        xid,
        epoch,
    ) = tokio::join!(
        biased; begin, expire, store, delete, release, moved, updated, inserted, came, went, found, bury, unbury,
        told, xid, epoch
    );
    // The first failure is the cause; those after it only say that the transaction is over.
    begin?;
    for done in [expire, store, delete, release] {
        done?;
    }
    for (done, expected) in [(moved, moves.id.len()), (updated, update.id.len()), (inserted, insert.id.len())]
    {
        if done? != expected as u64 {
            return Err(Failure::Conflict("a locked row is gone".into()));
        }
    }
    came?;
    went?;
    if rows::versions(&found?)? != changes.buried {
        // Its id came and went since the batch looked: its versions go on from another tombstone.
        return Err(Failure::Redo);
    }
    for done in [bury, unbury, told] {
        done?;
    }
    let last = xid?;
    let (xid, is_source) = (read(&last, 0)?, read(&last, 1)?);
    let keeper = keeper::of(is_source);
    let epoch = epoch?.first().map(|row| read(row, 0)).transpose()?;
    Ok((xid, keeper, epoch))
}

fn parameters<'a>(columns: &'a Columns<'_>) -> [&'a (dyn ToSql + Sync); 13] {
    [
        &columns.id,
        &columns.price,
        &columns.version,
        &columns.created_at,
        &columns.updated_at,
        &columns.stock,
        &columns.low_stock_threshold,
        &columns.low_stock,
        &columns.seller_id,
        &columns.category,
        &columns.name,
        &columns.sku,
        &columns.description,
    ]
}

fn uuids(ids: &[ProductId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}
