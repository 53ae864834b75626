-- What analytics computes, in a file of its own, so that it never holds the catalog's writer up.

-- Logs by a small number, so that rows need not repeat eight bytes.
CREATE TABLE logs (id INTEGER PRIMARY KEY, log INTEGER NOT NULL UNIQUE) STRICT;

-- How far each consumer group is: the next offset.
CREATE TABLE consumer_positions (
  log INTEGER NOT NULL,
  grp TEXT NOT NULL,
  partition INTEGER NOT NULL,
  next INTEGER NOT NULL,
  PRIMARY KEY (log, grp, partition)
) STRICT, WITHOUT ROWID;

-- Aggregates, one row for each item and partition. series: log, window and dimension in one number (codec.rs), so
-- that rows are short and compared quickly. bucket: milliseconds since 1970, 0 for all time. counted: the last
-- offset counted. measures: see codec.rs.
CREATE TABLE items (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  key ANY NOT NULL,
  partition INTEGER NOT NULL,
  counted INTEGER NOT NULL,
  measures BLOB NOT NULL,
  PRIMARY KEY (series, bucket, key, partition)
) STRICT, WITHOUT ROWID;
-- One key over many buckets.
CREATE INDEX items_by_key ON items (series, key, bucket, partition);

-- The same by product (keys: 16 bytes). Two rows for each new product are what a busy day writes most, so there
-- is no second index: a key has few buckets here (days, all time), which are visited one by one.
CREATE TABLE product_items (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  key ANY NOT NULL,
  partition INTEGER NOT NULL,
  counted INTEGER NOT NULL,
  measures BLOB NOT NULL,
  PRIMARY KEY (series, bucket, key, partition)
) STRICT, WITHOUT ROWID;

-- Records that could not be read, set aside with the reason.
CREATE TABLE dead_letters (
  log INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (log, partition, "offset")
) STRICT, WITHOUT ROWID;
