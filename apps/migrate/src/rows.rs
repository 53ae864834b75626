//! Everything that there is, a page at a time, the next one on its way while the last is worked on.

use std::sync::Arc;

use souk_domain::ProductId;
use souk_ports::{Catalog, CatalogRow, PortError, Source, SourceQuery, SourceRow};
use tokio::task::JoinHandle;

use crate::{Deps, MigrateError};

/// Rows of a page: a few MB at most usually, and a few hundredths of a second.
pub(crate) const PAGE: usize = 4_096;

type Fetch<T> = JoinHandle<Result<Vec<T>, PortError>>;

/// The same rows, of which nothing but the key is read.
pub(crate) fn keys_alone(query: &SourceQuery) -> SourceQuery {
    let fields = [const { None }; SourceRow::FIELDS.len()];
    SourceQuery { fields, created_at: None, updated_at: None, ..query.clone() }
}

/// The source's rows in the key's order.
pub(crate) struct SourceRows {
    source: Arc<dyn Source>,
    query: SourceQuery,
    next: Option<Fetch<SourceRow>>,
}

impl SourceRows {
    /// Begins after the key `after`.
    pub fn begin(source: &Arc<dyn Source>, query: &SourceQuery, after: Option<&str>) -> Self {
        let mut rows = Self { source: source.clone(), query: query.clone(), next: None };
        rows.fetch(after.map(str::to_owned));
        rows
    }

    fn fetch(&mut self, after: Option<String>) {
        let (source, query) = (self.source.clone(), self.query.clone());
        self.next = Some(tokio::spawn(async move { source.page(&query, after.as_deref(), PAGE + 1).await }));
    }

    /// Returns the next page; `None` at the end.
    pub async fn page(&mut self) -> Result<Option<Vec<SourceRow>>, MigrateError> {
        let Some(next) = self.next.take() else { return Ok(None) };
        let mut rows = finish(next).await?;
        // One more than a page, so that a key that comes twice is noticed wherever it lies.
        if let Some(twice) = rows.windows(2).find(|pair| pair[0].key == pair[1].key) {
            return Err(MigrateError::Found(format!(
                "the key {} comes twice: the mapping's key has to be unique; a join that multiplies rows has to become a \
                 subquery",
                twice[0].key
            )));
        }
        if rows.len() > PAGE {
            rows.truncate(PAGE);
            self.fetch(rows.last().map(|last| last.key.clone()));
        }
        Ok((!rows.is_empty()).then_some(rows))
    }
}

/// The catalog's rows in id order.
pub(crate) struct CatalogRows {
    catalog: Arc<dyn Catalog>,
    next: Option<Fetch<CatalogRow>>,
}

impl CatalogRows {
    pub fn begin(deps: &Deps) -> Self {
        let mut rows = Self { catalog: deps.catalog.clone(), next: None };
        rows.fetch(None);
        rows
    }

    fn fetch(&mut self, after: Option<ProductId>) {
        let catalog = self.catalog.clone();
        self.next = Some(tokio::spawn(async move { catalog.scan(after, PAGE).await }));
    }

    /// Returns the next page; `None` at the end.
    pub async fn page(&mut self) -> Result<Option<Vec<CatalogRow>>, MigrateError> {
        let Some(next) = self.next.take() else { return Ok(None) };
        let rows = finish(next).await?;
        if let Some(last) = rows.last() {
            self.fetch(Some(last.id));
        }
        Ok((!rows.is_empty()).then_some(rows))
    }
}

async fn finish<T>(fetch: Fetch<T>) -> Result<Vec<T>, MigrateError> {
    Ok(fetch.await.map_err(MigrateError::cut_off)??)
}
