//! The list indexes, put off while a shop is filled.
//!
//! A row lands anywhere in them: at a million products, a commit of some thousand imports writes most pages of most of
//! fifteen indexes, and the next one writes them again. Built afterwards, from all rows sorted once, they cost a small part of
//! that. So they go when imports come in bulk to a catalog that had next to nothing, and come back, one after the
//! other, at the first pause, after the first write of another kind, and at the close. After a kill the next start
//! finds them missing and does the same. Meanwhile lists are sorted anew for each page: right, and slow.

use std::time::Duration;

use rusqlite::Connection;

/// Statements, a line each.
const INDEXES: &str = include_str!("schema/lists_1.sql");
/// Imports without a pause that are a filling.
const BULK: u64 = 4_096;
/// The indexes go only where they hold at most so many times what has just come in: they have to be built again.
const WORTH_IT: u64 = 4;
/// A pause that ends a filling: the next page of a source comes sooner.
const PAUSE: Duration = Duration::from_secs(1);
/// Until a build that failed, as on a full disk, is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// What is done about the list indexes.
#[derive(Debug)]
pub(crate) struct Filling {
    /// Those that are not there, as statements that make them.
    missing: Vec<&'static str>,
    /// Rows imported since the last pause or write of another kind.
    imported: u64,
    /// How long to wait for more before the next one is built.
    patience: Duration,
}

impl Filling {
    /// Looks which indexes are there.
    pub fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut find =
            connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1")?;
        let mut missing = Vec::new();
        for statement in statements() {
            if !find.exists([name(statement)])? {
                missing.push(statement);
            }
        }
        Ok(Self { missing, imported: 0, patience: PAUSE })
    }

    /// Returns how long to wait for work before an index has to be built; `None` when all are there.
    pub fn patience(&self) -> Option<Duration> {
        (!self.missing.is_empty()).then_some(self.patience)
    }

    /// Takes note of a batch: `imported` rows of it came by import and changed something, `others` tells whether
    /// anything else was written. `rows` there are in all.
    pub fn passed(&mut self, connection: &Connection, imported: u64, others: bool, rows: u64) {
        if others {
            self.imported = 0;
            self.patience = Duration::ZERO;
            return;
        }
        self.imported += imported;
        let is_bulk = self.imported >= BULK && rows <= self.imported * WORTH_IT;
        if !is_bulk || !self.missing.is_empty() {
            return;
        }
        match connection.execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT", drops())) {
            Ok(()) => {
                tracing::info!("a shop is being filled: the lists' indexes are built when it is there");
                self.missing = statements().collect();
                self.patience = PAUSE;
            }
            Err(error) => {
                // They stay, and it goes slower.
                tracing::debug!(error = %error, "the lists' indexes stay");
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("ROLLBACK");
                }
            }
        }
    }

    /// Builds the next index that is missing; tells whether it could.
    pub fn build(&mut self, connection: &Connection) -> bool {
        if let Err(error) = self.try_build(connection) {
            tracing::warn!(error = %error, "an index of the lists could not be built, which makes them slow, and will be tried again");
            self.patience = RETRY;
            return false;
        }
        true
    }

    /// Builds all that are missing.
    pub fn build_all(mut self, connection: &Connection) -> rusqlite::Result<()> {
        while !self.missing.is_empty() {
            self.try_build(connection)?;
        }
        Ok(())
    }

    fn try_build(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(statement) = self.missing.last() else { return Ok(()) };
        // Rows to sort may be more than memory should hold.
        connection.pragma_update(None, "temp_store", "FILE")?;
        let built = connection.execute_batch(statement);
        let _ = connection.pragma_update(None, "temp_store", "MEMORY");
        built?;
        self.missing.pop();
        self.imported = 0;
        self.patience = Duration::ZERO;
        if self.missing.is_empty() {
            tracing::info!("the lists' indexes are there");
        }
        Ok(())
    }
}

/// Returns the statements by which all of them go.
pub(crate) fn drops() -> String {
    statements().map(|statement| format!("DROP INDEX IF EXISTS {};", name(statement))).collect()
}

fn statements() -> impl Iterator<Item = &'static str> {
    INDEXES.lines().filter(|line| line.starts_with("CREATE INDEX "))
}

/// Returns the third word of `CREATE INDEX products_name ON …`.
fn name(statement: &str) -> &str {
    statement.split(' ').nth(2).expect("a statement that creates an index")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        crate::SCHEMA.scripts.iter().for_each(|script| connection.execute_batch(script).unwrap());
        connection
    }

    fn there(connection: &Connection) -> usize {
        statements().count() - Filling::load(connection).unwrap().missing.len()
    }

    #[test]
    fn every_statement_is_one_of_ours() {
        assert_eq!(statements().count(), INDEXES.lines().filter(|line| !line.starts_with("--")).count());
        assert_eq!(there(&catalog()), statements().count());
    }

    #[test]
    fn they_go_for_a_filling_and_come_back() {
        let connection = catalog();
        let mut filling = Filling::load(&connection).unwrap();
        filling.passed(&connection, BULK - 1, false, BULK - 1);
        assert_eq!((filling.patience(), there(&connection)), (None, statements().count()));
        filling.passed(&connection, 1, false, BULK);
        assert_eq!((filling.patience(), there(&connection)), (Some(PAUSE), 0));
        // As after a kill.
        let mut filling = Filling::load(&connection).unwrap();
        while filling.patience().is_some() {
            assert!(filling.build(&connection));
        }
        assert_eq!(there(&connection), statements().count());
    }

    #[test]
    fn they_stay_where_there_is_much_already_and_where_nothing_changes() {
        let connection = catalog();
        let mut filling = Filling::load(&connection).unwrap();
        filling.passed(&connection, BULK, false, BULK * (WORTH_IT + 1));
        filling.passed(&connection, 0, false, BULK);
        assert_eq!(filling.patience(), Some(PAUSE), "as much again makes it worth it");
        let mut filling = Filling::load(&catalog()).unwrap();
        filling.passed(&connection, 0, false, BULK);
        assert_eq!(filling.patience(), None);
    }

    #[test]
    fn a_write_of_another_kind_waits_for_no_pause() {
        let connection = catalog();
        let mut filling = Filling::load(&connection).unwrap();
        filling.passed(&connection, BULK, false, BULK);
        filling.passed(&connection, 0, true, BULK);
        assert_eq!(filling.patience(), Some(Duration::ZERO));
    }
}
