//! A log of several partitions in memory, with holes, groups whose members share partitions, and retention.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use souk_events::LogId;
use souk_ports::{
    DeadLetter, Delivery, ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds,
    PortError, ReadLimit, Tail,
};
use tokio::sync::{oneshot, watch};

/// Records of one delivery.
const DELIVERED: usize = 7;

#[derive(Default)]
struct Inner {
    records: Vec<Vec<LogRecord>>,
    earliest: Vec<Offset>,
    groups: HashMap<String, Group>,
    /// A read that is to wait.
    held: Option<Held>,
    dead: Vec<DeadLetter>,
    members: usize,
}

struct Held {
    partition: Partition,
    /// Reads of the partition that come before it.
    before: usize,
    came: oneshot::Sender<()>,
    goes_on: oneshot::Receiver<()>,
}

#[derive(Default)]
struct Group {
    committed: Vec<Offset>,
    /// How far it has looked, where that is further.
    looked: Vec<Offset>,
    members: BTreeMap<usize, Member>,
}

#[derive(Default)]
struct Member {
    owned: BTreeMap<Partition, Offset>,
    /// To be told of.
    gained: Vec<Partition>,
    /// Told of; given up at the next call.
    going: BTreeSet<Partition>,
}

/// The log.
pub struct FakeLog {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<u64>,
}

impl FakeLog {
    /// Makes an empty log.
    pub fn new(partitions: usize) -> Arc<Self> {
        let inner = Inner {
            records: vec![Vec::new(); partitions],
            earliest: vec![0; partitions],
            ..Inner::default()
        };
        Arc::new(Self { inner: Arc::new(Mutex::new(inner)), changed: watch::Sender::new(0) })
    }

    /// Appends a payload two offsets after the last one: a mark lies between.
    pub fn append(&self, partition: usize, record: &LogRecord) {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let records = &mut inner.records[partition];
        let offset = records.last().map_or(0, |last| last.offset + 2).max(inner.earliest[partition]);
        let partition = Partition::try_from(partition).unwrap();
        records.push(LogRecord { partition, offset, ..record.clone() });
        self.changed.send_modify(|n| *n += 1);
    }

    /// Returns everything that was ever appended, by partition.
    pub fn all(&self) -> Vec<Vec<LogRecord>> {
        self.inner.lock().records.clone()
    }

    /// Forgets what is before `earliest`.
    pub fn trim(&self, partition: usize, earliest: Offset) {
        self.inner.lock().earliest[partition] = earliest;
    }

    /// Sets a group's position, as an operator does.
    pub fn set_committed(&self, group: &str, partition: usize, next: Offset) {
        let mut inner = self.inner.lock();
        let partitions = inner.records.len();
        let group = inner.groups.entry(group.to_owned()).or_default();
        group.committed.resize(partitions, 0);
        group.committed[partition] = next;
    }

    /// Notes that a group has missed nothing before `looked`.
    pub fn set_looked(&self, group: &str, partition: usize, looked: Offset) {
        let mut inner = self.inner.lock();
        let partitions = inner.records.len();
        let group = inner.groups.entry(group.to_owned()).or_default();
        group.looked.resize(partitions, 0);
        group.looked[partition] = looked;
    }

    /// Has a read of `partition` wait, after `before` others of it; returns what tells that it came, and what lets it
    /// go on.
    pub fn hold_a_read(
        &self,
        partition: Partition,
        before: usize,
    ) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((came, comes), (lets, goes_on)) = (oneshot::channel(), oneshot::channel());
        self.inner.lock().held = Some(Held { partition, before, came, goes_on });
        (comes, lets)
    }

    /// Returns how many partitions each member of `group` has.
    pub fn shares(&self, group: &str) -> Vec<usize> {
        let inner = self.inner.lock();
        inner.groups.get(group).map_or_else(Vec::new, |group| {
            group.members.values().map(|member| member.owned.len() - member.gained.len()).collect()
        })
    }

    /// Takes every member's partitions away without a word, as a group does with members that it thinks dead.
    pub fn expel(&self, group: &str) {
        let mut inner = self.inner.lock();
        if let Some(group) = inner.groups.get_mut(group) {
            group.members.clear();
        }
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
    }

    pub fn dead(&self) -> Vec<DeadLetter> {
        self.inner.lock().dead.clone()
    }
}

impl Held {
    fn is_next(&mut self) -> bool {
        let is_next = self.before == 0;
        self.before = self.before.saturating_sub(1);
        is_next
    }
}

impl Inner {
    fn next(&self, partition: usize) -> Offset {
        self.records[partition].last().map_or(0, |last| last.offset + 2).max(self.earliest[partition])
    }

    /// Gives partitions that nobody has to whoever should have them, and asks for those that others should.
    fn balance(&mut self, name: &str) {
        let partitions = self.records.len();
        let Some(group) = self.groups.get_mut(name) else { return };
        group.committed.resize(partitions, 0);
        let ids: Vec<usize> = group.members.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        for partition in 0..partitions {
            let wanted = ids[partition % ids.len()];
            let number = Partition::try_from(partition).unwrap();
            let owner = group
                .members
                .iter()
                .find(|(_, member)| member.owned.contains_key(&number))
                .map(|(id, _)| *id);
            if owner.is_none() {
                let position = group.committed[partition];
                let member = group.members.get_mut(&wanted).unwrap();
                member.owned.insert(number, position);
                member.gained.push(number);
            }
        }
    }

    /// Returns partitions that the member has and another one should have.
    fn to_revoke(&self, name: &str, id: usize) -> Vec<Partition> {
        let group = &self.groups[name];
        let ids: Vec<usize> = group.members.keys().copied().collect();
        let wanted = |partition: &Partition| ids[*partition as usize % ids.len()];
        group.members[&id].owned.keys().copied().filter(|partition| wanted(partition) != id).collect()
    }

