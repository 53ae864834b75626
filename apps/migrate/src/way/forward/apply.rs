//! Brings souk to where rows of the source stand, whose keys were told.

use std::collections::HashMap;

use souk_domain::{Import, Phase, ProductId, Timestamp};
use souk_ports::{SellersSku, SourceRow};

use super::Forward;
use crate::MigrateError;
use crate::judge::Verdict;
use crate::policy::Fault;
use crate::take::{Contest, Gone, delete, take};
use crate::way::state::Pace;

/// A key, and when it was noted that its row had changed.
pub(super) type Told = (String, Option<Timestamp>);
/// A row, and when its change was noted.
type Noted = (Option<Timestamp>, SourceRow);

impl Forward<'_> {
    pub(super) async fn apply_some(&mut self, pace: &mut Pace, told: &[Told]) -> Result<(), MigrateError> {
        if told.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = told.iter().map(|(key, _)| key.clone()).collect();
        let rows: Vec<SourceRow> = self.way.deps.source.rows(&self.query, &keys).await?;
        let mut gone: HashMap<&str, Option<Timestamp>> =
            told.iter().map(|(key, noted_at)| (&**key, *noted_at)).collect();
        let rows: Vec<Noted> = rows.into_iter().map(|row| (gone.remove(&*row.key).flatten(), row)).collect();
        let mut deleted: Vec<Gone> = Vec::new();
        for (key, noted_at) in gone {
            pace.refused.remove(key);
            deleted.extend(self.judge.id(key).map(|id| (id, noted_at)));
        }
        let codes = self.codes(&rows);
        let contested = self.take_rows(pace, rows, deleted, Contest::Tell).await?;
        let contested: Vec<SellersSku> = contested.iter().filter_map(|id| codes.get(id).cloned()).collect();
        if contested.is_empty() { Ok(()) } else { self.judge_codes(pace, &contested).await }
    }

    /// The codes of rows, by what the rows become.
    fn codes(&self, rows: &[Noted]) -> HashMap<ProductId, SellersSku> {
        let code = |(_, row): &Noted| Some((self.judge.id(&row.key)?, row.code()?));
        rows.iter().filter_map(code).collect()
    }

    /// Judges and takes rows; returns those that want a sku which another product has.
    async fn take_rows(
        &self,
        pace: &mut Pace,
        rows: Vec<Noted>,
        mut gone: Vec<Gone>,
        contest: Contest,
    ) -> Result<Vec<ProductId>, MigrateError> {
        let mut imports: Vec<(String, Import)> = Vec::new();
        for (noted_at, row) in rows {
            pace.refused.remove(&row.key);
            match self.judge.judge(&row, Phase::Follow) {
                Verdict::Take(import, _) => imports.push((row.key, Import { noted_at, ..*import })),
                // Left out: not there for souk.
                Verdict::Skip(_) => gone.extend(self.judge.id(&row.key).map(|id| (id, noted_at))),
                Verdict::Stop(faults) => pace.refuse(&row.key, tell(&faults)),
            }
        }
        // Deletes first: they give skus away.
        pace.taken += delete(self.way.deps, &gone, &self.judge.migration(Phase::Follow)).await?;
        let all: Vec<Import> = imports.iter().map(|(_, import)| import.clone()).collect();
        match take(self.way.deps, all, contest).await {
            Ok(done) => {
                pace.taken += done.changed;
                return Ok(done.contested);
            }
            Err(MigrateError::Found(_)) => {}
            Err(error) => return Err(error),
        }
        // One of them is refused for good: the others must not wait for it.
        let mut contested = Vec::new();
        for (key, import) in imports {
            match take(self.way.deps, vec![import], contest).await {
                Ok(done) => {
                    pace.taken += done.changed;
                    contested.extend(done.contested);
                }
                Err(MigrateError::Found(why)) => pace.refuse(&key, why),
                Err(error) => return Err(error),
            }
        }
        Ok(contested)
    }

    /// Looks who has codes in the source that several products want here: one that changed hands goes to the row that has it;
    /// where several rows have it, the policy says what becomes of each of them, as it does in a copy.
    async fn judge_codes(&mut self, pace: &mut Pace, contested: &[SellersSku]) -> Result<(), MigrateError> {
        let rows = self.way.deps.source.rows_with_skus(&self.query, contested).await?;
        let told = rows.iter().filter_map(|row| Some((row.code()?, 1)));
        self.judge.share(contested, told);
        let rows = rows.into_iter().map(|row| (None, row)).collect();
        self.take_rows(pace, rows, Vec::new(), Contest::Win).await?;
        Ok(())
    }
}

fn tell(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
