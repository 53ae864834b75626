//! A source that may be away for a while: whoever asks is kept waiting, not turned away.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use souk_ports::{
    GivenKey, KeyType, LockHolder, PortError, RowCount, SellersSku, SharedSkus, Source, SourceIdentity,
    SourceQuery, SourceRow, SourceTable, TableName, fault,
};

use crate::record::Waiting;

/// How long an answer is waited for: a network that is lost for a minute is no reason to begin anew.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Asks a source until there is an answer, or it is clear that there will be none.
pub struct Patient {
    source: Arc<dyn Source>,
    /// Where it is said for what is waited.
    waiting: Option<Waiting>,
    waits: AtomicBool,
}

impl Patient {
    /// Makes `source` patient.
    pub fn over(source: Arc<dyn Source>) -> Arc<dyn Source> {
        Arc::new(Self { source, waiting: None, waits: AtomicBool::new(false) })
    }

    /// Makes `source` patient, and tells those who look at the folder for what is waited.
    pub fn telling(source: Arc<dyn Source>, waiting: Waiting) -> Arc<dyn Source> {
        // Of one that was killed.
        waiting.is_over();
        Arc::new(Self { source, waiting: Some(waiting), waits: AtomicBool::new(false) })
    }

    async fn patiently<T, F: Future<Output = Result<T, PortError>>>(
        &self,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, PortError> {
        let began = tokio::time::Instant::now();
        loop {
            match ask().await {
                Err(error)
                    if error.is_retryable()
                        && began.elapsed() < PATIENCE
                        && !fault::planted("migrate-impatient") =>
                {
                    self.tell(Some(&error));
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => {
                    self.tell(None);
                    return outcome;
                }
            }
        }
    }

    fn tell(&self, why: Option<&PortError>) {
        let Some(waiting) = &self.waiting else { return };
        match why {
            Some(why) if !self.waits.swap(true, Ordering::Relaxed) => waiting.says(&why.to_string()),
            None if self.waits.swap(false, Ordering::Relaxed) => waiting.is_over(),
            _ => {}
        }
    }
}

#[async_trait]
impl Source for Patient {
    async fn identity(&self) -> Result<SourceIdentity, PortError> {
        self.patiently(|| self.source.identity()).await
    }

    async fn tables(&self) -> Result<Vec<SourceTable>, PortError> {
        self.patiently(|| self.source.tables()).await
    }

    async fn check(&self, query: &SourceQuery) -> Result<KeyType, PortError> {
        self.patiently(|| self.source.check(query)).await
    }

    async fn count(&self, query: &SourceQuery) -> Result<RowCount, PortError> {
        self.patiently(|| self.source.count(query)).await
    }

    async fn page(
        &self,
        query: &SourceQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceRow>, PortError> {
        self.patiently(|| self.source.page(query, after, limit)).await
    }

    async fn rows(&self, query: &SourceQuery, keys: &[String]) -> Result<Vec<SourceRow>, PortError> {
        self.patiently(|| self.source.rows(query, keys)).await
    }

    async fn shared_skus(&self, query: &SourceQuery, limit: usize) -> Result<SharedSkus, PortError> {
        self.patiently(|| self.source.shared_skus(query, limit)).await
    }

    async fn rows_with_skus(
        &self,
        query: &SourceQuery,
        codes: &[SellersSku],
    ) -> Result<Vec<SourceRow>, PortError> {
        self.patiently(|| self.source.rows_with_skus(query, codes)).await
    }

    async fn tables_of(&self, query: &SourceQuery) -> Result<Vec<TableName>, PortError> {
        self.patiently(|| self.source.tables_of(query)).await
    }

    async fn given_keys(&self, table: &str) -> Result<Vec<GivenKey>, PortError> {
        self.patiently(|| self.source.given_keys(table)).await
    }

    async fn lock(&self) -> Result<bool, PortError> {
        self.source.lock().await
    }

    async fn lock_holder(&self) -> Result<Option<LockHolder>, PortError> {
        self.source.lock_holder().await
    }
}
