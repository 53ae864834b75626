//! The capture: a trigger that writes down the key of each row that changes, and on tables that are read beside it one that
//! writes down that they did.
//!
//! Read by snapshot difference, as the outbox is: what this reader's snapshot sees and the one before did not. Only keys are
//! told, and rows are read as they stand, so no order is needed; and a transaction that commits late is in the difference
//! in which it becomes visible.

use async_trait::async_trait;
use souk_domain::Timestamp;
use souk_ports::{Capture, Changes, ErrorKind, OldTable, PortError, TableName, fault};

use super::{MAKE_SCHEMA, PgOutpost, SCHEMA, TRIGGERS, full_name, named, quoted};

/// Everything, in one transaction. The trigger's function runs with its owner's rights, so that writers need none; the
/// triggers come last, since it is they that wait for running writers and make the next ones wait.
///
/// The key is read as souk reads a source's, as text, and of the row nothing else: whatever the others hold, and whatever
/// becomes of the key's column, must not stop the shop's writers. A session that has seen the column with another type
/// cannot go by what it remembers, and looks it up by its name, which costs twice as much. No key, like a truncation, asks
/// for a comparison. Only reading is caught: what is written within would get a transaction id of its own for each row. Dates
/// are told in the style that every session reads.
fn install(table: &OldTable, beside: &[TableName]) -> String {
    let (name, key) = (full_name(table), quoted(&table.key));
    let by_name = literal(&format!("SELECT ($1).{key}::text"));
    let beside = beside.iter().map(named).map(|name| {
        format!(
            "CREATE TRIGGER souk_capture_beside_truncate AFTER TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION \
             {SCHEMA}.note_beside();
CREATE TRIGGER souk_capture_beside AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION \
             {SCHEMA}.note_beside();
"
        )
    });
    let beside: String = beside.collect();
    format!(
        "{MAKE_SCHEMA};
DROP TABLE IF EXISTS {SCHEMA}.changes;
DROP FUNCTION IF EXISTS {SCHEMA}.note() CASCADE;
DROP FUNCTION IF EXISTS {SCHEMA}.note_beside() CASCADE;
CREATE TABLE {SCHEMA}.changes (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), \
  at timestamptz NOT NULL DEFAULT clock_timestamp(), key text, beside boolean NOT NULL DEFAULT false);
CREATE INDEX changes_xid ON {SCHEMA}.changes (xid);
CREATE FUNCTION {SCHEMA}.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog \
  SET DateStyle = 'ISO' AS $note$
DECLARE
  was text;
  is_now text;
BEGIN
  IF current_setting('souk.migration', true) = 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP <> 'TRUNCATE' THEN
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        was := OLD.{key}::text;
      END IF;
      IF TG_OP <> 'DELETE' THEN
        is_now := NEW.{key}::text;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      BEGIN
        IF TG_OP <> 'INSERT' THEN
          EXECUTE {by_name} INTO was USING OLD;
        END IF;
        IF TG_OP <> 'DELETE' THEN
          EXECUTE {by_name} INTO is_now USING NEW;
        END IF;
      EXCEPTION WHEN OTHERS THEN
        was := NULL;
        is_now := NULL;
      END;
    END;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO {SCHEMA}.changes (key) VALUES (is_now);
  END IF;
  IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND was IS DISTINCT FROM is_now) THEN
    INSERT INTO {SCHEMA}.changes (key) VALUES (was);
  END IF;
  RETURN NULL;
END $note$;
CREATE FUNCTION {SCHEMA}.note_beside() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $note$
BEGIN
  IF current_setting('souk.migration', true) IS DISTINCT FROM 'on' THEN
    INSERT INTO {SCHEMA}.changes (beside) VALUES (true);
  END IF;
  RETURN NULL;
END $note$;
{beside}CREATE TRIGGER souk_capture_truncate AFTER TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.note();
CREATE TRIGGER souk_capture_rows AFTER INSERT OR UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.note()"
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Rows of the capture that a snapshot, as text in $1, does not see.
const UNSEEN: &str = "xid >= pg_snapshot_xmax($1::text::pg_snapshot) \
     OR xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))";

