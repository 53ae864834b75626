//! A source that may be away for a while: whoever asks is kept waiting, not turned away.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use souk_ports::{
    KeyType, PortError, RowCount, SellersSku, SharedSkus, Source, SourceIdentity, SourceQuery, SourceRow,
    SourceTable, TableName,
};

/// How long an answer is waited for: a network that is lost for a minute is no reason to begin anew.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// Asks a source until there is an answer, or it is clear that there will be none.
pub struct Patient(Arc<dyn Source>);

impl Patient {
    /// Makes `source` patient.
    pub fn over(source: Arc<dyn Source>) -> Arc<dyn Source> {
        Arc::new(Self(source))
    }
}

async fn patiently<T, F: Future<Output = Result<T, PortError>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, PortError> {
    let began = tokio::time::Instant::now();
    loop {
        match ask().await {
            Err(error) if error.is_retryable() && began.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await
            }
            outcome => return outcome,
        }
    }
}

#[async_trait]
impl Source for Patient {
    async fn identity(&self) -> Result<SourceIdentity, PortError> {
        patiently(|| self.0.identity()).await
    }

    async fn tables(&self) -> Result<Vec<SourceTable>, PortError> {
        patiently(|| self.0.tables()).await
    }

    async fn check(&self, query: &SourceQuery) -> Result<KeyType, PortError> {
        patiently(|| self.0.check(query)).await
    }

    async fn count(&self, query: &SourceQuery) -> Result<RowCount, PortError> {
        patiently(|| self.0.count(query)).await
    }

    async fn page(
        &self,
        query: &SourceQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceRow>, PortError> {
        patiently(|| self.0.page(query, after, limit)).await
    }

    async fn rows(&self, query: &SourceQuery, keys: &[String]) -> Result<Vec<SourceRow>, PortError> {
        patiently(|| self.0.rows(query, keys)).await
    }

    async fn shared_skus(&self, query: &SourceQuery, limit: usize) -> Result<SharedSkus, PortError> {
        patiently(|| self.0.shared_skus(query, limit)).await
    }

    async fn rows_with_skus(
        &self,
        query: &SourceQuery,
        codes: &[SellersSku],
    ) -> Result<Vec<SourceRow>, PortError> {
        patiently(|| self.0.rows_with_skus(query, codes)).await
    }

    async fn tables_of(&self, query: &SourceQuery) -> Result<Vec<TableName>, PortError> {
        patiently(|| self.0.tables_of(query)).await
    }

    async fn lock(&self) -> Result<bool, PortError> {
        self.0.lock().await
    }
}
