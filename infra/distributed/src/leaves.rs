//! Keeps the outbox small: committers write to one of four tables, the others are emptied by TRUNCATE once everything
//! in them is published. Nothing is ever updated or deleted row by row, so there is nothing to vacuum.

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use crate::position::Position;
use crate::snapshot::Snapshot;
use crate::sql::{self, LEAVES};

/// Published rows in the current leaf from which committers are sent to the next: some 100 MB with their index.
const ROTATE_ROWS: u64 = 100_000;
/// Age from which a leaf with fewer rows is left, so that an idle outbox is an empty one.
const ROTATE_AFTER: Duration = Duration::from_secs(60);
/// The same for a test that has to see it happen; more than it takes to settle, or leaves would only ever be left.
const HURRIED_ROTATE_AFTER: Duration = Duration::from_secs(3);
/// Committers may write to the leaf before the current one for as long as they trust what they read of the epoch: a
/// second. Sooner a truncation would only wait for them.
const SETTLES_AFTER: Duration = Duration::from_secs(2);
/// How long others may have to wait behind the lock of a truncation that itself waits, for a dump for instance.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '100ms'";
/// Pause after a truncation that could not be.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// When leaves are left and emptied.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// Published rows from which the current leaf is left.
    pub rows: u64,
    /// Age from which it is left with fewer.
    pub after: Duration,
    /// How long after that nobody writes to it any more.
    pub settles_after: Duration,
}

impl Default for Rotation {
    fn default() -> Self {
        let after = if souk_ports::fault::hurried() { HURRIED_ROTATE_AFTER } else { ROTATE_AFTER };
        Self { rows: ROTATE_ROWS, after, settles_after: SETTLES_AFTER }
    }
}

/// The leaves as the leading relay knows them.
pub struct Leaves {
    rotation: Rotation,
    transactional_id: String,
    epoch: i64,
    since: Instant,
    /// When committers were sent on from each.
    left_at: [Instant; LEAVES],
    /// Rows published from each since it was last empty; unknown at first.
    filled: [u64; LEAVES],
    not_before: Instant,
}

impl Leaves {
    /// Looks at the leaves.
    pub async fn open(client: &Client, rotation: Rotation, transactional_id: &str) -> Result<Self, Error> {
        let epoch = client.query_one("SELECT epoch FROM souk.outbox_epoch", &[]).await?.get(0);
        let now = Instant::now();
        let mut leaves = Self {
            rotation,
            transactional_id: transactional_id.to_owned(),
            epoch,
            since: now,
            left_at: [now; LEAVES],
            filled: [0; LEAVES],
            not_before: now,
        };
        for leaf in 0..LEAVES {
            let sql = format!("SELECT EXISTS (SELECT FROM souk.outbox_{leaf})");
            leaves.filled[leaf] = u64::from(client.query_one(&sql, &[]).await?.get::<_, bool>(0));
        }
        Ok(leaves)
    }

    /// Notes what was published.
    pub fn published(&mut self, per_leaf: &[u64; LEAVES]) {
        for (filled, rows) in self.filled.iter_mut().zip(per_leaf) {
            *filled += rows;
        }
    }

    fn current(&self) -> usize {
        usize::try_from(self.epoch.rem_euclid(LEAVES as i64)).expect("a remainder is small")
    }

    /// Sends committers on and empties leaves, where it is time; `committed` is what Kafka has for sure. Returns how
    /// many leaves were emptied.
    pub async fn tidy(&mut self, client: &mut Client, committed: &Position) -> Result<u64, Error> {
        let now = Instant::now();
        let mut emptied = 0;
        if now >= self.not_before {
            for leaf in 0..LEAVES {
                let settled = now - self.left_at[leaf] >= self.rotation.settles_after;
                if leaf == self.current() || self.filled[leaf] == 0 || !settled {
                    continue;
                }
                if self.truncate(client, leaf, committed).await? {
                    self.filled[leaf] = 0;
                    emptied += 1;
                } else {
                    self.not_before = now + RETRY_AFTER.min(self.rotation.after);
                }
            }
        }
        let current = self.current();
        let aged = self.filled[current] > 0 && now - self.since >= self.rotation.after;
        // To an empty one, past those that somebody holds; with none, the current one goes on.
        let steps = (1..LEAVES).find(|steps| self.filled[(current + steps) % LEAVES] == 0);
        if let Some(steps) = steps
            && (aged || self.filled[current] >= self.rotation.rows)
        {
            let sql = "UPDATE souk.outbox_epoch SET epoch = greatest(epoch, $1) RETURNING epoch";
            self.epoch = client.query_one(sql, &[&(self.epoch + steps as i64)]).await?.get(0);
            self.since = now;
            self.left_at[current] = now;
        }
        Ok(emptied)
    }

    /// Empties a leaf, unless somebody holds it or it has rows that are not published or not indexed.
    async fn truncate(&self, client: &mut Client, leaf: usize, committed: &Position) -> Result<bool, Error> {
        let transaction = client.transaction().await?;
        transaction.batch_execute(LOCK_TIMEOUT).await?;
        let lock = format!("LOCK TABLE souk.outbox_{leaf} IN ACCESS EXCLUSIVE MODE");
        match transaction.batch_execute(&lock).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return Ok(false),
            Err(error) => return Err(error),
        }
        // Again, now that nobody can add to it: an inserter that the lock waited for has just committed.
        let has_unseen = sql::leaf_has_unseen(leaf);
        let mut read = vec![committed.snapshot.clone()];
        if souk_ports::fault::planted("relay-truncates-unseen") {
            read.clear();
        }
        for reader in transaction.query(sql::READERS, &[]).await? {
            let position = reader.get::<_, &str>(0).parse();
            read.push(position.unwrap_or_else(|_| Snapshot::nothing()));
        }
        for snapshot in read {
            let (xmax, running) = (snapshot.xmax(), snapshot.running());
            if transaction.query_one(&has_unseen, &[&xmax, &running]).await?.get(0) {
                return Ok(false);
            }
        }
        // With the position that allows it, by which the next relay knows that nothing was lost here. Not a hint this time.
        transaction.batch_execute("SET LOCAL synchronous_commit = on").await?;
        keep_hint(&transaction, &self.transactional_id, committed).await?;
        transaction.batch_execute(&format!("TRUNCATE souk.outbox_{leaf}")).await?;
        souk_ports::fault::crash_point("relay.truncating");
        transaction.commit().await?;
        Ok(true)
    }
}

/// Keeps the position that Kafka has.
pub async fn keep_hint(
    client: &impl tokio_postgres::GenericClient,
    transactional_id: &str,
    committed: &Position,
) -> Result<(), Error> {
    let record = committed.to_record();
    let text = std::str::from_utf8(&record).expect("JSON is UTF-8");
    client.execute(sql::KEEP_HINT, &[&transactional_id, &text]).await?;
    Ok(())
}
