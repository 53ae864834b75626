//! Adapters that fail when a test says so.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use souk_events::LogId;
use souk_ports::{
    Delivery, ErrorKind, EventLog, GroupConsumer, LogRecord, Offset, Partition, PartitionBounds, PortError,
    ReadLimit, Tail,
};

/// A log whose consumers cannot commit while `commits_fail`, and whose commits come to nothing while
/// `commits_lost`, as those that a crash cuts off.
pub struct FlakyLog {
    inner: Arc<dyn EventLog>,
    pub commits_fail: Arc<AtomicBool>,
    pub commits_lost: Arc<AtomicBool>,
}

impl FlakyLog {
    pub fn new(inner: Arc<dyn EventLog>) -> Self {
        Self { inner, commits_fail: Arc::default(), commits_lost: Arc::default() }
    }
}

#[async_trait]
impl EventLog for FlakyLog {
    fn identity(&self) -> LogId {
        self.inner.identity()
    }

    async fn bounds(&self) -> Result<Vec<PartitionBounds>, PortError> {
        self.inner.bounds().await
    }

    async fn read(
        &self,
        partition: Partition,
        from: Offset,
        limit: ReadLimit,
    ) -> Result<Vec<LogRecord>, PortError> {
        self.inner.read(partition, from, limit).await
    }

    async fn tail(&self, from: &[Offset]) -> Result<Box<dyn Tail>, PortError> {
        self.inner.tail(from).await
    }

    async fn consumer(&self, group: &str) -> Result<Box<dyn GroupConsumer>, PortError> {
        let inner = self.inner.consumer(group).await?;
        let (commits_fail, commits_lost) = (self.commits_fail.clone(), self.commits_lost.clone());
        Ok(Box::new(FlakyConsumer { inner, commits_fail, commits_lost }))
    }

    async fn committed(&self, group: &str) -> Result<Vec<Offset>, PortError> {
        self.inner.committed(group).await
    }

    async fn dead_letter(&self, record: &LogRecord, reason: &str) -> Result<(), PortError> {
        self.inner.dead_letter(record, reason).await
    }
}

struct FlakyConsumer {
    inner: Box<dyn GroupConsumer>,
    commits_fail: Arc<AtomicBool>,
    commits_lost: Arc<AtomicBool>,
}

#[async_trait]
impl GroupConsumer for FlakyConsumer {
    async fn next(&mut self, max_wait: Duration) -> Result<Delivery, PortError> {
        self.inner.next(max_wait).await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        if self.commits_fail.load(Ordering::SeqCst) {
            return Err(PortError::new(ErrorKind::Unavailable, "commits are switched off"));
        }
        if self.commits_lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.commit(partition, next).await
    }

    async fn seek(&mut self, partition: Partition, next: Offset) -> Result<(), PortError> {
        self.inner.seek(partition, next).await
    }
}

/// An archive that refuses writes while `puts_fail`.
#[derive(Debug)]
pub struct FlakyStore {
    inner: Arc<dyn ObjectStore>,
    pub puts_fail: AtomicBool,
    /// Writes tried.
    pub puts: AtomicUsize,
}

impl FlakyStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, puts_fail: AtomicBool::new(false), puts: AtomicUsize::new(0) }
    }
}

impl fmt::Display for FlakyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for FlakyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        if self.puts_fail.load(Ordering::SeqCst) {
            return Err(Error::Generic {
                store: "test",
                source: "No space left on device (os error 28)".into(),
            });
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
