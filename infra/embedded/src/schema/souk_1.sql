-- The catalog and the log, in one file so that one commit covers both.
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE products (
  seq INTEGER PRIMARY KEY,            -- order of insertion; breaks ties in lists
  id BLOB NOT NULL,
  seller_id TEXT NOT NULL,
  sku TEXT,
  name TEXT NOT NULL,
  description TEXT,
  category TEXT NOT NULL,
  price INTEGER NOT NULL,             -- ten-thousandths
  stock INTEGER NOT NULL,
  low_stock_threshold INTEGER,
  low_stock INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,        -- milliseconds since 1970
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX products_id ON products (id);
CREATE UNIQUE INDEX products_sku ON products (sku, seller_id) WHERE sku IS NOT NULL;

-- What is left of a deleted product: versions go on from here if its id ever comes back.
CREATE TABLE tombstones (id BLOB PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- The log: offset = row id. The last row is never trimmed, so offsets never come back.
CREATE TABLE events (
  "offset" INTEGER PRIMARY KEY,
  seller_id TEXT NOT NULL,
  product_id BLOB NOT NULL,
  type INTEGER NOT NULL,
  time INTEGER NOT NULL,              -- never decreases with the offset
  payload BLOB NOT NULL
) STRICT;
-- Recent events by seller, product and type, newest first: each index ends in the offset. Those with many values
-- are cut into blocks of 8,192 offsets: an insert then touches one of some sixty pages near the end, however long
-- the log, and a query visits the blocks of its range one by one.
CREATE INDEX events_seller ON events ("offset" >> 13, seller_id);
CREATE INDEX events_product ON events ("offset" >> 13, product_id);
CREATE INDEX events_type ON events (type);

CREATE TABLE idempotency (
  seq INTEGER PRIMARY KEY,            -- order of storing, for expiry
  key TEXT NOT NULL UNIQUE,
  fingerprint BLOB NOT NULL,
  status INTEGER NOT NULL,
  etag TEXT,
  location TEXT,
  body BLOB NOT NULL,
  stored_at INTEGER NOT NULL
) STRICT;
