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

-- Aggregates, one row for each item and partition. win: 0 minute, 1 hour, 2 day, 3 all. dim: 0 total, 1 seller,
-- 2 category, 3 product. bucket: milliseconds since 1970, 0 for all time. counted: the last offset counted.
-- measures: see codec.rs.
CREATE TABLE items (
  log INTEGER NOT NULL,
  win INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  key ANY NOT NULL,
  partition INTEGER NOT NULL,
  counted INTEGER NOT NULL,
  measures BLOB NOT NULL,
  PRIMARY KEY (log, win, dim, bucket, key, partition)
) STRICT, WITHOUT ROWID;
-- One key over many buckets.
CREATE INDEX items_by_key ON items (log, win, dim, key, bucket, partition);

-- The same by product (keys: 16 bytes). Two rows for each new product are what a busy day writes most, so there
-- is no second index: a key has few buckets here (days, all time), which are visited one by one.
CREATE TABLE product_items (
  log INTEGER NOT NULL,
  win INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  key ANY NOT NULL,
  partition INTEGER NOT NULL,
  counted INTEGER NOT NULL,
  measures BLOB NOT NULL,
  PRIMARY KEY (log, win, dim, bucket, key, partition)
) STRICT, WITHOUT ROWID;