    fn read(&self, partition: usize, from: Offset, most: usize) -> Vec<LogRecord> {
        let from = from.max(self.earliest[partition]);
        self.records[partition].iter().filter(|record| record.offset >= from).take(most).cloned().collect()
    }
}

#[async_trait]
impl EventLog for FakeLog {
    fn identity(&self) -> LogId {
        LogId(99)
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        let inner = self.inner.lock();
        Ok((0..inner.records.len())
            .map(|partition| {
                let next = inner.next(partition);
                let first = inner.read(partition, 0, 1);
                let earliest = first.first().map_or(next, |record| record.offset);
                PartitionBounds { earliest, next, last_appended_at: None }
            })
            .collect())
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        let held = self.inner.lock().held.take_if(|held| held.partition == partition && held.is_next());
        if let Some(Held { came, goes_on, .. }) = held {
            // A test that has ended waits for nothing.
            let _ = (came.send(()), goes_on.await);
        }
        Ok(self.inner.lock().read(partition as usize, from, limit.records))
    }

    async fn tail(&self, _from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        Err(PortError::new(ErrorKind::Internal, "nobody follows this log"))
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        let mut inner = self.inner.lock();
        inner.members += 1;
        let id = inner.members;
        inner.groups.entry(group.to_owned()).or_default().members.insert(id, Member::default());
        inner.balance(group);
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
        let (inner, changed) = (self.inner.clone(), self.changed.clone());
        Ok(Box::new(FakeConsumer { inner, changed, group: group.to_owned(), id, joined: false }))
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let inner = self.inner.lock();
        let mut committed = inner.groups.get(group).map(|group| group.committed.clone()).unwrap_or_default();
        committed.resize(inner.records.len(), 0);
        Ok(committed)
    }

    async fn looked(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        let (mut looked, inner) = (self.committed(group).await?, self.inner.lock());
        let further = inner.groups.get(group).map(|group| &*group.looked).unwrap_or_default();
        looked.iter_mut().zip(further).for_each(|(looked, further)| *looked = (*looked).max(*further));
        Ok(looked)
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        let (partition, offset) = (record.partition, record.offset);
        self.inner.lock().dead.push(DeadLetter { partition, offset, reason: reason.to_owned() });
        Ok(())
    }
}

struct FakeConsumer {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<u64>,
    group: String,
    id: usize,
    joined: bool,
}

impl FakeConsumer {
    /// Returns what there is to deliver.
    fn poll(&mut self) -> Result<Option<Delivery>, PortError> {
        let mut inner = self.inner.lock();
        let (name, id) = (self.group.clone(), self.id);
        let expelled = || PortError::new(ErrorKind::Conflict, "this member is no longer in its group");
        let going = std::mem::take(&mut member(&mut inner, &name, id).ok_or_else(expelled)?.going);
        if !going.is_empty() {
            member(&mut inner, &name, id).unwrap().owned.retain(|partition, _| !going.contains(partition));
            inner.balance(&name);
            self.changed.send_modify(|n| *n += 1);
        }
        let me = member(&mut inner, &name, id).unwrap();
        if !me.gained.is_empty() || !self.joined {
            self.joined = true;
            let gained = std::mem::take(&mut me.gained);
            return Ok(Some(Delivery::Assigned(
                gained.into_iter().map(|partition| (partition, me.owned[&partition])).collect(),
            )));
        }
        let revoked = inner.to_revoke(&name, id);
        if !revoked.is_empty() {
            member(&mut inner, &name, id).unwrap().going = revoked.iter().copied().collect();
            return Ok(Some(Delivery::Revoking(revoked)));
        }
        let owned: Vec<(Partition, Offset)> =
            member(&mut inner, &name, id).unwrap().owned.iter().map(|(p, o)| (*p, *o)).collect();
        let mut records = Vec::new();
        for (partition, position) in owned {
            let found = inner.read(partition as usize, position, DELIVERED);
            if let Some(last) = found.last() {
                member(&mut inner, &name, id).unwrap().owned.insert(partition, last.offset + 1);
                records.extend(found);
            }
        }
        Ok((!records.is_empty()).then_some(Delivery::Records(records)))
    }
}

fn member<'i>(inner: &'i mut Inner, group: &str, id: usize) -> Option<&'i mut Member> {
    inner.groups.get_mut(group)?.members.get_mut(&id)
}

#[async_trait]
impl GroupConsumer for FakeConsumer {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        let deadline = tokio::time::Instant::now() + max_wait;
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(delivery) = self.poll()? {
                return Ok(delivery);
            }
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                return Ok(Delivery::Idle);
            }
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut inner = self.inner.lock();
        let owns =
            member(&mut inner, &self.group, self.id).is_some_and(|me| me.owned.contains_key(&partition));
        if !owns {
            return Err(PortError::new(ErrorKind::Conflict, "this member does not own the partition"));
        }
        inner.groups.get_mut(&self.group).unwrap().committed[partition as usize] = next;
        Ok(())
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        let mut inner = self.inner.lock();
        if let Some(me) = member(&mut inner, &self.group, self.id) {
            me.owned.insert(partition, next);
        }
        Ok(())
    }
}

impl Drop for FakeConsumer {
    fn drop(&mut self) {
        let mut inner = self.inner.lock();
        if let Some(group) = inner.groups.get_mut(&self.group) {
            group.members.remove(&self.id);
        }
        inner.balance(&self.group);
        drop(inner);
        self.changed.send_modify(|n| *n += 1);
    }
}