#[async_trait]
impl Capture for PgOutpost {
    async fn find(&self, table: &str, key: &str) -> Result<OldTable, PortError> {
        let sql = "SELECT n.nspname::text, c.relname::text FROM pg_class AS c JOIN pg_namespace AS n \
                   ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)";
        let asked = table.to_owned();
        match self.with(|client| async move { client.query_opt(sql, &[&asked]).await }).await? {
            Some(row) => Ok(OldTable { schema: row.get(0), name: row.get(1), key: key.to_owned() }),
            None => {
                let text = format!("the source {} has no table {table}", self.server.address);
                Err(PortError::new(ErrorKind::InvalidData, text))
            }
        }
    }

    async fn install(&self, table: &OldTable, beside: &[TableName]) -> Result<(), PortError> {
        // What is left of one that was broken, or of another table's, tells nothing that can be used.
        if self.is_installed(table, beside).await? {
            return Ok(());
        }
        let (beside, _) = self.by_trigger_right(beside).await?;
        self.run(install(table, &beside)).await
    }

    async fn is_installed(&self, table: &OldTable, beside: &[TableName]) -> Result<bool, PortError> {
        let (beside, _) = self.by_trigger_right(beside).await?;
        let sql = format!("SELECT ({TRIGGERS}) = 2 AND to_regclass('{SCHEMA}.changes') IS NOT NULL");
        let table = table.table();
        self.with(|client| async move {
            let tables = std::iter::once((&table, "note")).chain(beside.iter().map(|it| (it, "note_beside")));
            for (table, function) in tables {
                let row = client.query_one(&sql, &[&table.schema, &table.name, &function]).await?;
                if !row.get::<_, bool>(0) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    async fn position(&self) -> Result<String, PortError> {
        self.with(|client| async move {
            Ok(client.query_one("SELECT pg_current_snapshot()::text", &[]).await?.get(0))
        })
        .await
    }

    async fn changes(&self, after: &str, limit: usize) -> Result<Changes, PortError> {
        let sql = changes();
        let most = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let given = after.to_owned();
        let row = self.with(|client| async move { client.query_one(&sql, &[&given, &most]).await }).await?;
        let position: String = row.get(0);
        if row.get(1) {
            let text = format!(
                "the source {} is at {position}, before the position {after}: it was restored",
                self.server.address
            );
            return Err(PortError::new(ErrorKind::InvalidData, text));
        }
        let too_many = row.get::<_, i64>(4) >= most;
        let (keys, at): (Vec<String>, Vec<i64>) = (row.get(2), row.get(6));
        let keys = keys.into_iter().zip(at.into_iter().map(Timestamp::from_millis));
        let keys = if too_many { Vec::new() } else { keys.collect() };
        let (truncated, beside) = (row.get(3), row.get(7));
        Ok(Changes { keys, truncated, beside, too_many, position, oldest_ms: row.get(5) })
    }

    async fn forget(&self, position: &str) -> Result<(), PortError> {
        let sql = format!("DELETE FROM {SCHEMA}.changes WHERE NOT ({UNSEEN})");
        let position = position.to_owned();
        self.with(|client| async move { client.execute(&sql, &[&position]).await.map(drop) }).await
    }
}

/// What $1 does not see, at most $2 keys of it. One statement, one snapshot: what it sees is what the position says.
fn changes() -> String {
    let unseen = if fault::planted("migrate-xid-cursor") {
        // What tutorials do: nothing older than the newest that was read.
        "xid >= pg_snapshot_xmax($1::text::pg_snapshot)"
    } else {
        UNSEEN
    };
    format!(
        "SELECT pg_current_snapshot()::text, \
         pg_snapshot_xmax($1::text::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()), \
         coalesce(keys, '{{}}'), \
         EXISTS (SELECT FROM {SCHEMA}.changes WHERE ({unseen}) AND key IS NULL AND NOT beside), \
         (SELECT count(*) FROM (SELECT FROM {SCHEMA}.changes WHERE ({unseen}) AND NOT beside LIMIT $2) AS counted), \
         (SELECT (extract(epoch FROM clock_timestamp() - min(at)) * 1000)::int8 FROM {SCHEMA}.changes \
             WHERE ({unseen}) AND NOT beside), \
         coalesce(ats, '{{}}'), EXISTS (SELECT FROM {SCHEMA}.changes WHERE ({unseen}) AND beside) FROM (SELECT array_agg(key) AS keys, array_agg(at) AS ats FROM (SELECT key, \
             floor(extract(epoch FROM max(at)) * 1000)::int8 AS at FROM (SELECT key, at FROM {SCHEMA}.changes \
             WHERE ({unseen}) AND key IS NOT NULL LIMIT $2) AS told GROUP BY key) AS changed) AS changes"
    )
}
